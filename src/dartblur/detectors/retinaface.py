"""RetinaFace with MobileNet-0.25 (Deng et al. 2019, arXiv:1905.00641): boxes relative to priors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dartblur.faces import FloatArray
from dartblur.onnx_runtime import Maps

PRIORS = {4: (10,), 8: (16, 32), 16: (64, 128), 32: (256, 512)}
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2


def decode(maps: Maps, index: int, floor: float) -> tuple[FloatArray, FloatArray]:
    """The boxes (N, 4) and scores (N,) of picture `index`, not yet merged, in network pixels.

    maps: for each stride s of 8, 16, 32, and 4 where the network has that level: `score{s}`
        (B, priors, h, w) and `box{s}` (B, 4 * priors, h, w).
    floor: candidates that score less are left out.
    """
    boxes, scores = [], []
    for stride, sizes in PRIORS.items():
        if f"score{stride}" not in maps:
            continue
        score = maps[f"score{stride}"][index]
        prior, row, column = np.nonzero(score >= floor)
        values = maps[f"box{stride}"][index].reshape(len(sizes), 4, *score.shape[1:])
        centre = (np.stack([column, row], axis=1) + 0.5) * stride
        boxes.append(from_priors(values[prior, :, row, column], centre, np.array(sizes)[prior]))
        scores.append(score[prior, row, column])
    return np.concatenate(boxes), np.concatenate(scores)


def from_priors(
    values: npt.NDArray[np.float32],
    centres: npt.NDArray[np.floating],
    sizes: npt.NDArray[np.integer],
) -> FloatArray:
    """Boxes (N, 4) from the network's values (N, 4) for square priors at `centres` (N, 2)."""
    size = sizes[:, None].astype(np.float32)
    centre = centres + values[:, :2] * CENTRE_VARIANCE * size
    half = size * np.exp(values[:, 2:] * SIZE_VARIANCE) / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)
