"""What every anonymizer is, and how patches are pasted where boxes overlap."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dartblur import boxes as boxlib
from dartblur.boxes import Boxes, IntArray
from dartblur.faces import Faces, Image

Box = tuple[int, int, int, int]


class Anonymizer(Protocol):
    """Hides faces: (image, faces) → image."""

    def __call__(self, image: Image, faces: Faces) -> Image:
        """A new picture in which every face is hidden.

        image: (H, W, 3) uint8 RGB; left alone. Every pixel that a box touches is made anew from the
        original picture only; every other pixel is the input's, bit for bit.
        """
        ...


GREY_TOLERANCE = 2
"""Channels of a pixel without colour differ by no more: a JPEG's rounding."""


def has_colour(pixels: Image) -> bool:
    """Is there a pixel, of (h, w, 3), with colour."""
    return bool((np.ptp(pixels, axis=2) > GREY_TOLERANCE).any())


def paste_order(pixels: IntArray) -> npt.NDArray[np.intp]:
    """Indices of the boxes that touch a pixel, in the order in which they are pasted.

    Small boxes come first: where two overlap, the larger face's coarser patch stays on top, so that
    a neighbour's finer one never uncovers it.
    """
    areas = boxlib.area(pixels)
    order = np.argsort(areas, kind="stable")
    return order[areas[order] > 0]


def visible(pixels: IntArray) -> npt.NDArray[np.intp]:
    """Those of `paste_order` of which a pixel lies in no box that is pasted later.

    The others would only cost time: of a million boxes in one picture nearly all lie below.
    """
    order = paste_order(pixels)
    return order[boxlib.uncovered(pixels[order])]


def paste_patches(image: Image, boxes: Boxes, make_patch: Callable[[Image, Box], Image]) -> Image:
    """A copy of `image` with `make_patch(image, box)` pasted into every box.

    boxes: (N, 4), any; those outside the picture are passed over.
    make_patch: gets the original picture and one box in whole pixels inside it, and returns the
        (h, w, 3) pixels to put there.
    """
    pixels = boxlib.to_pixels(boxes, *image.shape[:2])
    out = image.copy()
    for x1, y1, x2, y2 in pixels[visible(pixels)].tolist():
        out[y1:y2, x1:x2] = make_patch(image, (x1, y1, x2, y2))
    return out
