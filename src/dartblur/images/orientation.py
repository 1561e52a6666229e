"""EXIF's orientation: pictures and boxes as they are stored, and upright."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dartblur.faces import FloatArray
from dartblur.images.picture import Samples

# First mirrored along the diagonal, then left to right, then top to bottom.
_SWAPPED, _MIRRORED, _FLIPPED = (5, 6, 7, 8), (2, 3, 6, 7), (3, 4, 7, 8)
# The others undo themselves.
_UNDOING = {6: 8, 8: 6}


def upright(samples: Samples, orientation: int) -> Samples:
    """Stored samples (H, W) or (H, W, C), turned as EXIF's orientation, 1 to 8, asks."""
    turned: npt.NDArray[Any] = samples
    if orientation in _SWAPPED:
        turned = turned.swapaxes(0, 1)
    if orientation in _MIRRORED:
        turned = turned[:, ::-1]
    if orientation in _FLIPPED:
        turned = turned[::-1]
    return np.ascontiguousarray(turned)


def as_stored(samples: Samples, orientation: int) -> Samples:
    """Upright samples, turned back to how a file of that orientation stores them."""
    return upright(samples, _UNDOING.get(orientation, orientation))


def boxes_upright(boxes: FloatArray, orientation: int, height: int, width: int) -> FloatArray:
    """Boxes (N, 4) in pixels of the stored picture, in those of the upright one.

    height, width: of the upright picture.
    """
    x1, y1, x2, y2 = boxes.T
    if orientation in _SWAPPED:
        x1, y1, x2, y2 = y1, x1, y2, x2
    if orientation in _MIRRORED:
        x1, x2 = width - x2, width - x1
    if orientation in _FLIPPED:
        y1, y2 = height - y2, height - y1
    return np.stack([x1, y1, x2, y2], axis=1).astype(np.float32)
