"""Tar shards and tables, with another library's readers, and broken ones."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.pictures import textured

pa = pytest.importorskip("pyarrow", reason="tables need the extra dataset")
from pyarrow import parquet

from dartblur.datasets.shards import copy_shard
from dartblur.datasets.tar_members import ShardError
from dartblur.faces import Faces


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(textured(20, 30, seed)).save(buffer, "PNG")
    return buffer.getvalue()


def hide(name: str, data: bytes, faces: Faces | None = None) -> bytes:
    """Stands for the pipeline: a longer file that is still a picture."""
    with Pillow.open(io.BytesIO(data)) as image:
        buffer = io.BytesIO()
        image.point(lambda value: 255 - value).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def never(name: str) -> bool:
    return False


def tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1_700_000_000
            archive.addfile(info, io.BytesIO(data))
    return path


MEMBERS = {
    "0001.png": png(1),
    "0001.cls": b"3",
    "0001.json": b'{"text": "two people"}',
    "sub/0002.left.jpg": png(2),  # what it is decides, not its name
    "sub/0002.txt": "größer".encode(),
}


@pytest.mark.parametrize(("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz")])
def test_a_tar_keeps_order_names_and_labels(tmp_path: Path, name: str, mode: str) -> None:
    source = tar(tmp_path / name, MEMBERS, mode)
    copy_shard(source, tmp_path / f"out-{name}", hide, never)
    with tarfile.open(tmp_path / f"out-{name}") as archive:
        found = {m.name: archive.extractfile(m).read() for m in archive}
        assert {m.mtime for m in archive.getmembers()} == {1_700_000_000}
    assert list(found) == list(MEMBERS)
    for member, data in MEMBERS.items():
        assert found[member] == (hide("", data) if data.startswith(b"\x89PNG") else data)
    again = tmp_path / f"again-{name}"
    copy_shard(source, again, hide, never)
    assert again.read_bytes() == (tmp_path / f"out-{name}").read_bytes()


def test_webdataset_reads_the_copy(tmp_path: Path) -> None:
    wds = pytest.importorskip("webdataset")
    source = tmp_path / "a.tar"
    with wds.TarWriter(str(source)) as sink:
        for n in range(3):
            sink.write(
                {"__key__": f"{n:04}", "png": textured(20, 30, n), "cls": n, "json": {"n": n}}
            )
    copy_shard(source, tmp_path / "b.tar", hide, never)
    before, after = (
        list(wds.WebDataset(str(path), shardshuffle=False).decode("rgb8"))
        for path in (source, tmp_path / "b.tar")
    )
    assert [s["__key__"] for s in after] == ["0000", "0001", "0002"]
    for clear, safe in zip(before, after, strict=True):
        assert (safe["cls"], safe["json"]) == (clear["cls"], clear["json"])
        np.testing.assert_array_equal(safe["png"], 255 - clear["png"])


def links(path: Path) -> Path:
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("a.txt")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    return path


def cut_between(path: Path) -> Path:
    tar(path, MEMBERS)
    data = path.read_bytes()
    with tarfile.open(path) as archive:
        second = archive.getmembers()[1].offset
    path.write_bytes(data[:second])
    return path


def cut_within(path: Path) -> Path:
    tar(path, MEMBERS)
    path.write_bytes(path.read_bytes()[:900])
    return path


def cut_gzip(path: Path) -> Path:
    path = path.with_suffix(".tgz")
    path.write_bytes(gzip.compress(tar(path, MEMBERS).read_bytes())[:-20])
    return path


def twice(path: Path) -> Path:
    with tarfile.open(path, "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("a.txt"))
    return path


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a name that leads out": (lambda p: tar(p, {"../a.txt": b"x"}), r"\.\./a\.txt.*leads out"),
    "a name from the root": (lambda p: tar(p, {"/etc/a": b"x"}), "leads out"),
    "a link": (links, "link or a device"),
    "a name that is there twice": (twice, "twice"),
    "cut within a member": (cut_within, "cut off"),
    "cut between members": (cut_between, "cut off"),
    "cut in its compression": (cut_gzip, "cut off"),
    "empty": (lambda p: (p.write_bytes(b""), p)[1], "cut off"),
    "no tar": (lambda p: (p.write_bytes(b"text" * 1000 + bytes(1024)), p)[1], "broken"),
    "a pickle": (lambda p: tar(p, {"a.pyd": b"\x80\x04\x95"}), "a.pyd is no text"),
    "a picture spelled": (
        lambda p: tar(p, {"a.json": b'"/9j/' + b"A" * 90 + b'"'}),
        "a.json spells",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_tar_is_named(tmp_path: Path, kind: str) -> None:
    make, told = HOSTILE[kind]
    source = make(tmp_path / "a.tar")
    with pytest.raises(ShardError, match=told) as error:
        copy_shard(source, tmp_path / "b", hide, never)
    assert str(source) in str(error.value)


def test_a_member_that_the_user_keeps_is_copied(tmp_path: Path) -> None:
    source = tar(tmp_path / "a.tar", {"a.npy": b"\x93NUMPY\0"})
    copy_shard(source, tmp_path / "b.tar", hide, lambda name: name == "a.npy")
    with tarfile.open(tmp_path / "b.tar") as archive:
        assert archive.extractfile("a.npy").read() == b"\x93NUMPY\0"


def table(rows: int = 5) -> pa.Table:
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.table(
        {
            "image": pa.array([{"bytes": png(n), "path": f"{n}.png"} for n in range(rows)], image),
            "views": pa.array([[{"bytes": png(9), "path": None}]] * rows, pa.list_(image)),
            "raw": pa.array([png(7), None] * rows)[:rows],
            "label": pa.array(range(rows), pa.int64()),
            "text": [f"caption {n}" for n in range(rows)],
        }
    ).replace_schema_metadata({"huggingface": '{"info": {}}'})


def same_but_hidden(before: pa.Table, after: pa.Table) -> None:
    assert after.schema.equals(before.schema, check_metadata=True)
    assert after.column("label") == before.column("label")
    assert after.column("text") == before.column("text")
    for clear, safe in zip(before.to_pylist(), after.to_pylist(), strict=True):
        assert safe["image"] == {**clear["image"], "bytes": hide("", clear["image"]["bytes"])}
        assert safe["views"][0]["bytes"] == hide("", clear["views"][0]["bytes"])
        assert (safe["raw"] is None) == (clear["raw"] is None)
        assert safe["raw"] is None or safe["raw"] == hide("", clear["raw"])


@pytest.mark.parametrize("codec", ["snappy", "zstd", "none"])
def test_a_parquet_keeps_rows_schema_and_groups(tmp_path: Path, codec: str) -> None:
    source = tmp_path / "a.parquet"
    parquet.write_table(table(), source, row_group_size=2, compression=codec)
    copy_shard(source, tmp_path / "b.parquet", hide, never)
    before, after = (parquet.read_table(path) for path in (source, tmp_path / "b.parquet"))
    same_but_hidden(before, after)
    metadata = parquet.ParquetFile(tmp_path / "b.parquet").metadata
    assert metadata.num_row_groups == 3
    named = metadata.row_group(0).column(0).compression
    assert named.lower() == {"none": "uncompressed"}.get(codec, codec)


def test_an_arrow_stream_keeps_rows_and_schema(tmp_path: Path) -> None:
    source = tmp_path / "a.arrow"
    with pa.OSFile(str(source), "wb") as out, pa.ipc.new_stream(out, table().schema) as writer:
        writer.write_table(table(), 2)
    copy_shard(source, tmp_path / "b.arrow", hide, never)
    with pa.OSFile(str(tmp_path / "b.arrow")) as file:
        same_but_hidden(table(), pa.ipc.open_stream(file).read_all())


def test_datasets_loads_the_copy(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    images = [Pillow.fromarray(textured(20, 30, n)) for n in range(4)]
    clear = datasets.Dataset.from_dict({"image": images, "label": [0, 1, 1, 0]}, features)
    clear.save_to_disk(str(tmp_path / "src"), num_shards=2)
    clear.to_parquet(str(tmp_path / "src.parquet"))
    (tmp_path / "dst").mkdir()
    for path in (tmp_path / "src").iterdir():
        if path.suffix == ".arrow":
            copy_shard(path, tmp_path / "dst" / path.name, hide, never)
        else:
            (tmp_path / "dst" / path.name).write_bytes(path.read_bytes())
    copy_shard(tmp_path / "src.parquet", tmp_path / "dst.parquet", hide, never)
    by_name = {"parquet": str(tmp_path / "dst.parquet")}
    for copy in (
        datasets.load_from_disk(str(tmp_path / "dst")),
        datasets.Dataset.from_parquet(by_name["parquet"], cache_dir=str(tmp_path / "cache")),
    ):
        assert copy.features == features
        assert copy["label"] == clear["label"]
        for before, after in zip(clear["image"], copy["image"], strict=True):
            np.testing.assert_array_equal(np.asarray(after), 255 - np.asarray(before))


@pytest.mark.parametrize("kind", ["cut off", "no table", "a pickle", "a picture elsewhere"])
@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_a_hostile_table_is_named(tmp_path: Path, kind: str, suffix: str) -> None:
    source = tmp_path / f"a{suffix}"
    content = table()
    if kind == "a pickle":
        content = pa.table({"x": pa.array([b"\x80\x04\x95"])})
    if kind == "a picture elsewhere":
        content = pa.table({"x": pa.array([{"bytes": None, "path": "/home/a.jpg"}])})
    if suffix == ".parquet":
        parquet.write_table(content, source)
    else:
        with pa.OSFile(str(source), "wb") as out, pa.ipc.new_stream(out, content.schema) as writer:
            writer.write_table(content)
    if kind == "cut off":
        source.write_bytes(source.read_bytes()[:-400])
    if kind == "no table":
        source.write_bytes(b"PAR1 or not, this is text")
    with pytest.raises(ShardError) as error:
        copy_shard(source, tmp_path / "b", hide, never)
    assert str(source) in str(error.value)
