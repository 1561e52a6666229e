"""Box fusion, with numbers worked by hand and properties that hold for any boxes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dartblur import boxes as boxlib
from dartblur.detectors.fusion import fuse, suppress


def test_two_boxes_of_one_face_meet_by_the_squares_of_their_scores() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11]], np.float32)
    fused, scores, _ = fuse(boxes, np.array([0.8, 0.4]), 0.4)
    # Weights 0.64 and 0.16: a fifth of the way from the first to the second.
    np.testing.assert_allclose(fused, [[0.2, 0.2, 10.2, 10.2]], rtol=1e-6)
    np.testing.assert_array_equal(scores, [0.8])


def test_the_deviation_tells_how_far_apart_the_edges_lie() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 21], [40, 0, 50, 10]], np.float32)
    # Weights 0.64 and 0.16: edges 1 apart deviate by 0.4, those 11 apart by 4.4.
    deviation = fuse(boxes, np.array([0.8, 0.4, 0.3]), 0.3).deviation
    np.testing.assert_allclose(deviation, [[0.4, 0.4, 0.4, 4.4], [0, 0, 0, 0]], rtol=1e-5)


def test_neighbours_stay_apart_and_come_best_first() -> None:
    boxes = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float32)
    fused, scores, _ = fuse(boxes, np.array([0.3, 0.9]), 0.4)
    np.testing.assert_allclose(fused, boxes[::-1])
    np.testing.assert_array_equal(scores, [0.9, 0.3])


def test_a_box_between_two_faces_joins_the_nearer() -> None:
    # It overlaps the left one by 8 of 12, the right one by 4 of 16.
    boxes = np.array([[0, 0, 10, 10], [8, 0, 18, 10], [2, 0, 12, 10]], np.float32)
    fused, _, _ = fuse(boxes, np.array([0.9, 0.8, 0.5]), 0.2)
    assert fused[0, 0] > 0
    np.testing.assert_allclose(fused[1], boxes[1])


def test_a_score_of_zero_is_no_division_by_zero() -> None:
    boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 4]], np.float32)
    fused, scores, _ = fuse(boxes, np.zeros(2), 0.4)
    np.testing.assert_allclose(fused, [[0, 0, 4, 4]])
    np.testing.assert_array_equal(scores, [0])


def test_no_boxes_fuse_to_none() -> None:
    fused, scores, _ = fuse(np.zeros((0, 4), np.float32), np.zeros(0), 0.4)
    assert (fused.shape, scores.shape) == ((0, 4), (0,))


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.floats(0.05, 0.9))
def test_survivors_are_those_of_suppression_within_the_hull_of_all(
    seed: int, count: int, overlap: float
) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 50, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(1, 30, (count, 2))], 1).astype(np.float32)
    scores = rng.uniform(0, 1, count)
    fused, kept, _ = fuse(boxes, scores, overlap)
    np.testing.assert_array_equal(kept, suppress(boxes, scores, overlap)[1])
    assert (np.diff(kept) <= 0).all()
    assert (fused >= boxes.min(axis=0) - 1e-3).all()
    assert (fused <= boxes.max(axis=0) + 1e-3).all()
    assert (boxlib.area(fused) > 0).all()
