"""Trainings and benchmarks read the copies of data sets in any format."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="evaluation needs torch: pip install dartblur[train]")
pytest.importorskip("pyarrow", reason="copies need the extra dataset")
pytest.importorskip("yaml", reason="YOLO needs the extra dataset")

from tests.conftest import Outcome
from tests.training import wider_data

from dartblur.datasets import FORMATS
from dartblur.evaluation.config import Source
from dartblur.evaluation.prepare import select_samples
from dartblur.faces import Sample

SIDE = 96


def coco(root: Path, samples: list[Sample]) -> None:
    images, annotations = [], []
    for number, sample in enumerate(samples):
        images.append({"id": number, "file_name": sample.image.name})
        for x1, y1, x2, y2 in sample.faces.boxes.tolist():
            box = [x1, y1, x2 - x1, y2 - y1]
            row = {"id": len(annotations), "image_id": number, "category_id": 1, "bbox": box}
            annotations.append(row)
        _picture(sample, root / "train2017")
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "face"}],
    }
    (root / "annotations").mkdir()
    (root / "annotations/instances_train2017.json").write_text(json.dumps(content))


def yolo(root: Path, samples: list[Sample]) -> None:
    (root / "labels/train").mkdir(parents=True)
    for sample in samples:
        _picture(sample, root / "images/train")
        boxes = sample.faces.boxes / SIDE
        middles, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        rows = [
            f"0 {x} {y} {w} {h}"
            for (x, y), (w, h) in zip(middles.tolist(), sides.tolist(), strict=True)
        ]
        (root / f"labels/train/{sample.image.stem}.txt").write_text("\n".join(rows))
    (root / "data.yaml").write_text("train: images/train\nval: images/train\nnames: [face]\n")


def imagefolder(root: Path, samples: list[Sample]) -> None:
    rows = []
    for sample in samples:
        _picture(sample, root / "train")
        boxes = [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in sample.faces.boxes.tolist()]
        rows.append({"file_name": sample.image.name, "objects": {"bbox": boxes}})
    (root / "train/metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))


def _picture(sample: Sample, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(sample.image, folder / sample.image.name)


@pytest.mark.parametrize("name", ["widerface", "coco", "yolo", "imagefolder"])
def test_a_copy_gives_the_samples_of_its_source(
    tmp_path: Path, command: Callable[..., Outcome], name: str
) -> None:
    src, dst = tmp_path / "src", tmp_path / "dst"
    wider = wider_data.make(tmp_path / "wider", side=SIDE)
    samples = list(FORMATS["widerface"].read(wider, "train"))
    if name == "widerface":
        wider.rename(src)
    else:
        {"coco": coco, "yolo": yolo, "imagefolder": imagefolder}[name](src, samples)
    words = ("--hidden", "labelled", "--method", "block", "--quiet")
    assert command("dataset", src, dst, *words).status == 0
    found = select_samples(Source(), dst, 1, 0, training=True)
    assert [s.image.name for s in found] == [s.image.name for s in samples]
    for before, after in zip(samples, found, strict=True):
        np.testing.assert_allclose(after.faces.boxes, before.faces.boxes, atol=1e-3)
