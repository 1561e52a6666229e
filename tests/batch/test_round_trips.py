"""Copies read by libraries that are none of ours give the labels of their source."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.batch.data_sets import BOX, FIRST, HEIGHT, LAYOUTS, WIDTH
from tests.conftest import Outcome

pytest.importorskip("pyarrow", reason="the manifest needs the extra dataset")
yaml = pytest.importorskip("yaml", reason="YOLO needs the extra dataset")

X, Y, W, H = BOX


@pytest.fixture
def copied(
    tmp_path: Path, command: Callable[..., Outcome], stub_detector: None
) -> Callable[[str], tuple[Path, Path]]:
    """Makes a data set of a layout and its copy."""

    def run(name: str) -> tuple[Path, Path]:
        src, dst = tmp_path / "src", tmp_path / "dst"
        LAYOUTS[name](src)
        outcome = command("dataset", src, dst, "--method", "block", "--workers", 1)
        assert outcome.status == 0, outcome.error
        return src, dst

    return run


def boxes(annotations: Any) -> dict[str, list[tuple[str, list[float]]]]:
    """What globox read: of each picture labels and x1 y1 x2 y2."""
    found = {}
    for annotation in annotations:
        assert annotation.image_size in (None, (WIDTH, HEIGHT))
        found[Path(annotation.image_id).stem] = [
            (box.label, [box.xmin, box.ymin, box.xmax, box.ymax]) for box in annotation.boxes
        ]
    return found


def test_pascal_voc(copied: Callable[[str], tuple[Path, Path]]) -> None:
    globox = pytest.importorskip("globox")
    for root in copied("voc"):
        found = boxes(globox.AnnotationSet.from_pascal_voc(root / "Annotations"))
        assert found == {"a": [("head", [X + 1, Y + 1, X + W, Y + H])], "b": []}


def test_yolo(copied: Callable[[str], tuple[Path, Path]]) -> None:
    """data.yaml by its documented rules, then the labels by another library."""
    globox = pytest.importorskip("globox")
    for root in copied("yolo"):
        content = yaml.safe_load((root / "data.yaml").read_text())
        images = root / content["path"] / content["train"]
        found = boxes(globox.AnnotationSet.from_yolo_v5(root / "labels/train", image_folder=images))
        assert sorted(path.name for path in images.iterdir()) == ["a.jpg", "b.jpg"]
        [(label, box)] = found["a"]
        assert content["names"][int(label)] == "face"
        assert box == pytest.approx([X, Y, X + W, Y + H], abs=1e-3)


def test_coco(copied: Callable[[str], tuple[Path, Path]]) -> None:
    coco = pytest.importorskip("faster_coco_eval").COCO
    for root in copied("coco"):
        read = coco(str(root / "annotations/instances_val2017.json"))
        names = {read.cats[a["category_id"]]["name"]: a["bbox"] for a in read.anns.values()}
        assert names == {"face": list(BOX), "dog": list(BOX)}
        assert all((root / "val2017" / i["file_name"]).is_file() for i in read.imgs.values())


def test_image_folder(copied: Callable[[str], tuple[Path, Path]], tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    src, dst = copied("folder")
    for root in (src, dst):
        (root / "README.txt").unlink()
        read = datasets.load_dataset(
            "imagefolder", data_dir=str(root), split="train", cache_dir=str(tmp_path / "cache")
        )
        assert read.features["label"].names == ["cat", "dog"]
        assert sorted(read["label"]) == [0, 0, 1]
        assert {image.size for image in read["image"]} == {(WIDTH, HEIGHT)}


def test_image_folder_with_boxes(
    copied: Callable[[str], tuple[Path, Path]], tmp_path: Path
) -> None:
    datasets = pytest.importorskip("datasets")
    for root in copied("imagefolder"):
        read = datasets.load_dataset(str(root), cache_dir=str(tmp_path / "cache" / root.name))
        assert sorted(read) == ["train", "validation"]
        told = {
            row["text"]: row["objects"] for row in read["train"].select_columns(["text", "objects"])
        }
        assert told["one"] == {"bbox": [list(BOX)], "categories": ["face"]}
        assert told["none"] == {"bbox": [], "categories": []}
        assert read["train"][0]["image"].size == (WIDTH, HEIGHT)


def test_wider_face_by_its_documented_lines(copied: Callable[[str], tuple[Path, Path]]) -> None:
    """As torchvision's WIDERFace parses them, which is not at hand for every torch."""
    for root in copied("widerface"):
        lines = (root / "wider_face_split/wider_face_val_bbx_gt.txt").read_text().splitlines()
        assert lines[0] == FIRST["widerface"].removeprefix("WIDER_val/images/")
        assert [int(v) for v in lines[2].split()[:4]] == list(BOX)
        assert (root / "WIDER_val/images" / lines[0]).is_file()


def test_crowdhuman_by_its_documented_lines(copied: Callable[[str], tuple[Path, Path]]) -> None:
    for root in copied("crowdhuman"):
        first = json.loads((root / "annotation_val.odgt").read_text().splitlines()[0])
        assert first["gtboxes"][0]["hbox"] == list(BOX)
        assert (root / "Images" / f"{first['ID']}.jpg").is_file()


def test_fddb_by_its_documented_lines(copied: Callable[[str], tuple[Path, Path]]) -> None:
    for root in copied("fddb"):
        lines = (root / "FDDB-folds/FDDB-fold-01-ellipseList.txt").read_text().splitlines()
        major, minor, angle, x, y, _ = map(float, lines[2].split())
        assert angle == pytest.approx(math.pi / 2)
        assert [x - minor, y - major, 2 * minor, 2 * major] == pytest.approx(list(BOX))
        assert lines[1] == "1"
        assert (root / "originalPics" / f"{lines[0]}.jpg").is_file()
