"""Data sets at URLs: in memory, and on a server of S3 on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.batch.data_sets import FIRST, LAYOUTS, save
from tests.conftest import Outcome
from tests.pictures import tree

pytest.importorskip("pyarrow", reason="the manifest needs the extra dataset")
pytest.importorskip("yaml", reason="YOLO needs the extra dataset")
pytest.importorskip("upath", reason="URLs need the extra cluster")

from upath import UPath


@pytest.fixture
def memory() -> Iterator[str]:
    """A place that only this process sees."""
    root = UPath("memory://bucket")
    yield str(root)
    root.fs.rm(root.path, recursive=True)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    moto = pytest.importorskip("moto.server", reason="needs moto[server], a server of S3")
    pytest.importorskip("s3fs", reason="needs s3fs")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket on the server, with credentials for it."""
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    if not files.exists("bucket"):
        files.mkdir("bucket")
    return "s3://bucket"


def put(folder: Path, url: str) -> None:
    for name in tree(folder):
        place: Any = UPath(url) / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((folder / name).read_bytes())


def at(url: str) -> dict[str, bytes]:
    place: Any = UPath(url)
    place.fs.invalidate_cache()
    start = place.path.rstrip("/") + "/"
    names = place.fs.find(place.path)
    return {name.removeprefix(start): place.fs.cat_file(name) for name in names}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_data_set_in_memory(
    tmp_path: Path, copy: Callable[..., Outcome], memory: str, name: str
) -> None:
    check(tmp_path, copy, memory, name)


@pytest.mark.parametrize("name", ["widerface"])
def test_a_data_set_on_s3(
    tmp_path: Path, copy: Callable[..., Outcome], bucket: str, name: str
) -> None:
    check(tmp_path, copy, bucket, name)


def check(tmp_path: Path, copy: Callable[..., Outcome], url: str, name: str) -> None:
    """From and to a URL the copy has the bytes of that on disk, is done once and verified."""
    src, state = tmp_path / "src", tmp_path / "state"
    LAYOUTS[name](src)
    put(src, f"{url}/src")
    assert copy(src, tmp_path / "dst").status == 0
    words = (f"{url}/src", f"{url}/dst", "--state", state)
    outcome = copy(*words)
    assert outcome.status == 0, outcome.error
    expected = {n: (tmp_path / "dst" / n).read_bytes() for n in tree(tmp_path / "dst")}
    assert at(f"{url}/dst") == expected
    manifest = (state / "manifest.jsonl").read_bytes()
    assert manifest == (tmp_path / "dst.dartblur/manifest.jsonl").read_bytes()
    assert f"0 done, {len(expected)} already done" in copy(*words).error
    verify = ("--verify", f"{url}/dst", "--state", state, "--source", f"{url}/src")
    assert copy(*verify).status == 0
    if name in FIRST:
        clear: Any = UPath(f"{url}/dst") / FIRST[name]
        clear.write_bytes((src / FIRST[name]).read_bytes())
        outcome = copy(*verify)
        assert outcome.status == 1
        assert f"{FIRST[name]}: is the clear picture" in outcome.error


def test_from_disk_to_s3(tmp_path: Path, copy: Callable[..., Outcome], bucket: str) -> None:
    save(tmp_path / "src/a.png")
    (tmp_path / "src/broken.png").write_bytes(b"no picture")
    outcome = copy(tmp_path / "src", f"{bucket}/disk", "--state", tmp_path / "state")
    assert outcome.status == 1
    assert "broken.png" in outcome.error
    assert list(at(f"{bucket}/disk")) == ["a.png"]


def test_a_bucket_that_is_not_there(
    tmp_path: Path, copy: Callable[..., Outcome], bucket: str
) -> None:
    save(tmp_path / "src/a.png")
    for words in (
        ("s3://nowhere/src", tmp_path / "dst"),
        (tmp_path / "src", "s3://nowhere/dst", "--state", tmp_path / "state"),
    ):
        outcome = copy(*words)
        assert outcome.status == 2, outcome.error
        assert "s3://nowhere/" in outcome.error
        assert "cannot be" in outcome.error
        assert not (tmp_path / "dst").exists()


def test_credentials_that_are_missing(
    tmp_path: Path, copy: Callable[..., Outcome], bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    s3fs.S3FileSystem.clear_instance_cache()
    save(tmp_path / "src/a.png")
    outcome = copy(tmp_path / "src", f"{bucket}/dst", "--state", tmp_path / "state")
    assert outcome.status == 2
    assert "credentials" in outcome.error.lower()


def test_a_url_needs_a_state_and_another_place(
    tmp_path: Path, copy: Callable[..., Outcome], memory: str
) -> None:
    save(tmp_path / "src/a.png")
    put(tmp_path / "src", f"{memory}/src")
    state = ("--state", tmp_path / "state")
    assert "--state" in copy(tmp_path / "src", f"{memory}/dst").error
    assert copy(f"{memory}/src", f"{memory}/src/dst", *state).status == 2
    assert copy("nonsense-scheme://a/b", tmp_path / "dst").status == 2
    put(tmp_path / "src", f"{memory}/other")
    outcome = copy(tmp_path / "src", f"{memory}/other", *state)
    assert outcome.status == 2
    assert "holds files" in outcome.error
