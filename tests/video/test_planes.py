"""Only samples under a face change, whatever the format and the orientation."""

from __future__ import annotations

from itertools import product

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.video.films import random_frame

from dartblur.anonymizers import Block, Gaussian
from dartblur.anonymizers.blending import Ellipses
from dartblur.faces import Faces
from dartblur.video.orientation import Orientation
from dartblur.video.planes import hide, plane_arrays, upright_picture

ORIENTATIONS = [Orientation(*flags) for flags in product((False, True), repeat=3)]
FORMATS = ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "gray"]


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_samples_outside_the_boxes_stay_bit_for_bit(
    pixel_format: str, orientation: Orientation
) -> None:
    frame = random_frame(pixel_format, 101, 67)
    before = [plane.copy() for plane in plane_arrays(frame)]
    upright = upright_picture(frame, orientation)
    boxes = np.array([[5, 7, 21, 30], [15, 20, 40, 33], [60, 50, 200, 200]], np.float32)
    hide(frame, Faces(boxes), orientation, Gaussian())
    changed = np.zeros(upright.shape[:2], bool)
    for x1, y1, x2, y2 in boxes.astype(int):
        changed[y1:y2, x1:x2] = True
    for old, new in zip(before, plane_arrays(frame), strict=True):
        y, x = (-(-67 // old.shape[0]), -(-101 // old.shape[1]))
        inside = np.ascontiguousarray(orientation.coded(np.repeat(changed[..., None], 3, 2)))[
            ..., 0
        ]
        # Boxes are widened to whole samples of chroma, which here are two pixels wide at most.
        grown = np.pad(inside, ((0, 67 % 2), (0, 101 % 2))).reshape(34, 2, 51, 2).any((1, 3))
        allowed = np.repeat(np.repeat(grown, 2, 0), 2, 1)[:67:y, :101:x]
        differs = old != new
        assert not (differs & ~allowed).any()
        assert differs.any()


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_what_is_painted_lies_where_people_see_the_face(orientation: Orientation) -> None:
    frame = random_frame("yuv444p", 96, 64)
    hide(frame, Faces(np.array([[10, 4, 30, 14]], np.float32)), orientation, Block((250, 0, 0)))
    picture = upright_picture(frame, orientation)
    red = (picture[..., 0] > 230) & (picture[..., 1] < 25) & (picture[..., 2] < 25)
    assert red[5:13, 11:29].all()
    assert red.sum() < 20 * 10 * 1.3


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_of_an_ellipse_the_middle_is_hidden_and_the_corners_stay(orientation: Orientation) -> None:
    frame = random_frame("yuv444p", 96, 64)
    before = upright_picture(frame, orientation).astype(int)
    hide(
        frame,
        Faces(np.array([[8, 6, 48, 46]], np.float32)),
        orientation,
        Ellipses(Block((250, 0, 0))),
    )
    after = upright_picture(frame, orientation).astype(int)
    red = (after[..., 0] > 200) & (after[..., 1] < 50) & (after[..., 2] < 50)
    assert red[20:32, 22:34].all()
    # Near enough: the box went to RGB and back, where the noise leaves its range.
    for corner in (np.s_[6:10, 8:12], np.s_[42:46, 44:48]):
        assert np.abs(after[corner] - before[corner]).mean() < 12


@given(st.lists(st.tuples(*[st.integers(-30, 130)] * 2, *[st.integers(0, 90)] * 2), max_size=5))
def test_any_boxes_work(rows: list[tuple[int, int, int, int]]) -> None:
    frame = random_frame("yuv420p", 101, 67)
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in rows], np.float32).reshape(-1, 4)
    hide(frame, Faces(boxes), Orientation(True, False, True), Block((0, 0, 0)))


def test_full_and_limited_range_keep_a_grey_grey() -> None:
    for pixel_format in ("yuv420p", "yuvj420p", "yuv420p10le"):
        frame = av.VideoFrame(64, 64, pixel_format)
        middle = 2 ** (frame.format.components[0].bits - 1)
        for plane in plane_arrays(frame):
            plane[:] = middle
        hide(frame, Faces(np.array([[8, 8, 40, 40]], np.float32)), Orientation(), Gaussian())
        tolerance = middle / 32
        assert all(np.abs(p.astype(int) - middle).max() <= tolerance for p in plane_arrays(frame))
