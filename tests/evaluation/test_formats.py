"""Trainings and benchmarks read the copies of data sets in any format."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

torch = pytest.importorskip("torch", reason="evaluation needs torch: pip install dartblur[train]")
pytest.importorskip("pyarrow", reason="copies need the extra dataset")
pytest.importorskip("yaml", reason="YOLO needs the extra dataset")

from tests.conftest import Outcome
from tests.training import wider_data

from dartblur.datasets import FORMATS
from dartblur.datasets.labelled import load_labelled
from dartblur.evaluation.config import EvaluationConfig, Source
from dartblur.evaluation.plan import make_plan
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
        rows.append({"file_name": sample.image.name, "objects": _objects(sample)})
    (root / "train/metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))


def webdataset(root: Path, samples: list[Sample]) -> None:
    _shard(root / "train-000000.tar", samples[:2], "w")
    _shard(root / "train-000001.tar.gz", samples[2:], "w:gz")


def _shard(path: Path, samples: list[Sample], mode: str) -> None:
    path.parent.mkdir(exist_ok=True)
    told = path.with_name("told.json")
    with tarfile.open(path, mode) as archive:
        for sample in samples:
            archive.add(sample.image, sample.image.name)
            told.write_text(json.dumps({"objects": _objects(sample)}))
            archive.add(told, f"{sample.image.stem}.json")
    told.unlink()


def parquet(root: Path, samples: list[Sample]) -> None:
    (root / "data").mkdir(parents=True)
    table = _table(samples)
    table.to_parquet(str(root / "data/train-00000-of-00001.parquet"), batch_size=2)


def on_disk(root: Path, samples: list[Sample]) -> None:
    datasets = pytest.importorskip("datasets")
    whole = datasets.DatasetDict({"train": _table(samples)})
    whole.save_to_disk(str(root), num_shards={"train": 2})


def _table(samples: list[Sample]) -> Any:
    datasets = pytest.importorskip("datasets")
    boxes = datasets.List(datasets.List(datasets.Value("float32"), 4))
    features = datasets.Features({"image": datasets.Image(), "objects": {"bbox": boxes}})
    # Of an open file `datasets` would keep the path alone.
    images = [Pillow.open(sample.image).copy() for sample in samples]
    told = [_objects(sample) for sample in samples]
    return datasets.Dataset.from_dict({"image": images, "objects": told}, features)


def _objects(sample: Sample) -> dict[str, Any]:
    boxes = sample.faces.boxes.tolist()
    return {"bbox": [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in boxes]}


def _picture(sample: Sample, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(sample.image, folder / sample.image.name)


MAKERS = {each.__name__: each for each in (coco, yolo, imagefolder, webdataset, parquet, on_disk)}


@pytest.mark.parametrize("name", ["widerface", *MAKERS])
def test_a_copy_gives_the_samples_of_its_source(
    tmp_path: Path, command: Callable[..., Outcome], name: str
) -> None:
    src, dst = tmp_path / "src", tmp_path / "dst"
    wider = wider_data.make(tmp_path / "wider", side=SIDE)
    samples = list(FORMATS["widerface"].read(wider, "train"))
    clear = [picture.image for picture in load_labelled(samples, SIDE, 1 << 30)]
    if name == "widerface":
        wider.rename(src)
    else:
        MAKERS[name](src, samples)
    # In a shard, one picture that nobody labels would fail the others.
    words = ("--hidden", "labelled", "--method", "block", "--margin", 0, "--quiet")
    outcome = command("dataset", src, dst, *words)
    assert outcome.status == 0, outcome.error
    assert command("dataset", "--verify", dst, "--source", src).status == 0
    for root in (src, dst):
        found = select_samples(Source(), root, 1, 0, training=True)
        if name not in ("parquet", "on_disk"):
            assert [s.image.name for s in found] == [s.image.name for s in samples]
        for before, after in zip(samples, found, strict=True):
            np.testing.assert_allclose(after.faces.boxes, before.faces.boxes, atol=1e-3)
        images = [picture.image for picture in load_labelled(found, SIDE, 1 << 30)]
        for sample, before, after in zip(samples, clear, images, strict=True):
            hidden, outside = np.zeros((SIDE, SIDE), np.bool_), np.ones((SIDE, SIDE), np.bool_)
            for x1, y1, x2, y2 in sample.faces.boxes.round().astype(int) if root == dst else []:
                hidden[y1:y2, x1:x2] = True
                outside[y1 - 1 : y2 + 1, x1 - 1 : x2 + 1] = False  # YOLO's shares are not exact
            np.testing.assert_array_equal(after[outside], before[outside])
            assert (after[hidden] != before[hidden]).any(axis=1).sum() >= hidden.sum() / 2
    config = EvaluationConfig(methods=("clear",), test=Source(), image_size=SIDE)
    assert make_plan(config, dst).tests
