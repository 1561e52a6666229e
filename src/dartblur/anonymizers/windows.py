"""Face windows: what the compact generator sees of a picture, and where its answer goes.

Training and the runtime share this geometry. A window is the box of a face with a margin of already
blurred picture around it, so that the generator can meet the surroundings without a seam.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dartblur.anonymizers.base import paste_order
from dartblur.boxes import IntArray
from dartblur.faces import FloatArray, Image

_SEEDS = 2**31
# A prime near the golden section of it.
_TRACK_STEP = 1_327_217_909


@dataclass(frozen=True)
class WindowGeometry:
    """How windows are cut for a generator.

    size: cells along a side of the window. margin: on every side, a box's side over this number of
    blurred picture, at least one pixel. log_range: `log_size` is kept in it; what training covers,
    by default 8 to 181 pixels.

    Raises:
        ValueError: size or margin is not positive.
    """

    size: int = 48
    margin: int = 6
    log_range: tuple[float, float] = (-2.0, 2.5)

    def __post_init__(self) -> None:
        if self.size < 1 or self.margin < 1:
            raise ValueError(f"size ({self.size}) and margin ({self.margin}) must be positive")

    def region(self, boxes: IntArray) -> IntArray:
        """Boxes with their margin, (N, 4) whole pixels; may reach beyond the picture."""
        reach = np.maximum((boxes[:, 2:] - boxes[:, :2]) // self.margin, 1)
        return np.concatenate([boxes[:, :2] - reach, boxes[:, 2:] + reach], axis=1)

    def log_size(self, boxes: IntArray) -> FloatArray:
        """Binary logarithm of each box's mean side over 32 pixels, within `log_range`, (N,)."""
        side = (boxes[:, 2:] - boxes[:, :2]).mean(axis=1).clip(min=1)
        sizes: FloatArray = np.log2(side / 32).clip(*self.log_range).astype(np.float32)
        return sizes


@dataclass(frozen=True)
class Windows:
    """Windows of one blurred picture.

    boxes: (N, 4) whole pixels within the picture, in the order in which they are painted.
    regions: (N, 4) whole pixels, each box with its margin; may reach beyond the picture.
    pixels: (N, 3, S, S) uint8. log_size: (N,) float32, see `WindowGeometry`. seed: (N,) int64, of
    the noise that each face is painted with.
    """

    boxes: IntArray
    regions: IntArray
    pixels: Image
    log_size: FloatArray
    seed: IntArray


def extract(
    blurred: Image, boxes: IntArray, geometry: WindowGeometry, tracks: IntArray | None = None
) -> Windows:
    """Cuts a window for every box that touches a pixel.

    blurred: (H, W, 3) with every face blurred. boxes: (N, 4) whole pixels within the picture.
    tracks: (N,), see `Faces`; a track's noise is the same in every frame, or a still face would
    flicker. That of other faces is told by the blurred pixels: the same face, the same noise.
    """
    order = paste_order(boxes)
    boxes = boxes[order]
    regions, size = geometry.region(boxes), geometry.size
    pixels = np.empty((len(boxes), 3, size, size), np.uint8)
    for i, region in enumerate(regions):
        pixels[i] = _cut(blurred, region, size).transpose(2, 0, 1)
    seed = pixels.sum(axis=(1, 2, 3), dtype=np.int64)
    if tracks is not None:
        # Neighbouring numbers give places far apart.
        seed = np.where(tracks[order] > 0, tracks[order] % _SEEDS * _TRACK_STEP % _SEEDS, seed)
    return Windows(boxes, regions, pixels, geometry.log_size(boxes), seed)


def blend_weights(box: IntArray, others: IntArray) -> FloatArray | None:
    """What a box's own patch weighs among that of others, (h, w) in (0, 1]; None: it meets none.

    Every box weighs as the squared distance from its border.
    """
    low, high = np.maximum(others[:, :2], box[:2]), np.minimum(others[:, 2:], box[2:])
    met = (low < high).all(axis=1)
    if not met.any():
        return None
    own = _weight(box)
    total = own.copy()
    for each, (x1, y1), (x2, y2) in zip(others[met], low[met], high[met], strict=True):
        weight = _weight(each)[y1 - each[1] : y2 - each[1], x1 - each[0] : x2 - each[0]]
        total[y1 - box[1] : y2 - box[1], x1 - box[0] : x2 - box[0]] += weight
    return np.asarray(own / total, np.float32)


def _weight(box: IntArray) -> FloatArray:
    width, height = box[2:] - box[:2]
    x, y = (np.arange(side, dtype=np.float32) + 0.5 for side in (width, height))
    nearest = np.minimum(np.minimum(x, width - x), np.minimum(y, height - y)[:, None])
    return np.asarray(nearest**2, np.float32)


def _cut(blurred: Image, region: IntArray, size: int) -> Image:
    height, width = blurred.shape[:2]
    x1, y1, x2, y2 = (int(v) for v in region)
    inside = blurred[max(y1, 0) : min(y2, height), max(x1, 0) : min(x2, width)]
    if inside.shape[:2] != (y2 - y1, x2 - x1):
        edges = (max(-y1, 0), max(y2 - height, 0), max(-x1, 0), max(x2 - width, 0))
        inside = np.asarray(cv2.copyMakeBorder(inside, *edges, cv2.BORDER_REPLICATE), np.uint8)
    shrinks = inside.shape[0] > size or inside.shape[1] > size
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(inside, (size, size), interpolation=how), np.uint8)
