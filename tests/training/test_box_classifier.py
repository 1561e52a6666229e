"""The second stage's training, from proposals and labels to a network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from tests.training import wider_data

from dartblur.config_file import read_config
from dartblur.datasets.labelled import LabelledImage
from dartblur.detectors import DETECTORS
from dartblur.detectors.second_stage import BoxClassifier as Stage
from dartblur.errors import TrainingError
from dartblur.faces import Faces
from dartblur.nets.box_classifier import SIDE, BoxClassifier
from dartblur.onnx_runtime import Network
from dartblur.training import box_classifier
from dartblur.training.box_classifier import (
    KEPT,
    Crops,
    area_under_curve,
    augmented,
    export_classifier,
    fit,
    judged,
    logits,
    train_classifier,
)
from dartblur.training.box_classifier_config import BoxClassifierTraining

RECIPE = Path(__file__).parents[2] / "configs" / "box-classifier.toml"
SHORT = BoxClassifierTraining(
    photos=5, held_out=2, image_sizes=(96, 64), detector="fast", steps=3, batch=4, warm_up=1
)
Array = np.ndarray


def test_the_recipe_is_a_configuration() -> None:
    assert read_config(BoxClassifierTraining, RECIPE).detector in DETECTORS


def test_proposals_are_judged_by_labels() -> None:
    labels = Faces(
        np.array([[100, 100, 140, 150], [200, 20, 230, 60], [10, 10, 14, 15]], np.float32),
        ignore=np.array([False, True, False]),
    )
    image = LabelledImage("a", np.zeros((240, 320, 3), np.uint8), labels, Faces.empty())
    proposals = Faces(
        np.array(
            [
                [102, 98, 141, 149],  # the face
                [120, 100, 175, 150],  # half beside it: doubtful
                [201, 20, 230, 60],  # nobody is asked for this one
                [20, 150, 50, 190],  # nothing there
                [250, 150, 290, 200],  # so sure that it may be a face without a label
            ],
            np.float32,
        ),
        np.array([0.9, 0.5, 0.6, 0.3, 0.95], np.float32),
    )
    settings = BoxClassifierTraining(sure=0.8)
    boxes, faces = judged(image, proposals, settings, np.random.default_rng(0))
    assert boxes[faces].tolist() == [proposals.boxes[0].tolist(), labels.boxes[0].tolist()]
    assert proposals.boxes[3].tolist() in boxes[~faces].tolist()
    for left_out in (1, 2, 4):
        assert proposals.boxes[left_out].tolist() not in boxes.tolist()
    none = replace(settings, negatives=0)
    boxes, faces = judged(image, proposals, none, np.random.default_rng(0))
    assert proposals.boxes[3].tolist() not in boxes.tolist()
    squares = boxes[~faces]
    assert len(squares) <= 4
    assert (squares[:, :2] >= 0).all()
    assert (squares[:, 2:] <= [320, 240]).all()


def discs(count: int) -> Crops:
    """Half of them show a bright disc on noise, the others noise alone."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(60, 190, (count, KEPT, KEPT, 3), np.uint8)
    faces = np.arange(count) % 2 == 0
    y, x = np.mgrid[:KEPT, :KEPT] - KEPT / 2
    pixels[np.ix_(np.flatnonzero(faces))] //= 2
    pixels[faces] += (np.hypot(x, y) < 12)[None, :, :, None].astype(np.uint8) * 90
    return Crops(pixels, np.full(count, 32, np.float32), faces)


def test_it_learns_to_tell_faces_from_what_is_none() -> None:
    torch.manual_seed(0)
    net = BoxClassifier(4)
    settings = replace(SHORT, steps=60, batch=16, warm_up=5)
    learned, measured = discs(64), discs(200)
    losses = list(fit(net, learned, settings))
    assert len(losses) == 60
    assert np.mean(losses[-10:]) < 0.5 < np.mean(losses[:5])
    assert area_under_curve(logits(net, measured), measured.faces) > 0.95


def test_a_batch_is_cut_out_of_what_is_kept() -> None:
    kept = np.full((32, KEPT, KEPT, 3), 128, np.uint8)
    kept[:, :, : KEPT // 2] = 140
    images = augmented(kept, np.random.default_rng(0))
    assert images.shape == (32, 3, SIDE, SIDE)
    columns = images.mean(dim=(1, 2))
    # Mirrored or not, moved by up to half of what is kept beside.
    edges = (columns.diff(dim=1).abs() > 1).float().argmax(dim=1)
    assert edges.min() >= SIDE // 2 - 5
    assert edges.max() <= SIDE // 2 + 4
    assert len(set(edges.tolist())) > 4


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    values, positive = rng.normal(size=40).astype(np.float32), rng.random(40) < 0.4
    pairs = values[positive][:, None] > values[~positive][None]
    assert area_under_curve(values, positive) == pytest.approx(pairs.mean())
    assert np.isnan(area_under_curve(values, np.ones(40, np.bool_)))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wider_data.make(tmp_path_factory.mktemp("faces"))


def test_a_training_ends_with_a_network(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported: list[Any] = []
    monkeypatch.setattr(box_classifier, "export_classifier", lambda *given: exported.append(given))
    train_classifier(config=RECIPE, data=data, out=tmp_path, settings=SHORT)
    [(net, file, told)] = exported
    assert file == tmp_path / "box_classifier.onnx"
    assert json.loads(told["settings"])["steps"] == 3
    assert json.loads(told["origin"])["data"]["photos"] == 5
    # The same again, with the proposals that were kept.
    assert len((tmp_path / "teacher.jsonl").read_text().splitlines()) == 5
    train_classifier(config=RECIPE, data=data, out=tmp_path, settings=SHORT)
    again = exported[1][0].state_dict()
    assert all(torch.equal(value, again[key]) for key, value in net.state_dict().items())


def test_images_without_faces_are_told(data: Path, tmp_path: Path) -> None:
    file = data / "wider_face_split" / "wider_face_train_bbx_gt.txt"
    labels = file.read_text()
    try:
        names = [line for line in labels.splitlines() if line.endswith(".png")]
        file.write_text("".join(f"{name}\n0\n0 0 0 0 0 0 0 0 0 0\n" for name in names))
        with pytest.raises(TrainingError, match="with faces and without"):
            train_classifier(config=RECIPE, data=data, out=tmp_path, settings=SHORT)
    finally:
        file.write_text(labels)


def test_the_file_tells_what_the_net_tells(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = BoxClassifier(2)
    export_classifier(net, tmp_path / "a.onnx", {"settings": "{}"})
    network = Network(tmp_path / "a.onnx")
    image = np.random.default_rng(0).integers(0, 256, (80, 90, 3), np.uint8)
    boxes = np.array([[5, 5, 30, 40], [20, 20, 28, 30], [-9, 3, 300, 70]], np.float32)
    wide = box_classifier.crops(image, boxes, KEPT)
    shown = Crops(wide, boxes[:, 3] - boxes[:, 1], np.ones(3, np.bool_))
    np.testing.assert_allclose(Stage(network)(image, boxes), logits(net, shown), atol=1e-4)
    assert network.metadata["settings"] == "{}"
