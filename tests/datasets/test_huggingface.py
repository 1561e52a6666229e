"""Tables of Hugging Face's with boxes: which are read, and pictures row by row."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

pa = pytest.importorskip("pyarrow", reason="tables need the extra dataset")
from pyarrow import parquet

from dartblur.datasets import huggingface
from dartblur.datasets.tar_members import ShardError
from dartblur.faces import Sample

OBJECTS = {"bbox": [[1.0, 2.0, 3.0, 4.0]]}


def png(colour: int) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("L", (8, 8), colour).save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, rows: list[dict[str, Any]], together: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows)
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=together)
        return
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, together)


def rows(count: int) -> list[dict[str, Any]]:
    images = [{"bytes": png(number), "path": None} for number in range(count)]
    return [{"image": image, "text": "x", "objects": OBJECTS} for image in images]


def read(root: Path, split: str = "train") -> list[Sample]:
    return list(huggingface.FORMAT.read(root, split))


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_pictures_are_read_in_any_order(tmp_path: Path, suffix: str) -> None:
    told = rows(5)
    told[3]["objects"] = None
    write(tmp_path / f"a{suffix}", told)
    samples = read(tmp_path)
    names = [sample.image.relative_to(tmp_path).as_posix() for sample in samples]
    assert names == [f"a{suffix}/{number}" for number in (0, 1, 2, 4)]
    assert all(sample.faces.boxes.tolist() == [[1, 2, 4, 6]] for sample in samples)
    for at, number in ((3, 4), (0, 0), (2, 2), (1, 1)):
        assert samples[at].content() == png(number)


def test_splits_are_told_by_names(tmp_path: Path) -> None:
    for name in ("data/validation-00000-of-00001.parquet", "test/data-00000-of-00001.arrow"):
        write(tmp_path / name, rows(1))
    # What `datasets` keeps beside, and a table without boxes.
    write(tmp_path / "train/cache-1234.arrow", rows(1))
    write(tmp_path / "train/captions.parquet", [{"image": None, "text": "x"}])
    assert set(huggingface.splits(tmp_path)) == {"val", "test"}
    assert len(read(tmp_path, "val")) == len(read(tmp_path, "test")) == 1


@pytest.mark.parametrize(
    "image", [None, {"bytes": None, "path": "/a.jpg"}, {"bytes": b"text", "path": None}]
)
def test_a_row_without_its_picture_is_named(tmp_path: Path, image: Any) -> None:
    write(tmp_path / "a.parquet", [*rows(1), {"image": image, "objects": OBJECTS}])
    samples = read(tmp_path)
    with pytest.raises(ShardError, match=r"a\.parquet: row 1 tells of faces, and holds no picture"):
        samples[1].content()
