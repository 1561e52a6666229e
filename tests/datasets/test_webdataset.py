"""Boxes beside pictures in tar shards, as JSON of the same key tells them."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from dartblur.datasets import webdataset
from dartblur.datasets.tar_members import ShardError
from dartblur.errors import BoxesError

BOX = [1, 2, 3, 4]
XYXY = [[1, 2, 4, 6]]
ROW = {"objects": {"bbox": [BOX], "category": ["face"]}}


def png(colour: int) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("L", (8, 8), colour).save(buffer, "PNG")
    return buffer.getvalue()


def shard(path: Path, members: dict[str, Any], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def read(root: Path, split: str = "train") -> dict[str, list[list[float]]]:
    samples = webdataset.FORMAT.read(root, split)
    return {s.image.relative_to(root).as_posix(): s.faces.boxes.tolist() for s in samples}


@pytest.mark.parametrize(
    "told",
    [
        ROW,
        {"width": 8, "faces": [{"bbox": BOX}]},
        {"annotations": [{"bbox": BOX, "iscrowd": 0}], "image_id": 7},
        [{"bbox": BOX, "segmentation": []}],
    ],
)
def test_json_of_the_key_tells_the_boxes(tmp_path: Path, told: Any) -> None:
    members = {"sub/01.png": png(1), "sub/01.json": told, "sub/01.cls": b"3", "sub/02.png": png(2)}
    shard(tmp_path / "a.tar", members)
    assert read(tmp_path) == {"a.tar/sub/01.png": XYXY}


def test_several_members_of_a_key(tmp_path: Path) -> None:
    members = {
        "01.captions.json": [{"caption": "two people"}],
        "01.instances.json": [{"bbox": BOX}],
        "01.png": png(1),
        "01.seg.png": png(2),
        "02.left.png": png(3),
    }
    shard(tmp_path / "a.tar", members)
    assert read(tmp_path) == {"a.tar/01.png": XYXY}


def test_splits_are_told_by_names(tmp_path: Path) -> None:
    for name in ("faces-val-000.tar", "dev/001.tar", "test/a.tgz", "other.tar"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        shard(path, {"1.json": ROW, "1.png": png(1)}, "w:gz" if name.endswith("gz") else "w")
    shard(tmp_path / "eval.tar", {"1.json": {"text": "nobody"}, "1.png": png(1)})
    assert set(webdataset.splits(tmp_path)) == {"train", "val", "test"}
    assert list(read(tmp_path, "val")) == ["dev/001.tar/1.png", "faces-val-000.tar/1.png"]


@pytest.mark.parametrize(("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz")])
def test_pictures_are_read_in_any_order(tmp_path: Path, name: str, mode: str) -> None:
    members: dict[str, Any] = {}
    for number in range(4):
        members |= {f"{number}.json": ROW, f"{number}.png": png(number)}
    shard(tmp_path / name, members, mode)
    samples = list(webdataset.FORMAT.read(tmp_path, "train"))
    for number in (0, 1, 3, 2, 0):
        assert samples[number].content() == png(number)
    # Another one that took its place.
    shard(tmp_path / name, {"0.json": ROW, "0.png": png(9)}, mode)
    [sample] = webdataset.FORMAT.read(tmp_path, "train")
    assert sample.content() == png(9)


@pytest.mark.parametrize(
    ("members", "error", "told"),
    [
        ({"1.json": ROW}, BoxesError, r"1\.json tells of a picture that is not there"),
        ({"1.png": png(1), "1.json": b"{"}, BoxesError, r"a\.tar: 1\.json: is no JSON"),
        ({"1.png": png(1), "1.json": [{"bbox": [1]}]}, BoxesError, r"a\.tar: 1\.json: a bbox in"),
        ({"../1.png": png(1), "1.json": ROW}, ShardError, "leads out of the shard"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, members: dict[str, Any], error: type[Exception], told: str
) -> None:
    shard(tmp_path / "a.tar", members)
    with pytest.raises(error, match=told):
        read(tmp_path)


def test_a_shard_that_was_cut_since_is_named(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.tar", {"1.json": ROW, "1.png": png(1)})
    [sample] = webdataset.FORMAT.read(tmp_path, "train")
    path.write_bytes(path.read_bytes()[:1600])
    with pytest.raises(ShardError, match=r"1\.png is cut off"):
        sample.content()
