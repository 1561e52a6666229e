"""How to look at a picture: at which sizes, and in which tiles; cost and memory stay bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf, sqrt

import cv2
import numpy as np
import numpy.typing as npt

# Zoom 1 is the picture as it is, up to this many pixels (640 x 640); larger ones are shrunk to it.
ZOOM_1_AREA = 409_600
# The finest look at a large photo is at its own size, up to this many pixels; this bounds the time.
FINEST_AREA = 16_000_000
# A tile bounds the memory. Faces larger than the overlap may be cut by its edge: coarser looks see
# them whole.
TILE, OVERLAP = 960, 128
MULTIPLE = 32
SLACK = 4


@dataclass(frozen=True)
class Tile:
    """One piece of a scaled picture, ready for a network.

    pixels: (h, w, 3) uint8, h and w multiples of 32, black beyond the picture.
    left, top: its place in the scaled picture.
    core: x1 y1 x2 y2 in the tile's pixels; a face whose centre is elsewhere is another tile's.
    """

    pixels: npt.NDArray[np.uint8]
    left: int
    top: int
    core: tuple[float, float, float, float]


def scale_for(zoom: float, finest: bool, height: int, width: int) -> float:
    """The factor by which to scale a picture for a look at `zoom`.

    finest: a picture that is larger than the zoom asks for is kept at its own size, as far as
        `FINEST_AREA` allows.
    """
    area = height * width
    scale = zoom * min(1.0, sqrt(ZOOM_1_AREA / area))
    if finest:
        scale = max(scale, min(1.0, sqrt(FINEST_AREA / area)))
    return scale


def scaled(image: npt.NDArray[np.uint8], scale: float) -> npt.NDArray[np.uint8]:
    """The picture at `scale` times its height and width, at least one pixel each."""
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    if (height, width) == image.shape[:2]:
        return image
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)


def tiles(image: npt.NDArray[np.uint8]) -> Iterator[Tile]:
    """The picture in overlapping tiles, all of one size."""
    height, width = image.shape[:2]
    rows, tile_height = _cuts(height)
    columns, tile_width = _cuts(width)
    for top, core_top, core_bottom in rows:
        for left, core_left, core_right in columns:
            piece = image[top : top + tile_height, left : left + tile_width]
            pixels = np.zeros((tile_height, tile_width, 3), np.uint8)
            pixels[: piece.shape[0], : piece.shape[1]] = piece
            core = (core_left - left, core_top - top, core_right - left, core_bottom - top)
            yield Tile(pixels, left, top, core)


def _cuts(length: int) -> tuple[list[tuple[int, float, float]], int]:
    """Where tiles start along one side, and their cores' two ends; and the length of a tile."""
    count = max(1, ceil((length - OVERLAP) / (TILE - OVERLAP)))
    size = ceil((length + (count - 1) * OVERLAP) / count)
    starts = [round(i * (length - size) / max(1, count - 1)) for i in range(count)]
    seams = [(a + size + b) / 2 for a, b in pairwise(starts)]
    # Boxes may be centred beyond the picture, so the outer cores are open; two tiles may place one
    # face's centre a little differently, so the inner ones overlap.
    lows = [-inf, *(seam - SLACK for seam in seams)]
    highs = [*(seam + SLACK for seam in seams), inf]
    padded = ceil(size / MULTIPLE) * MULTIPLE
    return list(zip(starts, lows, highs, strict=True)), padded
