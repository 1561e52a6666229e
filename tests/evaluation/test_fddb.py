"""FDDB's protocol: region overlaps against counted points, curves against all pairings."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("scipy", reason="FDDB's protocol needs the extra 'evaluate'")

from dartblur.datasets.fddb import FOLDS, extents, read_ellipses
from dartblur.evaluation.fddb import ellipse_overlap, score_fddb
from dartblur.faces import Faces

DATA = Path(__file__).parents[3] / "shared" / "data" / "fddb"


def drawn_overlap(box: np.ndarray, ellipse: np.ndarray, size: tuple[int, int]) -> float:
    """Both regions drawn whole on the picture's canvas, as the official program does."""
    regions = np.zeros((2, *size), np.uint8)
    x1, y1, x2, y2 = (round(float(v)) for v in box)
    cv2.rectangle(regions[0], (x1, y1), (x2, y2), 1, cv2.FILLED)
    major, minor, angle, x, y = (float(v) for v in ellipse)
    centre, axes = (round(x), round(y)), (int(major), int(minor))
    cv2.ellipse(regions[1], centre, axes, np.degrees(angle), 0, 360, 1, cv2.FILLED)
    return float(regions.all(0).sum() / max(regions.any(0).sum(), 1))


@pytest.mark.parametrize("seed", range(20))
def test_overlap_agrees_with_both_regions_drawn_on_the_whole_picture(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = (int(rng.integers(40, 120)), int(rng.integers(40, 120)))
    ellipse = np.array([*rng.uniform(5, 40, 2), rng.uniform(-3, 3), *rng.uniform(-10, 120, 2)])
    corner, side = rng.uniform(-30, 100, 2), rng.uniform(3, 90, 2)
    box = np.concatenate([corner, corner + side])
    overlap = ellipse_overlap(box[None], ellipse[None], size)[0, 0]
    # Where an outline leaves the canvas, the library may draw a pixel of it elsewhere.
    assert overlap == pytest.approx(drawn_overlap(box, ellipse, size), abs=2e-3)


def test_overlap_where_it_is_known() -> None:
    point = np.array([[0.9, 0.9, 0, 50, 50.0]])  # half axes are cut to 0: the centre alone
    boxes = np.array([[50, 50, 50, 50], [49, 49, 51, 51], [51, 50, 60, 60], [49.6, 50, 50.4, 51.0]])
    expected = [1, 1 / 9, 0, 1 / 2]
    np.testing.assert_allclose(ellipse_overlap(boxes, point)[:, 0], expected)
    assert ellipse_overlap(np.zeros((0, 4)), point).shape == (0, 1)
    assert ellipse_overlap(boxes, np.zeros((0, 5))).shape == (4, 0)


def test_what_lies_outside_the_picture_counts_for_neither() -> None:
    circle = np.array([[10, 10, 0, 0, 0.0]])
    quarter = np.array([[0, 0, 10, 10.0]])
    around = np.array([[-50, -50, 10, 10.0]])
    assert ellipse_overlap(around, circle) == ellipse_overlap(quarter, circle)
    far = np.array([[10, 10, 0, 99, 99.0]])
    reaching = np.array([[89, 89, 150, 150.0]])
    inside = np.array([[89, 89, 99, 99.0]])
    size = (100, 100)
    assert ellipse_overlap(reaching, far, size) == ellipse_overlap(inside, far, size) > 0.7
    assert ellipse_overlap(reaching, far) < 0.1
    outside = np.array([[200, 200, 300, 300.0], [-9, -9, -3, -3]])
    assert not ellipse_overlap(outside, far, size).any()


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
    # An upright ellipse fills about π/4 of its extent, a turned one less.
    assert 0.6 < curves.at(0)[1] < np.pi / 4
    assert curves.at(0) == curves.at(1000)


def test_no_detection_at_all() -> None:
    curves = score_fddb([Faces.empty()], [np.array([[30, 20, 1.57, 50, 60]])])
    assert len(curves.thresholds) == 0
    assert curves.at(1000) == (0, 0)


def test_the_size_of_the_picture_changes_what_is_right() -> None:
    """A face cut by the right edge is found by the part of it that is in the picture."""
    face, box = np.array([[30, 20, np.pi / 2, 98, 50.0]]), np.array([[78, 20, 99, 80.0]])
    found = [Faces(box, np.array([0.9]))]
    assert score_fddb(found, [face]).discrete.tolist() == [0]
    assert score_fddb(found, [face], [None]).discrete.tolist() == [0]
    assert score_fddb(found, [face], [(100, 100)]).discrete.tolist() == [1]


@pytest.fixture(scope="module")
def published() -> list[tuple[Faces, np.ndarray]]:
    """MTCNN's detections in FDDB's text layout, and the ellipses of their pictures."""
    boxes: dict[str, np.ndarray] = {}
    for fold in FOLDS:
        lines = iter(
            (DATA / "detections" / "MTCNN" / f"fold-{fold:02}-out.txt").read_text().split("\n")
        )
        for picture in filter(None, lines):
            rows = [next(lines).split() for _ in range(int(next(lines)))]
            boxes[picture] = np.array(rows, np.float64).reshape(-1, 5)
    return [
        (
            Faces(np.hstack([found[:, :2], found[:, :2] + found[:, 2:4]]), found[:, 4]),
            picture.ellipses,
        )
        for picture in read_ellipses(DATA, "all")
        for found in [boxes[picture.name]]
    ]


def official(name: str) -> np.ndarray:
    """The best score of the official program with no more than N false positives, (250,)."""
    curve = np.loadtxt(DATA / "detections" / name, usecols=(0, 1))
    return np.array([curve[curve[:, 1] <= n, 0].max() for n in range(250)])


@pytest.mark.skipif(not DATA.is_dir(), reason="FDDB's lists are not here")
@pytest.mark.parametrize("size", [None, (450, 450)], ids=["sizes unknown", "at most 450"])
def test_both_curves_of_the_official_program(
    published: list[tuple[Faces, np.ndarray]], size: tuple[int, int] | None
) -> None:
    """The pictures are not here; none of FDDB is larger than 450 pixels."""
    found, truth = zip(*published, strict=True)
    assert len(truth) == 2845
    assert sum(map(len, truth)) == 5171
    curves = score_fddb(found, truth, [size] * len(truth))
    ours = np.array([curves.at(n) for n in range(250)])
    theirs = np.column_stack([official("MTCNNDiscROC.txt"), official("MTCNNContROC.txt")])
    counts = [0, 1, 2, 5, 10, 50, 100, 150, 200, 249]
    assert np.abs(ours - theirs)[counts].max() < 0.002
    if size:  # a single false positive that only its picture's size can tell moves a steep curve
        assert np.abs(ours - theirs).max() < 0.003
        assert (np.abs(ours - theirs) < 0.002).mean(0).min() > 0.97
