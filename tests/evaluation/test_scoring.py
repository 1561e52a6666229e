"""All figures of merit at once, worked out by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("faster_coco_eval", reason="comes with the extra evaluate")

from dartblur.evaluation.results import Row
from dartblur.evaluation.scoring import coco_precision, score
from dartblur.faces import Faces

A, B, C = (0, 0, 100, 100), (200, 0, 300, 100), (500, 500, 600, 600)


def faces(*boxes: tuple[int, int, int, int], scores: tuple[float, ...] = ()) -> Faces:
    return Faces(np.array(boxes, np.float32), np.array(scores) if scores else None)


def test_perfect_and_empty() -> None:
    truth = [faces(A, B), Faces.empty(), faces(C)]
    nothing = [Faces.empty()] * 3
    for found, told, percent in ((truth, truth, 100), (nothing, truth, 0), (truth, nothing, 0)):
        scores = score(found, told)
        assert (scores.ap50, scores.coco_ap50, scores.coco_ap) == (percent,) * 3
        assert scores.precision == (percent / 100,) * 101


def test_a_wrong_one_in_the_middle() -> None:
    scores = score([faces(A, C, B, scores=(0.9, 0.8, 0.7))], [faces(A, B)])
    assert scores.ap50 == pytest.approx(100 * (1 / 2 + 1 / 2 * 2 / 3))
    # The 51 recalls up to a half have precision 1, the 50 beyond it 2/3.
    assert scores.coco_ap50 == pytest.approx(100 * (51 + 50 * 2 / 3) / 101)
    assert scores.coco_ap == pytest.approx(scores.coco_ap50)
    assert scores.precision == (1.0,) * 51 + (0.6667,) * 50


def test_a_face_half_found_is_never_at_full_recall() -> None:
    scores = score([faces(A), Faces.empty()], [faces(A), faces(B)])
    assert scores.ap50 == 50
    assert scores.coco_ap50 == pytest.approx(100 * 51 / 101)
    assert scores.precision == (1.0,) * 51 + (0.0,) * 50


def test_a_loose_box_counts_up_to_its_overlap() -> None:
    scores = score([faces((0, 0, 100, 62))], [faces(A)])
    assert (scores.ap50, scores.coco_ap50) == (100, 100)
    assert scores.coco_ap == pytest.approx(30)  # at 0.50, 0.55 and 0.60


def test_what_lies_in_an_ignored_face_does_not_count() -> None:
    truth = Faces(np.array([A, B], np.float32), ignore=np.array([False, True]))
    scores = score([faces(B, A, scores=(0.9, 0.8))], [truth])
    assert (scores.ap50, scores.coco_ap) == (100, 100)
    # A crowd passes over what lies in it; by IoU, a small box in a large one is a mistake.
    scores = score([faces((200, 0, 220, 20), A, scores=(0.9, 0.8))], [truth])
    assert scores.ap50 == 50
    assert scores.coco_ap == 100


def test_more_than_a_hundred_faces_in_a_picture_count() -> None:
    corners = np.stack(np.meshgrid(np.arange(15), np.arange(10)), -1).reshape(-1, 2) * 20
    crowd = Faces(np.concatenate([corners, corners + 15], axis=1))
    assert score([crowd], [crowd]).coco_ap == 100


def test_our_precision_is_cocos_at_one_half() -> None:
    rng = np.random.default_rng(3)
    found, truth = [], []
    for _ in range(30):
        corners = rng.uniform(0, 300, (8, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(20, 60, (8, 2))], axis=1)
        truth.append(Faces(boxes[: rng.integers(9)]))
        found.append(Faces(boxes + rng.uniform(-9, 9, (8, 1)), rng.uniform(size=8).round(1)))
    np.testing.assert_allclose(
        score(found, truth).precision, coco_precision(found, truth)[0], atol=1e-4
    )


def test_faces_are_scored_among_those_of_their_height() -> None:
    """A small face found, a large one missed, and one mistake of middle size before both."""
    small, large, wrong = (0, 0, 14, 16), (100, 100, 180, 190), (300, 0, 340, 40)
    found = faces(wrong, small, scores=(0.9, 0.8))
    scores = score([found], [faces(small, large)])
    # The mistake counts among the middle ones alone, of which there is no true face.
    assert scores.by_height == {"12-20": 100.0, "64-": 0.0}
    assert scores.ap50 == pytest.approx(25)
    # A detection of a face counts in the face's band, whatever its own height.
    assert score([faces((0, 0, 14, 22))], [faces(small)]).by_height == {"12-20": 100.0}


def test_it_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score([faces(A)], [faces(A, B)])
    assert "".join(capfd.readouterr()) == ""


def test_every_picture_needs_a_truth() -> None:
    with pytest.raises(ValueError, match=r"zip|pictures"):
        score([faces(A)], [faces(A), faces(B)])


def test_the_fields_are_those_of_a_row() -> None:
    scores = score([faces(A)], [faces(A)])
    row = Row("retinaface", "scratch", 0, "block", "clear", "labels", **vars(scores))
    assert row.ap50 == 100
