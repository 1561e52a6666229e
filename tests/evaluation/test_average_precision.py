"""Average precision, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dartblur.evaluation.average_precision import area_under, precision_recall
from dartblur.faces import Faces

A, B, C = (0, 0, 10, 10), (20, 0, 30, 10), (50, 50, 60, 60)


def average_precision(found: list[Faces], truth: list[Faces], overlap: float = 0.5) -> float:
    return area_under(*precision_recall(found, truth, overlap))


def faces(*boxes: tuple[int, int, int, int], scores: tuple[float, ...] = ()) -> Faces:
    return Faces(np.array(boxes, np.float32), np.array(scores) if scores else None)


def test_perfect_and_empty() -> None:
    truth = [faces(A, B), faces(C)]
    assert average_precision(truth, truth) == 1
    assert average_precision([Faces.empty(), Faces.empty()], truth) == 0
    assert average_precision(truth, [Faces.empty(), Faces.empty()]) == 0


def test_a_wrong_one_in_the_middle() -> None:
    found = [faces(A, C, B, scores=(0.9, 0.8, 0.7))]
    # Recall 1/2 at precision 1, then 2/2 at 2/3.
    assert average_precision(found, [faces(A, B)]) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_a_second_hit_on_one_face_is_wrong() -> None:
    found = [faces(A, A, B, scores=(0.9, 0.8, 0.7))]
    assert average_precision(found, [faces(A, B)]) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_scores_rank_across_pictures() -> None:
    found = [faces(A, scores=(0.2,)), faces(C, scores=(0.9,))]
    assert average_precision(found, [faces(A), faces(B)]) == pytest.approx(0.5 * 0.5)


def test_what_overlaps_an_ignored_face_does_not_count() -> None:
    truth = Faces(np.array([A, B], np.float32), ignore=np.array([False, True]))
    found = [faces(B, A, scores=(0.9, 0.8))]
    assert average_precision(found, [truth]) == 1
    assert average_precision([faces(B)], [truth]) == 0


def test_overlap_decides() -> None:
    found = [faces((0, 0, 10, 6))]
    assert average_precision(found, [faces(A)], overlap=0.5) == 1
    assert average_precision(found, [faces(A)], overlap=0.7) == 0
