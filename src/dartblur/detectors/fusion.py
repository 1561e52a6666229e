"""Box fusion: one box per face, out of the boxes of several passes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dartblur import boxes as box
from dartblur.faces import Faces, FloatArray

Scores = npt.NDArray[np.floating]


class Fused(NamedTuple):
    """One box per face.

    boxes: (N, 4), best score first. scores: (N,). deviation: (N, 4) in pixels, the standard
    deviation of each edge among the boxes that were fused.
    """

    boxes: FloatArray
    scores: Scores
    deviation: FloatArray


def fuse(boxes: FloatArray, scores: Scores, overlap: float) -> Fused:
    """Non-maximum suppression in which the boxes that go still have a say in where the best lies.

    Each box joins the surviving one that it overlaps most; the survivor becomes the mean of its
    group, weighted by the square of the score, and keeps its own score, the group's best.

    overlap: intersection over union above which two boxes are one face.
    """
    kept = box.nms(boxes, scores, overlap)
    if not len(kept):
        return Fused(boxes[:0], scores[:0], boxes[:0])
    shared = box.iou(boxes[kept], boxes)
    group = shared.argmax(axis=0)
    weight = np.where(shared.max(axis=0) > overlap, scores.astype(np.float64) ** 2, 0)
    # The survivor's own weight keeps the sum from being zero, whatever its score and shape.
    weight[kept] = np.maximum(weight[kept], 1e-9)
    group[kept] = np.arange(len(kept))
    total = np.bincount(group, weight, len(kept))

    def mean(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        sums = [np.bincount(group, weight * column, len(kept)) for column in values.T]
        return np.stack(sums, axis=1) / total[:, None]

    fused = mean(boxes)
    deviation = np.sqrt(mean((boxes - fused[group]) ** 2))
    return Fused(fused.astype(np.float32), scores[kept], deviation.astype(np.float32))


def suppress(boxes: FloatArray, scores: Scores, overlap: float) -> tuple[FloatArray, Scores]:
    """Plain non-maximum suppression: boxes (N, 4) and scores (N,), best score first."""
    kept = box.nms(boxes, scores, overlap)
    return boxes[kept], scores[kept]


def unite(faces: Faces, others: Faces, overlap: float) -> Faces:
    """What was found in either of two views of a scene, best score first: per face a box of both.

    Neighbours in one view stay two. overlap: intersection over union above which a box of each is
    one face.
    """
    boxes, scores = faces.boxes.copy(), faces.scores.copy()
    shared = box.iou(others.boxes, boxes)
    known = shared.max(axis=1, initial=0) > overlap
    if known.any():
        of = shared[known].argmax(axis=1)
        np.minimum.at(boxes[:, :2], of, others.boxes[known, :2])
        np.maximum.at(boxes[:, 2:], of, others.boxes[known, 2:])
        np.maximum.at(scores, of, others.scores[known])
    both = Faces.concatenate([Faces(boxes, scores, faces.ignore), others[~known]])
    return both[np.argsort(-both.scores, kind="stable")]
