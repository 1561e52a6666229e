"""The second stage: a network is shown each box by itself, with what surrounds it.

The detectors' scores tell little where they are low; a network that learned from their own mistakes
tells more (docs/detectors.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dartblur.detectors.fusion import Scores
from dartblur.faces import FloatArray, Image
from dartblur.onnx_runtime import Network

# Side of a crop, and of a box in it, in pixels: three quarters of a box's side lie around it.
SIDE, BOX = 56, 32
# Crops that are held at a time.
_AT_ONCE = 256


@dataclass(frozen=True)
class BoxClassifier:
    """A network: `crops` (N, 56, 56, 3) uint8 RGB, `heights` (N,) → `logits` (N,)."""

    network: Network

    def __call__(self, image: Image, boxes: FloatArray) -> Scores:
        """Per box a logit: positive where it shows a face more likely than not.

        image: (H, W, 3) uint8 RGB. boxes: (N, 4) in its pixels, of any place and size.
        """
        logits = [np.zeros(0, np.float32)]
        for start in range(0, len(boxes), _AT_ONCE):
            some = boxes[start : start + _AT_ONCE]
            heights = (some[:, 3] - some[:, 1]).astype(np.float32)
            shown = {"crops": crops(image, some), "heights": np.maximum(heights, 1)}
            logits.append(self.network(shown)["logits"])
        return np.concatenate(logits)


def crops(image: Image, boxes: FloatArray, side: int = SIDE) -> Image:
    """(N, side, side, 3) the boxes, each with its longer side at 32 pixels, black beyond the image.

    image: (H, W, 3) uint8. boxes: (N, 4) in its pixels. side: more than 56 shows more around.
    """
    out = np.zeros((len(boxes), side, side, 3), np.uint8)
    for crop, (x1, y1, x2, y2) in zip(out, boxes, strict=True):
        scale = BOX / max(x2 - x1, y2 - y1, 1.0)
        _draw(crop, image, ((x1 + x2) / 2, (y1 + y2) / 2), float(scale))
    return out


def _draw(crop: Image, image: Image, middle: tuple[float, float], scale: float) -> None:
    """Draws what is around a place of the image, scaled, around the middle of the crop."""
    side, sides = len(crop), (image.shape[1], image.shape[0])
    reach = side / scale / 2 + 1
    start = [max(0, int(m - reach)) for m in middle]
    end = [min(n, int(m + reach) + 1) for n, m in zip(sides, middle, strict=True)]
    if start[0] >= end[0] or start[1] >= end[1]:
        return
    part = image[start[1] : end[1], start[0] : end[0]]
    enlarged = max(scale, 1.0)
    if scale < 1:  # averaged, lest fine patterns make coarse ones
        size = [max(1, round((b - a) * scale)) for a, b in zip(start, end, strict=True)]
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    matrix = np.zeros((2, 3))
    for axis in range(2):
        factor = enlarged * part.shape[1 - axis] / (end[axis] - start[axis])
        matrix[axis, axis] = enlarged
        matrix[axis, 2] = (enlarged + side - 1) / 2 + factor * (start[axis] - middle[axis])
    cv2.warpAffine(part, matrix, (side, side), dst=crop, flags=cv2.INTER_LINEAR)
