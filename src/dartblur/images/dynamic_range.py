"""The range of values that a picture uses, where that is a small part of what it could."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from dartblur.faces import Image

Values = npt.NDArray[Any]

# A picture that uses less of its scale than this is too dark, or too flat, to be seen as it is:
# 14 bits and fewer in 16, 6 and fewer in 8.
NARROW = 1 / 4
# Specular lights, dead pixels and borders are left out at both ends, in percent of the values.
_OUTLIERS = 1.0
# A narrower range is mostly noise; it is not drawn out further than this.
_LEAST = 15
_ROWS = 256
# So many pixels, evenly spread, tell the range.
_SAMPLED = 2**16


@dataclass(frozen=True)
class DynamicRange:
    """The range that is shown as 0 to 255; values beyond it are shown as its ends."""

    low: float
    high: float

    def to_8_bits(self, values: Values) -> Image:
        """uint8 of values in the picture's own depth, of the same shape."""
        out = np.empty(values.shape, np.uint8)
        scale, low = np.float32(255 / (self.high - self.low)), np.float32(self.low)
        # In pieces: as fractions, a large picture would take four times its memory.
        for start in range(0, len(values), _ROWS):
            drawn_out = (values[start : start + _ROWS].astype(np.float32) - low) * scale
            out[start : start + _ROWS] = np.clip(np.rint(drawn_out), 0, 255)
        return out

    def from_8_bits(self, shown: Image, dtype: np.dtype[Any]) -> Values:
        """The way back: values in the picture's own depth, within the range."""
        scale = (self.high - self.low) / 255
        return np.rint(self.low + shown.astype(np.float64) * scale).astype(dtype)


def used_range(values: Values, full: float) -> DynamicRange | None:
    """The range that is in use, without outliers; None where it is an ordinary one.

    values: (H, W, C) or (N, C), in 0 to `full`.
    """
    sampled = _sparse(values)
    if not sampled.size:
        return None
    ranks = [int(share / 100 * (sampled.size - 1)) for share in (_OUTLIERS, 100 - _OUTLIERS)]
    low, high = np.partition(sampled, ranks, axis=None)[ranks].tolist()
    if high <= low:
        # Nearly all is one colour, and what is not may be what matters.
        low, high = values.min(), values.max()
    if high <= low or high - low >= NARROW * full:
        return None
    low = min(float(low), full - _LEAST)
    return DynamicRange(low, max(float(high), low + _LEAST))


def _sparse(values: Values) -> Values:
    pixels = values.size // values.shape[-1]
    step = max(1, ceil(sqrt(pixels / _SAMPLED)))
    return values[::step, ::step] if values.ndim == 3 else values[:: step * step]


def composite_over(colour: Image, alpha: Values, full: int, ground: int) -> npt.NDArray[np.uint16]:
    """What is seen of (H, W, 3) colour over a plain ground, 257 times as fine.

    alpha: (H, W), `full` where it is opaque. ground: 0 or 255.
    """
    out = np.empty(colour.shape, np.uint16)
    for start in range(0, len(colour), _ROWS):
        part = slice(start, start + _ROWS)
        share = (alpha[part, :, None] / full).astype(np.float32)
        out[part] = np.rint((colour[part] * share + ground * (1 - share)) * 257)
    return out
