"""CrowdHuman's protocol by hand-made cases."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from dartblur.evaluation.crowdhuman import score_crowdhuman
from dartblur.faces import Faces

HEADS = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10.0]])
CROWD = np.array([[100, 0, 200, 100.0]])
IN_CROWD = np.array([[110, 10, 120, 20], [110, 10, 120, 20], [130, 30, 150, 50.0]])
BESIDE = np.array([[300, 0, 310, 10.0]])


def truth(*ignored: np.ndarray) -> Faces:
    boxes = np.concatenate([HEADS, *ignored])
    return Faces(boxes, ignore=np.arange(len(boxes)) >= len(HEADS))


def falling(boxes: np.ndarray) -> Faces:
    return Faces(boxes, np.linspace(0.9, 0.1, len(boxes)))


def test_perfect_detections() -> None:
    scores = score_crowdhuman([falling(HEADS)], [truth(CROWD)])
    assert scores.average_precision == pytest.approx(1)
    assert scores.recall == 1
    assert scores.miss_rate < 1e-9


def test_nothing_found() -> None:
    scores = score_crowdhuman([Faces.empty()], [truth()])
    assert (scores.average_precision, scores.miss_rate, scores.recall) == (0, 1, 0)


def test_an_ignored_region_takes_any_number_of_detections() -> None:
    boxes = np.concatenate([IN_CROWD, HEADS])
    with_region = score_crowdhuman([falling(boxes)], [truth(CROWD)])
    without = score_crowdhuman([falling(boxes)], [truth()])
    assert with_region.average_precision == pytest.approx(1)
    # Three wrong, then four right: 0, 1/4, 2/5, 3/6, 4/7 joined by lines.
    steps = [0, 1 / 4, 2 / 5, 3 / 6, 4 / 7]
    area = sum((a + b) / 2 / 4 for a, b in pairwise(steps))
    assert without.average_precision == pytest.approx(area)


def test_a_detection_half_outside_the_region_counts() -> None:
    half = np.array([[90, 10, 110, 20.0]])
    more = np.array([[95, 10, 111, 20.0]])
    order = [falling(np.concatenate([box, HEADS])) for box in (half, more)]
    scores = [score_crowdhuman([f], [truth(CROWD)]).average_precision for f in order]
    assert scores[0] < 0.8
    assert scores[1] == pytest.approx(1)


def test_a_head_is_taken_once_and_before_a_region() -> None:
    region = np.array([[0, 0, 50, 50.0]])
    twice = np.concatenate([HEADS, HEADS[:1]])
    scores = score_crowdhuman([falling(twice)], [truth(region)])
    assert scores.recall == 1
    assert scores.average_precision == pytest.approx(1)
    scores = score_crowdhuman([falling(np.concatenate([HEADS[:1], twice]))], [truth()])
    assert scores.average_precision < 1


def test_miss_rate_is_the_geometric_mean_over_false_positives_a_picture() -> None:
    # 10 pictures, one head each; 8 found first, then one false (0.1 a picture), then the other 2.
    head, false = HEADS[:1], BESIDE
    found, labels = [], []
    for i in range(10):
        boxes, scores = [head], [0.9 if i < 8 else 0.3]
        if i == 0:
            boxes, scores = [head, false], [0.9, 0.5]
        found.append(Faces(np.concatenate(boxes), np.array(scores)))
        labels.append(Faces(head))
    # Up to 0.1 it is read where 0.1 is first reached: 2 of 10 missed. Above, at the end: none.
    references = 10 ** np.linspace(-2, 0, 9)
    expected = np.exp(np.log(np.where(references <= 0.1 + 1e-12, 0.2, 1e-10)).mean())
    assert score_crowdhuman(found, labels).miss_rate == pytest.approx(expected, rel=1e-6)
