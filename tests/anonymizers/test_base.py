"""How anonymizers paste patches where boxes overlap."""

from __future__ import annotations

import numpy as np

from dartblur.anonymizers.base import Box, paste_patches, visible
from dartblur.anonymizers.blending import blend_borders
from dartblur.faces import Image


def test_boxes_of_the_same_pixels_are_painted_once_in_the_last_ones_turn() -> None:
    covered: list[Box] = []

    def make_patch(_image: Image, box: Box) -> Image:
        covered.append(box)
        return np.full((box[3] - box[1], box[2] - box[0], 3), box[0], np.uint8)

    # The second is as large as the others, so that their order decides who stays on top.
    boxes = np.array([[2.5, 2, 6, 6], [4, 3, 8, 7], [2, 2.2, 5.7, 6], [0, 0, 0, 3]], np.float32)
    out = paste_patches(np.zeros((10, 10, 3), np.uint8), boxes, make_patch)
    assert covered == [(4, 3, 8, 7), (2, 2, 6, 6)]
    assert out[4, 5, 0] == 2
    assert out[4, 7, 0] == 4


def test_no_box_paints_nothing() -> None:
    image = np.ones((4, 4, 3), np.uint8)
    assert np.array_equal(
        paste_patches(image, np.zeros((0, 4), np.float32), lambda image, _: image), image
    )


def test_boxes_below_others_are_not_painted() -> None:
    """Of two small boxes one lies wholly below a large one, which is given twice."""
    pixels = np.array([[4, 4, 8, 8], [2, 2, 12, 12], [10, 4, 14, 8], [2, 2, 12, 12], [0, 0, 0, 9]])
    assert visible(pixels).tolist() == [2, 3]
    covered: list[Box] = []

    def make_patch(image: Image, box: Box) -> Image:
        covered.append(box)
        return image[:1, :1]

    paste_patches(np.zeros((20, 20, 3), np.uint8), pixels, make_patch)
    assert covered == [(10, 4, 14, 8), (2, 2, 12, 12)]


def test_a_border_below_another_face_is_not_blended() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    faces = np.array([[8, 8, 32, 32], [14, 14, 20, 20]])
    alone, both = image.copy(), image.copy()
    blend_borders(alone, faces[:1])
    blend_borders(both, faces)
    assert np.array_equal(alone, both)
