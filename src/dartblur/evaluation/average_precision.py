"""Precision and recall of detections against true faces, and the area under their curve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dartblur import boxes as boxlib
from dartblur.faces import Faces

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
ALL_HEIGHTS = (0.0, float("inf"))


def precision_recall(
    found: Sequence[Faces],
    truth: Sequence[Faces],
    overlap: float = 0.5,
    heights: tuple[float, float] = ALL_HEIGHTS,
) -> tuple[Floats, Floats]:
    """Recall and precision, (D,) each, after every detection that counts, best score first.

    found, truth: one `Faces` for each picture. A detection takes the free true face that it
    overlaps most, by `overlap` at least; one that overlaps an ignored face instead does not count.
    heights: from the first to under the second, in pixels; other true faces are ignored, and a
    detection of another height counts only where it hits. Both are empty without true faces.
    """
    truth = [_within(t, heights) for t in truth]
    faces = sum(int((~t.ignore).sum()) for t in truth)
    if faces == 0:
        return np.zeros(0), np.zeros(0)
    judged = []
    for f, t in zip(found, truth, strict=True):
        hit, counted = judge(f, t, overlap)
        judged.append((hit, counted & (hit | _are_within(f, heights))))
    scores = np.concatenate(
        [f.scores[counted] for f, (_, counted) in zip(found, judged, strict=True)]
    )
    right = np.concatenate([hit[counted] for hit, counted in judged])
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    return hits / faces, hits / np.arange(1, len(hits) + 1)


def _within(faces: Faces, heights: tuple[float, float]) -> Faces:
    return Faces(faces.boxes, faces.scores, faces.ignore | ~_are_within(faces, heights))


def _are_within(faces: Faces, heights: tuple[float, float]) -> Flags:
    height = faces.boxes[:, 3] - faces.boxes[:, 1]
    return np.asarray((height >= heights[0]) & (height < heights[1]))


def judge(found: Faces, truth: Faces, overlap: float) -> tuple[Flags, Flags]:
    """For each detection: does it hit a true face, and does it count at all."""
    hit = np.zeros(len(found), np.bool_)
    counted = np.ones(len(found), np.bool_)
    if len(found) == 0 or len(truth) == 0:
        return hit, counted
    shared = boxlib.iou(found.boxes, truth.boxes)
    free = ~truth.ignore
    near = np.flatnonzero(shared.max(axis=1) >= overlap)
    for i in near[np.argsort(-found.scores[near], kind="stable")]:
        candidates = np.where(free, shared[i], 0)
        best = int(candidates.argmax())
        if candidates[best] >= overlap:
            hit[i], free[best] = True, False
        elif (shared[i][truth.ignore] >= overlap).any():
            counted[i] = False
    return hit, counted


def area_under(recall: Floats, precision: Floats) -> float:
    """Average precision, in [0, 1]: the area under the interpolated curve.

    Each recall has the best precision at it or beyond.
    """
    steps = np.diff(np.concatenate([[0.0], recall]))
    return float((steps * _falling(precision)).sum())


def precision_at(recalls: Floats, recall: Floats, precision: Floats) -> Floats:
    """The best precision at each of `recalls` or beyond; 0 where no recall is as high."""
    reached = np.searchsorted(recall, recalls, side="left")
    return np.append(_falling(precision), 0.0)[reached]


def _falling(precision: Floats) -> Floats:
    return np.maximum.accumulate(precision[::-1])[::-1]
