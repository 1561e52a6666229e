"""Pictures at the size in which they are searched, and in tiles: time and memory stay bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf, sqrt

import cv2
import numpy as np

from dartblur.faces import Image

# Zoom 1 is the picture as it is, up to this many pixels (640 x 640); larger ones are shrunk to it.
ZOOM_1_AREA = 409_600
# A tile bounds the memory, and is faster than the whole for lying in the processor's cache. A face
# larger than the overlap may be cut by a tile's edge: a pass at a smaller zoom sees it whole.
TILE, OVERLAP = 704, 96
# The networks halve their maps five times.
MULTIPLE = 32
# Two tiles may place one face's centre a little differently.
SLACK = 4


@dataclass(frozen=True)
class Tile:
    """One piece of a scaled picture.

    pixels: (h, w, 3) uint8, h and w multiples of 32.
    left, top: its place in the scaled picture.
    core: x1 y1 x2 y2 in the scaled picture; a face whose centre is elsewhere is another tile's.
    """

    pixels: Image
    left: int
    top: int
    core: tuple[float, float, float, float]


def scale_for(zoom: float, own_size: int, height: int, width: int) -> float:
    """The factor by which to scale a picture of `height` by `width` for a pass at `zoom`.

    own_size: pictures of up to this many pixels are never shrunk, larger ones to no less than this.
    """
    area = height * width
    scale = zoom * min(1.0, sqrt(ZOOM_1_AREA / area))
    return max(scale, min(1.0, sqrt(own_size / area)))


@dataclass(frozen=True)
class Resized:
    """A scaled picture.

    pixels: (h, w, 3) uint8, h and w multiples of 32.
    x, y: how many of its pixels one pixel of the picture became.
    """

    pixels: Image
    x: float
    y: float


def resize(image: Image, scale: float) -> Resized:
    """The picture at about `scale` times its size, its sides brought up to multiples of 32.

    A picture that is not enlarged is stretched by that little: a face cut by its edge is found less
    often beside a border. An enlarged one is padded with its edge: small faces are found less often
    when stretched.
    """
    height, width = (max(side * scale, 1) for side in image.shape[:2])
    if scale <= 1:
        height, width = (ceil(side / MULTIPLE) * MULTIPLE for side in (height, width))
    rows, columns = round(height), round(width)
    pixels = image
    if (rows, columns) != image.shape[:2]:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        pixels = np.asarray(cv2.resize(image, (columns, rows), interpolation=how), np.uint8)
    below, beside = -rows % MULTIPLE, -columns % MULTIPLE
    if below or beside:
        edge = cv2.copyMakeBorder(pixels, 0, below, 0, beside, cv2.BORDER_REPLICATE)
        pixels = np.asarray(edge, np.uint8)
    return Resized(pixels, columns / image.shape[1], rows / image.shape[0])


def tiles(image: Image) -> Iterator[Tile]:
    """A picture (height and width multiples of 32) in overlapping tiles, all of one size."""
    height, tops = _cuts(image.shape[0])
    width, lefts = _cuts(image.shape[1])
    for top, y1, y2 in tops:
        for left, x1, x2 in lefts:
            pixels = image[top : top + height, left : left + width]
            yield Tile(pixels, left, top, (x1, y1, x2, y2))


def _cuts(length: int) -> tuple[int, list[tuple[int, float, float]]]:
    """The tiles along one side: their length; and where each starts and its core's two ends."""
    count = max(1, ceil((length - OVERLAP) / (TILE - OVERLAP)))
    size = ceil((length + (count - 1) * OVERLAP) / count / MULTIPLE) * MULTIPLE
    starts = [round(i * (length - size) / max(1, count - 1)) for i in range(count)]
    seams = [(a + size + b) / 2 for a, b in pairwise(starts)]
    # A box may be centred beyond the picture, so the outer cores are open.
    lows = [-inf, *(seam - SLACK for seam in seams)]
    highs = [*(seam + SLACK for seam in seams), inf]
    return size, list(zip(starts, lows, highs, strict=True))
