"""Average precision of detections against faces that are taken for the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dartblur import boxes as boxlib
from dartblur.faces import Faces

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def average_precision(
    found: Sequence[Faces], truth: Sequence[Faces], overlap: float = 0.5
) -> float:
    """Area under the interpolated precision-recall curve, in [0, 1]; 0 without true faces.

    found, truth: one `Faces` for each picture. A detection takes the free true face that it
    overlaps most, by `overlap` at least; one that overlaps an ignored face instead does not count.
    """
    faces = sum(int((~t.ignore).sum()) for t in truth)
    if faces == 0:
        return 0.0
    judged = [judge(f, t, overlap) for f, t in zip(found, truth, strict=True)]
    scores = np.concatenate(
        [f.scores[counted] for f, (_, counted) in zip(found, judged, strict=True)]
    )
    right = np.concatenate([hit[counted] for hit, counted in judged])
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    precision = hits / np.arange(1, len(hits) + 1)
    return area_under(hits / faces, precision)


def judge(found: Faces, truth: Faces, overlap: float) -> tuple[Flags, Flags]:
    """For each detection: does it hit a true face, and does it count at all."""
    hit = np.zeros(len(found), np.bool_)
    counted = np.ones(len(found), np.bool_)
    if len(found) == 0 or len(truth) == 0:
        return hit, counted
    shared = boxlib.iou(found.boxes, truth.boxes)
    free = ~truth.ignore
    for i in np.argsort(-found.scores, kind="stable"):
        candidates = np.where(free, shared[i], 0)
        best = int(candidates.argmax())
        if candidates[best] >= overlap:
            hit[i], free[best] = True, False
        elif (shared[i][truth.ignore] >= overlap).any():
            counted[i] = False
    return hit, counted


def area_under(recall: Floats, precision: Floats) -> float:
    """Area under precision made falling: each recall has the best precision at it or beyond."""
    best = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.diff(np.concatenate([[0.0], recall]))
    return float((steps * best).sum())
