"""FDDB and CrowdHuman in their official layouts, out of the drawn pictures of a WIDER FACE tree."""

from __future__ import annotations

import json
from pathlib import Path

import cv2

from dartblur.datasets import FORMATS
from dartblur.datasets.fddb import FOLDS
from dartblur.faces import Sample


def make(name: str, root: Path, wider: Path) -> Path:
    """A tree of layout `name` with the pictures and boxes of `wider`."""
    samples = list(FORMATS["widerface"].read(wider, "train"))
    {"fddb": _fddb, "crowdhuman": _crowdhuman}[name](root, samples)
    return root


def _jpeg(sample: Sample, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(target), cv2.imread(str(sample.image)))


def _fddb(root: Path, samples: list[Sample]) -> None:
    folds: list[list[str]] = [[] for _ in FOLDS]
    for i, sample in enumerate(samples):
        name = f"2002/08/11/big/img_{i}"
        _jpeg(sample, root / "originalPics" / f"{name}.jpg")
        rows = [
            f"{(y2 - y1) / 2} {(x2 - x1) / 2} 1.5707963 {(x1 + x2) / 2} {(y1 + y2) / 2}  1"
            for x1, y1, x2, y2 in sample.faces.boxes.tolist()
        ]
        # An ellipse may reach beyond its picture.
        rows += ["30 20 1.5707963 2 48  1"] if i == 0 else []
        folds[i % len(folds)] += [name, str(len(rows)), *rows]
    (root / "FDDB-folds").mkdir()
    for fold, lines in zip(FOLDS, folds, strict=True):
        path = root / "FDDB-folds" / f"FDDB-fold-{fold:02}-ellipseList.txt"
        path.write_text("\n".join(lines) + "\n")


def _crowdhuman(root: Path, samples: list[Sample]) -> None:
    lines = []
    for i, sample in enumerate(samples):
        _jpeg(sample, root / "Images" / f"273271,{i}.jpg")
        boxes = [
            {"tag": "person", "hbox": [x1, y1, x2 - x1, y2 - y1], "fbox": [0, 0, 9, 9]}
            for x1, y1, x2, y2 in sample.faces.boxes.tolist()
        ]
        # A head that is partly outside, and a crowd that is labelled as one.
        boxes += [{"tag": "person", "hbox": [-6, 50, 20, 24]}] if i == 0 else []
        boxes += (
            [{"tag": "mask", "hbox": [60, 0, 60, 20], "extra": {"ignore": 1}}] if i == 1 else []
        )
        lines.append(json.dumps({"ID": f"273271,{i}", "gtboxes": boxes}))
    (root / "annotation_val.odgt").write_text("\n".join(lines) + "\n")
