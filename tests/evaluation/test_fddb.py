"""FDDB's protocol: region overlaps against counted points, curves against all pairings."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

pytest.importorskip("scipy", reason="FDDB's protocol needs the extra 'evaluate'")

from dartblur.datasets.fddb import extents
from dartblur.evaluation.fddb import ellipse_overlap, score_fddb
from dartblur.faces import Faces


def counted_overlap(box: np.ndarray, ellipse: np.ndarray, step: float = 0.05) -> float:
    major, minor, angle, cx, cy = ellipse
    axis = np.arange(-60, 160, step)
    x, y = np.meshgrid(axis, axis)
    along = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
    across = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
    in_ellipse = (along / major) ** 2 + (across / minor) ** 2 <= 1
    in_box = (box[0] <= x) & (x < box[2]) & (box[1] <= y) & (y < box[3])
    return float((in_box & in_ellipse).sum() / (in_box | in_ellipse).sum())


@pytest.mark.parametrize("seed", range(6))
def test_overlap_agrees_with_counted_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ellipse = np.array([*rng.uniform(5, 40, 2), rng.uniform(-3, 3), *rng.uniform(30, 60, 2)])
    corner, side = rng.uniform(0, 60, 2), rng.uniform(3, 60, 2)
    box = np.concatenate([corner, corner + side])
    exact = ellipse_overlap(box[None], ellipse[None])[0, 0]
    assert exact == pytest.approx(counted_overlap(box, ellipse, 0.2), abs=5e-3)


def test_overlap_where_it_is_known() -> None:
    circle = np.array([[10, 10, 0.7, 50, 50.0]])
    boxes = np.array([[40, 40, 60, 60], [0, 0, 100, 100], [49, 49, 51, 51], [0, 0, 20, 20.0]])
    disk = np.pi * 100
    expected = [disk / 400, disk / 10_000, 4 / disk, 0]
    np.testing.assert_allclose(ellipse_overlap(boxes, circle)[:, 0], expected, atol=1e-12)
    empty = np.array([[50, 50, 50, 50.0]])
    assert ellipse_overlap(empty, circle)[0, 0] == 0
    assert ellipse_overlap(np.zeros((0, 4)), circle).shape == (0, 1)


def test_curves_agree_with_trying_all_pairings() -> None:
    rng = np.random.default_rng(4)
    truth, found = [], []
    for _ in range(5):
        n = int(rng.integers(0, 4))
        centres = rng.uniform(20, 60, (n, 2))
        ellipses = np.column_stack([np.full(n, 15.0), np.full(n, 11.0), np.ones(n), centres])
        boxes = np.concatenate([extents(ellipses), extents(ellipses)])[: rng.integers(0, 5)]
        boxes = boxes + rng.normal(0, 3, boxes.shape)
        truth.append(ellipses)
        found.append(Faces(boxes, rng.integers(1, 6, len(boxes)) / 8))
    curves = score_fddb(found, truth)
    faces = sum(map(len, truth))
    assert faces > 0
    scores = sorted({float(s) for f in found for s in f.scores}, reverse=True)
    np.testing.assert_array_equal(curves.thresholds, scores)
    for i, threshold in enumerate(scores):
        false, right, total = 0, 0, 0.0
        for f, e in zip(found, truth, strict=True):
            kept = f[f.scores >= threshold]
            pairs = best_pairs(ellipse_overlap(kept.boxes.astype(np.float64), e))
            right += sum(p > 0.5 for p in pairs)
            false += len(kept) - sum(p > 0.5 for p in pairs)
            total += sum(pairs)
        assert curves.false_positives[i] == false
        assert curves.discrete[i] == pytest.approx(right / faces)
        assert curves.continuous[i] == pytest.approx(total / faces)


def best_pairs(overlap: np.ndarray) -> list[float]:
    detections, faces = overlap.shape
    if not detections or not faces:
        return []
    if detections < faces:
        overlap, detections, faces = overlap.T, faces, detections
    ways = permutations(range(detections), faces)
    return max(([float(overlap[d, f]) for f, d in enumerate(way)] for way in ways), key=sum)


def test_perfect_detections_are_all_right_and_a_wrong_one_comes_after() -> None:
    ellipses = np.array([[30, 20, 1.57, 50, 60], [30, 20, 0.4, 150, 60.0]])
    boxes = np.concatenate([extents(ellipses), [[300, 300, 320, 320]]])
    curves = score_fddb([Faces(boxes, np.array([0.9, 0.8, 0.5]))], [ellipses])
    assert curves.discrete.tolist() == [0.5, 1, 1]
    assert curves.false_positives.tolist() == [0, 0, 1]
    # An upright ellipse fills π/4 of its extent, a turned one less.
    assert 0.6 < curves.at(0)[1] < np.pi / 4
    assert curves.at(0) == curves.at(1000)


def test_no_detection_at_all() -> None:
    curves = score_fddb([Faces.empty()], [np.array([[30, 20, 1.57, 50, 60]])])
    assert len(curves.thresholds) == 0
    assert curves.at(1000) == (0, 0)
