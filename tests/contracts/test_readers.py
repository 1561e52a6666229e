"""What every reader of a data set promises, on a set of two pictures in its own layout."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from dartblur.datasets import FORMATS, format_with_faces
from dartblur.errors import DartblurError, InputError
from dartblur.faces import Sample

SIZE = (100, 80)
BOX = (10, 20, 30, 40)
"""x y w h of the one face, in the first picture; the second has none."""


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def widerface(root: Path) -> Path:
    for name in ("a", "b"):
        picture(root / f"WIDER_val/images/0--Event/{name}.jpg")
    labels = root / "wider_face_split/wider_face_val_bbx_gt.txt"
    labels.parent.mkdir()
    row = " ".join(map(str, BOX)) + " 0 0 0 0 0 0"
    labels.write_text(f"0--Event/a.jpg\n1\n{row}\n0--Event/b.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n")
    return labels


def fddb(root: Path) -> Path:
    for name in ("a", "b"):
        picture(root / f"originalPics/{name}.jpg")
    x, y, width, height = BOX
    row = f"{height / 2} {width / 2} {np.pi / 2} {x + width / 2} {y + height / 2} 1"
    folds = root / "FDDB-folds"
    folds.mkdir()
    for fold in range(1, 11):
        (folds / f"FDDB-fold-{fold:02}-ellipseList.txt").touch()
    labels = folds / "FDDB-fold-01-ellipseList.txt"
    labels.write_text(f"a\n1\n{row}\nb\n0\n")
    return labels


def crowdhuman(root: Path) -> Path:
    for name in ("a", "b"):
        picture(root / f"Images/{name}.jpg")
    labels = root / "annotation_val.odgt"
    entry = {"tag": "person", "hbox": list(BOX)}
    records = [{"ID": "a", "gtboxes": [entry]}, {"ID": "b", "gtboxes": []}]
    labels.write_text("\n".join(map(json.dumps, records)))
    return labels


def coco(root: Path) -> Path:
    for name in ("a", "b"):
        picture(root / f"val2017/{name}.jpg")
    labels = root / "annotations/instances_val2017.json"
    labels.parent.mkdir()
    content = {
        "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 3, "file_name": "b.jpg"}],
        "categories": [{"id": 1, "name": "Face"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "bbox": BOX},
            {"id": 2, "image_id": 3, "category_id": 2, "bbox": BOX},
        ],
    }
    labels.write_text(json.dumps(content))
    return labels


def yolo(root: Path) -> Path:
    for name in ("a", "b"):
        Pillow.new("RGB", SIZE).save(picture(root / f"images/val/{name}.jpg"))
    (root / "data.yaml").write_text("train: images/train\nval: val.txt\nnames: [dog, face]\n")
    (root / "labels/val").mkdir(parents=True)
    x, y, width, height = BOX
    shares = (x + width / 2, y + height / 2, width, height)
    row = " ".join(str(value / side) for value, side in zip(shares, SIZE * 2, strict=True))
    (root / "labels/val/a.txt").write_text(f"1 {row}\n0 0.5 0.5 0.1 0.1\n")
    labels = root / "val.txt"
    labels.write_text("./images/val/a.jpg\n./images/val/b.jpg\n")
    return labels


def voc(root: Path) -> Path:
    x, y, width, height = BOX
    box = (
        f"<xmin>{x + 1}</xmin><ymin>{y + 1}</ymin><xmax>{x + width}</xmax><ymax>{y + height}</ymax>"
    )
    thing = "<object><name>{}</name><bndbox>" + box + "</bndbox></object>"
    for name, objects in (("a", thing.format("head")), ("b", thing.format("dog"))):
        picture(root / f"JPEGImages/{name}.jpg")
        annotation = root / f"Annotations/{name}.xml"
        annotation.parent.mkdir(exist_ok=True)
        annotation.write_text(f"<annotation>{objects}</annotation>")
    labels = root / "ImageSets/Main/val.txt"
    labels.parent.mkdir(parents=True)
    labels.write_text("a\nb\n")
    return labels


def imagefolder(root: Path) -> Path:
    for name in ("a", "b"):
        picture(root / f"validation/{name}.jpg")
    labels = root / "validation/metadata.jsonl"
    told = {"a": {"bbox": [BOX], "category": ["face"]}, "b": {"bbox": [BOX], "category": ["dog"]}}
    rows = [{"file_name": f"{name}.jpg", "objects": each} for name, each in told.items()]
    labels.write_text("\n".join(map(json.dumps, rows)))
    return labels


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", SIZE).save(buffer, "JPEG")
    return buffer.getvalue()


def webdataset(root: Path) -> Path:
    labels = root / "set-val-000000.tar"
    told = {"a": {"objects": [{"bbox": BOX}]}, "b": [{"bbox": BOX, "category_id": 3}]}
    with tarfile.open(labels, "w") as archive:
        for name, rows in told.items():
            for suffix, data in (("jpg", jpeg()), ("json", json.dumps(rows).encode())):
                member = tarfile.TarInfo(f"sub/{name}.{suffix}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return labels


def huggingface(root: Path) -> Path:
    pa = pytest.importorskip("pyarrow", reason="tables need the extra dataset")
    from pyarrow import parquet

    labels = root / "data/validation-00000-of-00001.parquet"
    labels.parent.mkdir()
    boxes = [{"bbox": [BOX], "category": [name]} for name in ("face", "dog")]
    images = [{"bytes": jpeg(), "path": f"{name}.jpg"} for name in ("a", "b")]
    parquet.write_table(pa.table({"image": images, "objects": boxes}), labels)
    return labels


LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "widerface": widerface,
    "fddb": fddb,
    "crowdhuman": crowdhuman,
    "coco": coco,
    "yolo": yolo,
    "voc": voc,
    "imagefolder": imagefolder,
    "webdataset": webdataset,
    "huggingface": huggingface,
}

every = pytest.mark.parametrize("name", [n for n, f in FORMATS.items() if f.has_faces])
of_files = pytest.mark.parametrize(
    "name", [n for n, f in FORMATS.items() if f.has_faces and not f.packed]
)


def read(name: str, root: Path, split: str = "val") -> Iterator[Sample]:
    return FORMATS[name].read(root, split)


@every
def test_pictures_come_in_the_order_of_the_list_with_their_faces(tmp_path: Path, name: str) -> None:
    LAYOUTS[name](tmp_path)
    first, second = read(name, tmp_path)
    names = ["0", "1"] if name == "huggingface" else ["a", "b"]
    assert [first.image.stem, second.image.stem] == names
    assert first.image.is_relative_to(tmp_path)
    assert first.content() == (jpeg() if FORMATS[name].packed else first.image.read_bytes())
    x, y, width, height = BOX
    np.testing.assert_allclose(first.faces.boxes, [[x, y, x + width, y + height]], atol=1e-4)
    assert first.faces.scores.tolist() == [1]
    assert not first.faces.ignore.any()
    assert len(second.faces) == 0


@every
def test_the_layout_is_recognized(tmp_path: Path, name: str) -> None:
    LAYOUTS[name](tmp_path)
    assert format_with_faces(tmp_path).name == name
    assert FORMATS[name].splits(tmp_path)
    others = [f.name for f in FORMATS.values() if f.has_faces and f.splits(tmp_path)]
    assert others == [name]


@of_files
def test_a_picture_that_lies_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    labels = LAYOUTS[name](root)
    named = {
        "yolo": "./images/val/a",
        "widerface": "0--Event/a",
        "coco": "a.jpg",
        "imagefolder": "a.jpg",
    }.get(name, "a")
    labels.write_text(labels.read_text().replace(named, f"../../../../outside/{named}", 1))
    with pytest.raises(InputError, match="leads out of the data set"):
        list(read(name, root))


@of_files
def test_a_picture_that_is_not_there_is_named_with_the_list(tmp_path: Path, name: str) -> None:
    labels = LAYOUTS[name](tmp_path)
    (missing,) = tmp_path.rglob("b.jpg")
    missing.unlink()
    with pytest.raises(InputError) as told:
        list(read(name, tmp_path))
    assert missing.name in str(told.value)
    assert labels.name in str(told.value)


@every
def test_a_missing_list_is_named(tmp_path: Path, name: str) -> None:
    labels = LAYOUTS[name](tmp_path)
    labels.unlink()
    with pytest.raises(DartblurError, match=f"{labels.name}|split 'val'"):
        list(read(name, tmp_path))


@every
def test_a_list_that_is_no_text_is_named(tmp_path: Path, name: str) -> None:
    labels = LAYOUTS[name](tmp_path)
    labels.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match=labels.name):
        list(read(name, tmp_path))


@every
def test_a_list_cut_off_anywhere_gives_whole_pictures_or_an_error(
    tmp_path: Path, name: str
) -> None:
    labels = LAYOUTS[name](tmp_path)
    whole, content = list(read(name, tmp_path)), labels.read_bytes()
    for end in range(0, len(content), 1 + len(content) // 1000):
        labels.write_bytes(content[:end])
        samples: list[Sample] = []
        with suppress(InputError):
            samples.extend(read(name, tmp_path))
        assert [s.image for s in samples] == [s.image for s in whole[: len(samples)]]


@every
def test_an_unknown_split_is_an_error(tmp_path: Path, name: str) -> None:
    LAYOUTS[name](tmp_path)
    with pytest.raises(DartblurError, match="nonsense"):
        list(read(name, tmp_path, "nonsense"))
