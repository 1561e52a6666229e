"""CrowdHuman's protocol: average precision and log-average miss rate, with ignore regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dartblur import boxes as boxlib
from dartblur.faces import BoolArray, Faces

Floats = npt.NDArray[np.float64]
_REFERENCES = 10 ** np.linspace(-2, 0, 9)
_LEAST_RATE = 1e-10


@dataclass(frozen=True)
class CrowdHumanScores:
    """average_precision, recall: in [0, 1]. miss_rate: MR⁻², the lower the better."""

    average_precision: float
    miss_rate: float
    recall: float


def score_crowdhuman(
    found: Sequence[Faces], truth: Sequence[Faces], overlap: float = 0.5
) -> CrowdHumanScores:
    """Scores detections, clipped to their pictures, against heads: one `Faces` each a picture.

    Best first, a detection takes the free head that it overlaps most (intersection over union above
    `overlap`). One that takes none, but lies in an ignored region (intersection over its own area
    above `overlap`), does not count; a region takes any number. Precision is joined by straight
    lines, from its first value at recall 0.
    """
    heads = sum(int((~t.ignore).sum()) for t in truth)
    judged = [_judge(f, t, overlap) for f, t in zip(found, truth, strict=True)]
    kept = [f.scores[counts] for f, (_, counts) in zip(found, judged, strict=True)]
    scores = np.concatenate([np.zeros(0, np.float32), *kept])
    hits = [hit[counts] for hit, counts in judged]
    right = np.concatenate([np.zeros(0, np.bool_), *hits])[np.argsort(-scores, kind="stable")]
    if not len(right) or not heads:
        return CrowdHumanScores(0.0, 1.0, 0.0)
    true, false = np.cumsum(right), np.cumsum(~right)
    recall, precision = true / heads, true / (true + false)
    heights = np.concatenate([precision[:1], precision])
    area = float(np.diff(recall, prepend=0) @ (heights[1:] + heights[:-1]) / 2)
    return CrowdHumanScores(area, _miss_rate(1 - recall, false / len(truth)), float(recall[-1]))


def _judge(found: Faces, truth: Faces, overlap: float) -> tuple[BoolArray, BoolArray]:
    """For each detection: does it take a head, and does it count at all."""
    hit, counts = np.zeros(len(found), np.bool_), np.ones(len(found), np.bool_)
    free = ~truth.ignore
    shared = boxlib.iou(found.boxes, truth.boxes)
    within = _ignored_share(found, truth)
    for i in np.argsort(-found.scores, kind="stable"):
        candidates = np.where(free, shared[i], 0)
        best = int(candidates.argmax()) if len(candidates) else 0
        if len(candidates) and candidates[best] > overlap:
            hit[i], free[best] = True, False
        else:
            counts[i] = not within[i] > overlap
    return hit, counts


def _ignored_share(found: Faces, truth: Faces) -> Floats:
    """The largest share of each detection's area that one ignored region covers."""
    regions = truth.boxes[truth.ignore]
    inside: Floats = boxlib.intersection(found.boxes, regions).max(1, initial=0)
    own = boxlib.area(found.boxes)
    return np.divide(inside, own, out=np.zeros_like(inside), where=own > 0)


def _miss_rate(missed: Floats, false_each: Floats) -> float:
    """Geometric mean of the miss rate at nine numbers of false positives a picture, 0.01 to 1."""
    at = np.minimum(np.searchsorted(false_each, _REFERENCES), len(missed) - 1)
    return float(np.exp(np.log(np.maximum(missed[at], _LEAST_RATE)).mean()))
