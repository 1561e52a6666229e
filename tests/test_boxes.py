"""Box arithmetic against counting pixels on small grids, and against numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dartblur import boxes as boxlib

GRID = 12
Array = np.ndarray


@st.composite
def grid_boxes(draw: st.DrawFn, max_size: int = 5) -> Array:
    """Boxes on whole pixels of a small grid; some without area."""
    n = draw(st.integers(0, max_size))
    corners = draw(arrays(np.int64, (n, 2, 2), elements=st.integers(0, GRID)))
    return np.sort(corners, axis=1).reshape(n, 4).astype(np.float32)


@st.composite
def loose_boxes(draw: st.DrawFn, max_size: int = 5) -> Array:
    """Boxes anywhere, beyond the picture too, between pixels too."""
    n = draw(st.integers(0, max_size))
    numbers = st.floats(-40, 40, width=32)
    corners = draw(arrays(np.float32, (n, 2, 2), elements=numbers))
    return np.sort(corners, axis=1).reshape(n, 4)


def counted(box: Array) -> Array:
    """(GRID, GRID) bool: the pixels of a box on whole pixels, one by one."""
    x1, y1, x2, y2 = box
    return np.array([[x1 <= x < x2 and y1 <= y < y2 for x in range(GRID)] for y in range(GRID)])


@given(grid_boxes())
def test_area_counts_pixels(boxes: Array) -> None:
    assert boxlib.area(boxes).tolist() == [counted(box).sum() for box in boxes]


@given(grid_boxes(), grid_boxes())
def test_intersection_and_iou_count_pixels(a: Array, b: Array) -> None:
    shared, ratio = boxlib.intersection(a, b), boxlib.iou(a, b)
    assert shared.shape == ratio.shape == (len(a), len(b))
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            both = (counted(one) & counted(other)).sum()
            either = (counted(one) | counted(other)).sum()
            assert shared[i, j] == both
            assert ratio[i, j] == pytest.approx(both / either if either else 0)


@given(loose_boxes(), loose_boxes())
def test_iou_is_symmetric_and_bounded(a: Array, b: Array) -> None:
    ratio = boxlib.iou(a, b)
    np.testing.assert_allclose(ratio, boxlib.iou(b, a).T, rtol=0, atol=1e-12)
    assert ((ratio >= 0) & (ratio <= 1)).all()


@given(loose_boxes())
def test_iou_with_itself_is_one_where_there_is_area(boxes: Array) -> None:
    np.testing.assert_allclose(np.diag(boxlib.iou(boxes, boxes)), boxlib.area(boxes) > 0)


@given(loose_boxes(), st.integers(0, 30), st.integers(0, 30))
def test_clip_keeps_what_lies_inside(boxes: Array, height: int, width: int) -> None:
    clipped = boxlib.clip(boxes, height, width)
    picture = np.array([[0, 0, width, height]], np.float32)
    np.testing.assert_allclose(
        boxlib.area(clipped), boxlib.intersection(boxes, picture)[:, 0], atol=1e-9
    )
    assert (clipped >= 0).all()
    assert (clipped <= [width, height, width, height]).all()
    np.testing.assert_array_equal(boxlib.clip(clipped, height, width), clipped)


@given(loose_boxes(), st.floats(-0.5, 3))
def test_grow_keeps_the_middle_and_scales_the_sides(boxes: Array, margin: float) -> None:
    grown = boxlib.grow(boxes, margin)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    np.testing.assert_allclose((grown[:, :2] + grown[:, 2:]) / 2, middle, atol=1e-3)
    sides = (boxes[:, 2:] - boxes[:, :2]) * (1 + 2 * margin)
    np.testing.assert_allclose(grown[:, 2:] - grown[:, :2], sides, atol=1e-3)
    assert (grown[:, 2:] >= grown[:, :2]).all()


@pytest.mark.parametrize("margin", [-0.51, -3, float("nan")])
def test_grow_refuses_to_turn_boxes_inside_out(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        boxlib.grow(np.zeros((1, 4)), margin)


@given(loose_boxes(), st.floats(0.25, 4), st.floats(0.25, 4))
def test_scale_there_and_back(boxes: Array, x: float, y: float) -> None:
    back = boxlib.scale(boxlib.scale(boxes, x, y), 1 / x, 1 / y)
    np.testing.assert_allclose(back, boxes, atol=1e-3)
    np.testing.assert_allclose(
        boxlib.area(boxlib.scale(boxes, x, y)), boxlib.area(boxes) * x * y, rtol=1e-3, atol=1e-3
    )


@settings(max_examples=60)
@given(loose_boxes(3), st.integers(1, GRID), st.integers(1, GRID))
def test_to_pixels_are_all_pixels_that_a_box_touches(boxes: Array, height: int, width: int) -> None:
    pixels = boxlib.to_pixels(boxes, height, width)
    assert pixels.shape == boxes.shape
    for (bx1, by1, bx2, by2), (x1, y1, x2, y2) in zip(boxes, pixels, strict=True):
        if bx1 == bx2 or by1 == by2:
            continue  # a line touches, or lies between, pixels: either will do
        for y in range(height):
            for x in range(width):
                touched = bx1 < x + 1 and bx2 > x and by1 < y + 1 and by2 > y
                assert touched == (x1 <= x < x2 and y1 <= y < y2)


@given(grid_boxes(), st.integers(1, GRID), st.integers(1, GRID))
def test_mask_is_the_union(boxes: Array, height: int, width: int) -> None:
    union = np.zeros((GRID, GRID), bool)
    for box in boxes:
        union |= counted(box)
    inside = boxlib.mask(boxes, height, width)
    assert inside.dtype == np.bool_
    np.testing.assert_array_equal(inside, union[:height, :width])


@given(grid_boxes(), grid_boxes())
def test_hidden_share_counts_pixels(targets: Array, covers: Array) -> None:
    union = np.zeros((GRID, GRID), bool)
    for cover in covers:
        union |= counted(cover)
    shares = boxlib.hidden_share(targets, covers)
    for target, share in zip(targets, shares, strict=True):
        inside = counted(target)
        if inside.any():
            assert share == pytest.approx((inside & union).sum() / inside.sum())
        else:
            assert share in (0, 1)


@given(loose_boxes(), loose_boxes())
def test_hidden_share_is_bounded_and_grows_with_covers(targets: Array, covers: Array) -> None:
    shares = boxlib.hidden_share(targets, covers)
    assert ((shares >= 0) & (shares <= 1)).all()
    fewer = boxlib.hidden_share(targets, covers[:-1])
    assert (fewer <= shares + 1e-9).all()
    np.testing.assert_allclose(boxlib.hidden_share(targets, targets), 1)


def plain_nms(boxes: Array, scores: Array, threshold: float) -> list[int]:
    """Greedy suppression as the textbook says it."""
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        overlaps = [boxlib.iou(boxes[i : i + 1], boxes[k : k + 1])[0, 0] for k in kept]
        if all(overlap <= threshold for overlap in overlaps):
            kept.append(i)
    return kept


@given(grid_boxes(8), st.data(), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_nms_is_the_textbooks(boxes: Array, data: st.DataObject, threshold: float) -> None:
    scores = data.draw(
        arrays(np.float32, len(boxes), elements=st.sampled_from([0.1, 0.5, 0.5, 0.9]))
    )
    kept = boxlib.nms(boxes, scores, threshold)
    assert kept.dtype == np.intp
    assert kept.tolist() == plain_nms(boxes, scores, threshold)


def test_numbers_by_hand() -> None:
    a = np.array([[0, 0, 10, 10]])
    b = np.array([[5, 5, 15, 15], [0, 0, 10, 10], [10, 0, 20, 10], [2, 2, 4, 7]])
    assert boxlib.intersection(a, b).tolist() == [[25, 100, 0, 10]]
    assert boxlib.iou(a, b)[0] == pytest.approx([25 / 175, 1, 0, 0.1])
    assert boxlib.grow(a, 0.1).tolist() == [[-1, -1, 11, 11]]
    assert boxlib.grow(np.array([[10, 20, 30, 60]]), 0.25).tolist() == [[5, 10, 35, 70]]
    assert boxlib.grow(np.array([[10, 20, 30, 60]]), -0.5).tolist() == [[20, 40, 20, 40]]
    assert boxlib.scale(np.array([[1, 2, 3, 4]]), 2, 0.5).tolist() == [[2, 1, 6, 2]]
    assert boxlib.clip(np.array([[-5, 2, 50, 90]]), 30, 40).tolist() == [[0, 2, 40, 30]]
    assert boxlib.to_pixels(np.array([[0.1, 1.9, 2.0, 2.1]]), 9, 9).tolist() == [[0, 1, 2, 3]]
    covers = np.array([[0, 0, 10, 5], [0, 3, 10, 7], [90, 90, 99, 99]])
    assert boxlib.hidden_share(a, covers).tolist() == [0.7]


def test_nms_by_hand() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [0, 0, 10, 10]])
    scores = np.array([0.6, 0.9, 0.3, 0.6])
    assert boxlib.nms(boxes, scores, 0.5).tolist() == [1, 2]
    assert boxlib.nms(boxes, scores, 0.9).tolist() == [1, 0, 2]


def test_hidden_share_of_a_point() -> None:
    point = np.array([[3, 3, 3, 3]])
    assert boxlib.hidden_share(point, np.array([[0, 0, 9, 9]])).tolist() == [1]
    assert boxlib.hidden_share(point, np.array([[5, 5, 9, 9]])).tolist() == [0]
    assert boxlib.hidden_share(point, np.zeros((0, 4))).tolist() == [0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64, np.uint8])
def test_any_real_type_and_no_argument_is_changed(dtype: type) -> None:
    boxes = np.array([[2, 3, 8, 9], [4, 4, 4, 4], [5, 1, 6, 2]], dtype)
    before = boxes.copy()
    assert boxlib.area(boxes).tolist() == [36, 0, 1]
    assert boxlib.grow(boxes, 1)[0].tolist() == [-4, -3, 14, 15]
    assert boxlib.clip(boxes, 5, 5)[0].tolist() == [2, 3, 5, 5]
    assert boxlib.iou(boxes, boxes)[1, 1] == 0
    assert boxlib.mask(boxes, 10, 10).sum() == 37
    boxlib.scale(boxes, 2, 2)
    boxlib.nms(boxes, np.ones(3), 0.5)
    boxlib.hidden_share(boxes, boxes)
    np.testing.assert_array_equal(boxes, before)


def test_no_boxes_at_all() -> None:
    none, some = np.zeros((0, 4), np.float32), np.array([[0, 0, 4, 4]], np.float32)
    assert boxlib.area(none).shape == (0,)
    assert boxlib.iou(none, some).shape == (0, 1)
    assert boxlib.iou(some, none).shape == (1, 0)
    for changed in (
        boxlib.clip(none, 5, 5),
        boxlib.grow(none, 0.1),
        boxlib.scale(none, 2, 2),
        boxlib.to_pixels(none, 5, 5),
    ):
        assert changed.shape == (0, 4)
    assert not boxlib.mask(none, 5, 5).any()
    assert boxlib.nms(none, np.zeros(0), 0.5).shape == (0,)
    assert boxlib.hidden_share(none, some).shape == (0,)
    assert boxlib.hidden_share(some, none).tolist() == [0]


@pytest.mark.parametrize("seed", range(8))
def test_boxes_that_are_covered_by_later_ones(seed: int) -> None:
    """In hundreds of boxes, as in few: the same as by painting each pixel's last box."""
    rng = np.random.default_rng(seed)
    low = rng.integers(-4, 60, (int(rng.integers(0, 1200)), 2))
    pixels = np.concatenate([low, low + rng.integers(0, 30, low.shape)], axis=1).clip(
        0, [50, 70] * 2
    )
    owner = np.full((70, 50), -1)
    for i, (x1, y1, x2, y2) in enumerate(pixels.tolist()):
        owner[y1:y2, x1:x2] = i
    seen = np.isin(np.arange(len(pixels)), owner)
    assert np.array_equal(boxlib.uncovered(pixels), seen)
    assert np.array_equal(boxlib.mask(pixels.astype(np.float32), 70, 50), owner >= 0)
