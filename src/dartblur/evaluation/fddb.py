"""FDDB's protocol: discrete and continuous scores of detections against ellipses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.datasets.fddb import Ellipses, Size
from dartblur.errors import UsageError
from dartblur.faces import Faces

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.int64]
_MATCHED = 0.5
_UNBOUNDED = (2**31, 2**31)


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


def score_fddb(
    found: Sequence[Faces],
    truth: Sequence[Ellipses],
    sizes: Sequence[Size | None] | None = None,
) -> FddbCurves:
    """The curves of detections, one `Faces` for each picture, against its ellipses (N, 5).

    sizes: height and width of each picture, None where unknown; see `ellipse_overlap`.

    At each threshold detections and ellipses of a picture are paired so that the overlaps
    (intersection over union of the two regions' pixels) add up to the most.

    Raises:
        UsageError: scipy, which finds the best pairs, is not installed.
    """
    steps = [
        _steps(f, ellipse_overlap(f.boxes.astype(np.float64), e, size))
        for f, e, size in zip(found, truth, sizes or [None] * len(truth), strict=True)
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


def ellipse_overlap(boxes: Floats, ellipses: Ellipses, size: Size | None = None) -> Floats:
    """Intersection over union of boxes and ellipses as pixels of their picture, (D, N).

    As the official program draws them: corners and centres at the nearest pixel, half axes cut to
    whole pixels, both edges of a box included; what lies outside the picture counts for neither.

    size: height and width of the picture; None where it is unknown: then only what lies left of it
    and above is cut off.
    """
    height, width = size or _UNBOUNDED
    picture = np.array([[0, 0, width, height]])
    spans = np.concatenate([_pixel_spans(boxes, size), picture])
    left, top, right, bottom = spans[:-1].T
    box_areas = (right - left) * (bottom - top)
    overlap = np.zeros((len(boxes), len(ellipses)))
    for column, ellipse in enumerate(ellipses):
        counts = _pixels_within(spans, ellipse)
        shared, area = counts[:-1], counts[-1]
        overlap[:, column] = shared / np.maximum(box_areas + area - shared, 1)
    return overlap


def _pixel_spans(boxes: Floats, size: Size | None) -> Pixels:
    """The pixels that boxes cover within the picture, (D, 4): first and one past the last."""
    height, width = size or _UNBOUNDED
    first, last = np.rint(boxes[:, :2]), np.rint(boxes[:, 2:]) + 1
    spans = np.concatenate([first, np.maximum(first, last)], 1)
    clipped: Pixels = np.clip(spans, 0, [width, height, width, height]).astype(np.int64)
    return clipped


def _pixels_within(spans: Pixels, ellipse: Floats) -> Pixels:
    """How many pixels of an ellipse lie in each span, (D,)."""
    left, top, mask = _drawn(ellipse)
    sums = cv2.integral(mask)
    height, width = mask.shape
    inside = np.clip(spans - [left, top, left, top], 0, [width, height, width, height])
    x1, y1, x2, y2 = inside.T
    counts: Pixels = sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1]
    return counts


def _drawn(ellipse: Floats) -> tuple[int, int, npt.NDArray[np.uint8]]:
    """An ellipse's pixels, 0 or 1, and where the first of them lies: left, top, (H, W)."""
    axes = int(ellipse[0]), int(ellipse[1])
    x, y = (int(v) for v in np.rint(ellipse[3:]))
    reach = max(axes) + 2
    mask = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    cv2.ellipse(mask, (reach, reach), axes, float(np.degrees(ellipse[2])), 0, 360, 1, cv2.FILLED)
    return x - reach, y - reach, mask


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
