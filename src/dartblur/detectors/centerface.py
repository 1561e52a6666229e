"""CenterFace (Xu et al. 2019, arXiv:1911.03599): a face is a peak in a map of centres."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dartblur.faces import FloatArray
from dartblur.onnx_runtime import Maps

STRIDE = 4


def decode(maps: Maps, index: int, floor: float) -> tuple[FloatArray, FloatArray]:
    """The boxes (N, 4) and scores (N,) of picture `index`, not yet merged, in network pixels.

    maps: `heat` (B, 1, h, w), `size` and `offset` (B, 2, h, w), height before width.
    floor: candidates that score less are left out.
    """
    heat = maps["heat"][index, 0]
    row, column = np.nonzero(heat >= floor)
    half = _pairs(np.exp(maps["size"][index, :, row, column])) * (STRIDE / 2)
    offset = _pairs(maps["offset"][index, :, row, column])
    centre = (np.stack([column, row], axis=1) + offset + 0.5) * STRIDE
    boxes = np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)
    return boxes, heat[row, column]


def _pairs(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(N, 2) height, width as width, height."""
    return values[:, ::-1]
