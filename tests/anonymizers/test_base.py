"""The one rule by which anonymizers paint."""

from __future__ import annotations

import numpy as np

from dartblur.anonymizers.base import Box, paint
from dartblur.faces import Image


def test_boxes_of_the_same_pixels_are_painted_once_in_the_last_ones_turn() -> None:
    covered: list[Box] = []

    def cover(_image: Image, box: Box) -> Image:
        covered.append(box)
        return np.full((box[3] - box[1], box[2] - box[0], 3), box[0], np.uint8)

    # The second is as large as the others, so that their order decides who stays on top.
    boxes = np.array([[2.5, 2, 6, 6], [4, 3, 8, 7], [2, 2.2, 5.7, 6], [0, 0, 0, 3]], np.float32)
    out = paint(np.zeros((10, 10, 3), np.uint8), boxes, cover)
    assert covered == [(4, 3, 8, 7), (2, 2, 6, 6)]
    assert out[4, 5, 0] == 2
    assert out[4, 7, 0] == 4


def test_no_box_paints_nothing() -> None:
    image = np.ones((4, 4, 3), np.uint8)
    assert np.array_equal(paint(image, np.zeros((0, 4), np.float32), lambda image, _: image), image)
