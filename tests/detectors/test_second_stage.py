"""Crops of boxes, and a second stage whose network is a stub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dartblur.detectors.ensemble import Ensemble, Member
from dartblur.detectors.second_stage import BOX, SIDE, BoxClassifier, crops
from dartblur.onnx_runtime import Inputs, Network

Array = np.ndarray
STUB = Path("stub.onnx")
BEFORE, AFTER = (SIDE - BOX) // 2, (SIDE + BOX) // 2


@given(st.integers(0, 80), st.integers(0, 60), st.integers(6, 100), st.floats(0.5, 2))
def test_a_box_lies_in_the_middle_of_its_crop(
    left: int, top: int, width: int, ratio: float
) -> None:
    height = round(width * ratio)
    image = np.zeros((300, 220, 3), np.uint8)
    image[top : top + height, left : left + width] = 255
    box = np.array([[left, top, left + width, top + height]], np.float32)
    [crop] = crops(image, box)
    assert crop.shape == (SIDE, SIDE, 3)
    scale = BOX / max(width, height)
    for axis, side in ((1, width), (0, height)):
        profile = crop[..., 0].max(axis=axis ^ 1).astype(float)
        low, high = SIDE / 2 - scale * side / 2, SIDE / 2 + scale * side / 2
        places = np.arange(SIDE) + 0.5
        inside = (places > low + 1 + scale) & (places < high - 1 - scale)
        outside = (places < low - 1 - scale) | (places > high + 1 + scale)
        assert (profile[inside] > 200).all()
        assert profile[outside].max(initial=0) < 8


def test_beyond_the_image_all_is_black() -> None:
    image = np.full((40, 40, 3), 255, np.uint8)
    boxes = np.array([[0, 0, 32, 32], [-300, -300, -200, -200], [500, 0, 532, 32]], np.float32)
    corner, before, after = crops(image, boxes)
    assert not before.any()
    assert not after.any()
    assert not corner[: BEFORE - 1].any()
    assert not corner[:, : BEFORE - 1].any()
    assert (corner[BEFORE + 1 : AFTER, BEFORE + 1 : AFTER] == 255).all()


def test_more_around_it_is_shown_where_it_is_asked_for() -> None:
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    box = np.array([[30, 30, 50, 52]], np.float32)
    [small], [large] = crops(image, box), crops(image, box, SIDE + 8)
    np.testing.assert_allclose(small.astype(int), large[4:-4, 4:-4].astype(int), atol=1)


@dataclass(frozen=True)
class Brightness(Network):
    """As sure of a face as the crop is bright in the middle."""

    def __call__(self, inputs: Inputs) -> dict[str, Array]:
        assert inputs["crops"].dtype == np.uint8
        assert len(inputs["crops"]) == len(inputs["heights"])
        middle = inputs["crops"][:, SIDE // 2, SIDE // 2, 0]
        return {"logits": middle.astype(np.float32) / 32 - 4}


def test_it_tells_a_logit_of_each_box_of_many() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 255
    boxes = np.array([[4, 20, 20, 40], [40, 20, 56, 40]] * 300, np.float32)
    logits = BoxClassifier(Brightness(STUB))(image, boxes)
    assert logits.shape == (600,)
    np.testing.assert_allclose(logits[:2], [-4, 255 / 32 - 4], atol=1e-3)
    assert not len(BoxClassifier(Brightness(STUB))(image, boxes[:0]))


def two_boxes(maps: dict[str, Array], index: int, floor: float) -> tuple[Array, Array]:
    """A bright and a dark box, the dark one more like a face by the first stage."""
    boxes = np.array([[40, 10, 56, 30], [4, 10, 20, 30]], np.float32)
    scores = np.array([0.3, 0.4], np.float32)
    return boxes[scores >= floor], scores[scores >= floor]


@dataclass(frozen=True)
class Nothing(Network):
    def __call__(self, inputs: Inputs) -> dict[str, Array]:
        return {}


def test_the_second_stage_has_a_say_in_what_is_a_face() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 255
    members = (Member(Nothing(STUB), two_boxes, 1),)
    classifier = BoxClassifier(Brightness(STUB))
    [alone] = Ensemble(members, 0.35)([image])
    np.testing.assert_array_equal(alone.boxes, [[4, 10, 20, 30]])
    both = Ensemble(members, 0.35, classifier=classifier, weight=1)
    [faces] = both([image])
    np.testing.assert_array_equal(faces.boxes, [[40, 10, 56, 30]])
    assert faces.scores[0] > 0.9
    # Its order is that of the scores of both, and proposals know the first stage alone.
    [every] = Ensemble(members, 0.001, classifier=classifier, weight=1)([image])
    assert every.boxes[:, 0].tolist() == [40, 4]
    assert every.scores[0] > every.scores[1]
    proposed = both.propose(image, both.proposed)
    assert proposed.boxes[:, 0].tolist() == [4, 40]
    np.testing.assert_allclose(proposed.scores, [0.4, 0.3], atol=1e-6)


def test_an_empty_picture_has_no_proposals() -> None:
    ensemble = Ensemble((Member(Nothing(STUB), two_boxes, 1),), 0.35)
    assert not len(ensemble.propose(np.zeros((0, 5, 3), np.uint8), 0.1))
