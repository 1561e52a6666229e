"""FDDB's protocol: discrete and continuous scores of detections against ellipses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dartblur.datasets.fddb import Ellipses
from dartblur.errors import UsageError
from dartblur.faces import Faces

Floats = npt.NDArray[np.float64]
_MATCHED = 0.5


@dataclass(frozen=True, eq=False)
class FddbCurves:
    """Both curves of FDDB, at every score of a detection, falling: each (T,).

    false_positives: detections not paired with a face that they overlap by more than a half.
    discrete: share of faces paired so. continuous: sum of the overlaps of all pairs over the number
    of faces.
    """

    thresholds: Floats
    false_positives: Floats
    discrete: Floats
    continuous: Floats

    def at(self, false_positives: int) -> tuple[float, float]:
        """The best discrete and continuous scores with no more than so many false positives."""
        within = self.false_positives <= false_positives
        if not within.any():
            return 0.0, 0.0
        return float(self.discrete[within].max()), float(self.continuous[within].max())


def score_fddb(found: Sequence[Faces], truth: Sequence[Ellipses]) -> FddbCurves:
    """The curves of detections, one `Faces` for each picture, against its ellipses (N, 5).

    At each threshold detections and ellipses of a picture are paired so that the overlaps
    (intersection over union of the two regions) add up to the most.

    Raises:
        UsageError: scipy, which finds the best pairs, is not installed.
    """
    steps = [
        _steps(f, ellipse_overlap(f.boxes.astype(np.float64), e))
        for f, e in zip(found, truth, strict=True)
    ]
    table = np.concatenate([np.zeros((0, 4)), *steps])
    table = table[np.argsort(-table[:, 0], kind="stable")]
    # Detections of one score come in together.
    last = np.append(np.diff(table[:, 0]) != 0, True)[: len(table)]
    thresholds, false, right, overlap = np.column_stack(
        [table[:, 0], np.cumsum(table[:, 1:], axis=0)]
    )[last].T
    faces = max(sum(map(len, truth)), 1)
    return FddbCurves(thresholds, false, right / faces, overlap / faces)


def ellipse_overlap(boxes: Floats, ellipses: Ellipses) -> Floats:
    """Intersection over union of boxes and ellipses as regions, (D, N), exact."""
    major, minor, angle, x, y = ellipses.T
    left, top, right, bottom = boxes.T[..., None]
    corner_x = np.stack([left, right, right, left], -1) - x[:, None]  # (D, N, 4)
    corner_y = np.stack([top, top, bottom, bottom], -1) - y[:, None]
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    # Where the ellipse is the unit circle, the box is a parallelogram.
    u = (corner_x * cosine + corner_y * sine) / major[:, None]
    v = (corner_y * cosine - corner_x * sine) / minor[:, None]
    shared = _in_unit_circle(u, v) * major * minor
    areas = (right - left) * (bottom - top) + np.pi * major * minor
    overlap: Floats = np.clip(shared / (areas - shared), 0, 1)
    return overlap


def _in_unit_circle(x: Floats, y: Floats) -> Floats:
    """Area of polygons (..., corners) within the unit circle: a sum over their edges."""
    dx, dy = np.roll(x, -1, -1) - x, np.roll(y, -1, -1) - y
    length = np.maximum(dx**2 + dy**2, 1e-300)
    along = -(x * dx + y * dy) / length
    root = along**2 - (x**2 + y**2 - 1) / length
    half = np.sqrt(np.maximum(root, 0))
    # An edge that misses the circle makes one sector; both cuts then lie on its first corner.
    enter = np.where(root > 0, np.clip(along - half, 0, 1), 0)
    leave = np.where(root > 0, np.clip(along + half, 0, 1), 0)
    ax, ay, bx, by = x + enter * dx, y + enter * dy, x + leave * dx, y + leave * dy
    sectors = _turn(x, y, ax, ay) + _turn(bx, by, x + dx, y + dy)
    area: Floats = np.abs((sectors + ax * by - ay * bx).sum(-1) / 2)
    return area


def _turn(ax: Floats, ay: Floats, bx: Floats, by: Floats) -> Floats:
    return np.arctan2(ax * by - ay * bx, ax * bx + ay * by)


def _steps(found: Faces, overlap: Floats) -> Floats:
    """What each threshold of one picture adds: (T, 4) threshold, false, right, overlap."""
    thresholds = np.unique(found.scores)[::-1].astype(np.float64)
    totals = np.zeros((len(thresholds) + 1, 3))
    for i, threshold in enumerate(thresholds, 1):
        kept = overlap[found.scores >= threshold]
        pairs = _best_pairs(kept)
        right = int((pairs > _MATCHED).sum())
        totals[i] = len(kept) - right, right, pairs.sum()
    return np.column_stack([thresholds, np.diff(totals, axis=0)])


def _best_pairs(overlap: Floats) -> Floats:
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise UsageError("FDDB's protocol needs scipy: pip install 'dartblur[evaluate]'") from error
    # Detections that touch no face pair with none: leaving them out keeps the problem small.
    near = overlap[overlap.any(1)]
    pairs: Floats = near[linear_sum_assignment(near, maximize=True)]
    return pairs
