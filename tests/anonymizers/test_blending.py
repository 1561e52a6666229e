"""Blurred boxes are led over into their surroundings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.pictures import smooth, textured

from dartblur import boxes as boxlib
from dartblur.anonymizers.blending import DEPTH, blend_borders, cut_ellipses


def closed(picture: np.ndarray, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    out = picture.copy()
    blend_borders(out, np.array(boxes, np.int64).reshape(-1, 4))
    return out


def steps_at(picture: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Differences across the four edges of a box."""
    x1, y1, x2, y2 = box
    p = picture.astype(int)
    pairs = (
        (p[y1 - 1, x1:x2], p[y1, x1:x2]),
        (p[y2, x1:x2], p[y2 - 1, x1:x2]),
        (p[y1:y2, x1 - 1], p[y1:y2, x1]),
        (p[y1:y2, x2], p[y1:y2, x2 - 1]),
    )
    return np.concatenate([np.abs(outside - inside).ravel() for outside, inside in pairs])


@pytest.mark.parametrize("box", [(40, 30, 80, 90), (33, 21, 64, 68), (50, 50, 54, 55)])
def test_a_grey_box_in_a_smooth_picture_loses_its_edge(box: tuple[int, int, int, int]) -> None:
    picture = smooth(120, 160)
    x1, y1, x2, y2 = box
    picture[y1:y2, x1:x2] = 250
    assert np.median(steps_at(picture, box)) > 60
    steps = steps_at(closed(picture, box), box)
    # The corners are between two edges that want different things.
    assert np.median(steps) <= 1
    assert np.percentile(steps, 90) < 10


def test_what_is_equal_on_both_sides_stays() -> None:
    even = np.full((60, 80, 3), 97, np.uint8)
    np.testing.assert_array_equal(closed(even, (10, 10, 50, 51)), even)


def test_one_edge_by_hand() -> None:
    """A step that is the same all along an edge falls as (1 − t / depth)², whatever the side."""
    picture = np.zeros((50, 60, 3), np.uint8)
    picture[:10] = 160
    out = closed(picture, (0, 10, 60, 50))
    depth = 40 // DEPTH
    expected = np.rint(160 * (1 - np.arange(depth) / depth) ** 2)
    np.testing.assert_array_equal(out[10:20, :, 0], np.tile(expected[:, None], 60))
    assert not out[20:].any()


def test_fine_detail_fades_before_coarse() -> None:
    picture = np.full((84, 128, 3), 128, np.uint8)
    x = np.arange(128)
    picture[:4, :, 0] = np.rint(128 + 60 * np.cos(np.pi * (x + 0.5) * 2 / 128))
    picture[:4, :, 1] = np.rint(128 + 60 * np.cos(np.pi * (x + 0.5) * 32 / 128))
    out = closed(picture, (0, 4, 128, 84)).astype(int) - 128
    coarse, fine = (np.abs(out[8, :, c]).max() for c in (0, 1))
    assert coarse > 30
    assert fine < 5


def test_the_middle_is_left_alone() -> None:
    picture = textured(100, 100)
    out = closed(picture, (10, 20, 90, 84))
    np.testing.assert_array_equal(out[36:68, 30:70], picture[36:68, 30:70])
    assert (out[20:36, 10:90] != picture[20:36, 10:90]).any(axis=2).mean() > 0.8


def test_an_edge_on_the_picture_s_own_has_nothing_to_meet() -> None:
    picture = textured(40, 40)
    np.testing.assert_array_equal(closed(picture, (0, 0, 40, 40)), picture)


def test_overlapping_boxes_meet_each_other() -> None:
    picture = np.full((100, 140, 3), 40, np.uint8)
    small, large = (20, 30, 70, 80), (50, 20, 120, 90)
    for value, (x1, y1, x2, y2) in ((120, small), (220, large)):
        picture[y1:y2, x1:x2] = value
    out = closed(picture, small, large).astype(int)
    assert np.abs(np.diff(out[35:75, 45:55, 0], axis=1)).max() < 25
    np.testing.assert_array_equal(out, closed(picture, large, small, large))


@settings(max_examples=50)
@given(data=st.data())
def test_nothing_outside_the_boxes_is_touched(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    corners = data.draw(
        arrays(np.int64, (data.draw(st.integers(0, 5)), 2, 2), elements=st.integers(-9, 50))
    )
    faces = np.sort(corners, axis=1).reshape(-1, 4).astype(np.float32)
    picture = textured(height, width)
    out = closed(picture, *boxlib.to_pixels(faces, height, width))
    outside = ~boxlib.mask(faces, height, width)
    np.testing.assert_array_equal(out[outside], picture[outside])


def test_an_ellipse_holds_what_counts_as_hidden_of_its_box() -> None:
    """The middle 70 % x 70 %, whatever the box and wherever it lies."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        low, sides = rng.integers(-30, 90, 2), rng.integers(2, 80, 2)
        box = np.array([[*low, *(low + sides)]], np.float32)
        inside = boxlib.mask(box, 96, 96, "ellipse")
        [(x1, y1, x2, y2)] = boxlib.grow(boxlib.to_pixels(box, 96, 96), -0.15)
        assert inside[int(np.ceil(y1)) : int(y2), int(np.ceil(x1)) : int(x2)].all()
        assert not (inside & ~boxlib.mask(box, 96, 96)).any()


def test_an_ellipse_reaches_the_picture_s_edge_as_far_as_its_face_does() -> None:
    inside = boxlib.mask(np.array([[0, 10, 20, 50]]), 60, 80, "ellipse")
    assert inside[10:50, :10].all()
    assert not inside[10, 19]
    assert boxlib.mask(np.array([[-5, -5, 99, 99]]), 60, 80, "ellipse").all()


def test_ellipses_lose_their_edge_and_keep_their_middle() -> None:
    picture, boxes = smooth(120, 160), np.array([[30, 20, 90, 100], [70, 50, 120, 110]])
    covered = np.full_like(picture, 250)
    out = cut_ellipses(covered, picture, boxes)
    inside = boxlib.mask(boxes, 120, 160, "ellipse")
    np.testing.assert_array_equal(out[~inside], picture[~inside])
    np.testing.assert_array_equal(out[52:68, 52:68], covered[52:68, 52:68])
    for axis in (0, 1):
        border = np.diff(inside.astype(int), axis=axis) != 0
        plain = np.where(inside[..., None], covered, picture).astype(int)
        before, after = (np.abs(np.diff(p.astype(int), axis=axis))[border] for p in (plain, out))
        assert np.median(before) > 100
        assert np.median(after) < 10


def test_a_huge_ellipse_is_blended_too() -> None:
    picture = np.full((1300, 1300, 3), 60, np.uint8)
    out = cut_ellipses(np.full_like(picture, 200), picture, np.array([[50, 50, 1250, 1250]]))
    assert np.abs(np.diff(out[650].astype(int), axis=0)).max() < 8
    assert out[650, 650, 0] == 200
