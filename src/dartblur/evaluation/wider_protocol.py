"""WIDER FACE's official protocol: average precision on its easy, medium and hard faces.

A detection belongs to the face that it overlaps most (intersection over union of sides + 1 pixel),
from 0.5 on, whether or not another one has that face already. One that belongs to a face outside
the setting is passed over; all others are counted, and each face is found once. Scores are
stretched to 0..1 over the whole data set, and precision and recall are taken at 1,000 thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from dartblur.evaluation.wider_files import (
    SETTINGS,
    Table,
    WiderPicture,
    read_ground_truth,
    read_predictions,
)

THRESHOLDS = 1000
_LEAST_OVERLAP = 0.5
Order = Literal["file", "score"]


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision and recall at 1,000 falling thresholds, and the area that they make."""

    precision: Table
    recall: Table
    average_precision: float


@dataclass(frozen=True, eq=False)
class WiderScores:
    """What WIDER FACE's protocol says.

    missing: files that were not there and counted as empty. unsorted: files whose detections do not
    come best first, in which the order matters.
    """

    easy: Curve
    medium: Curve
    hard: Curve
    detections: int
    missing: tuple[str, ...]
    unsorted: tuple[str, ...]


def score_widerface(
    predictions: Path, gt: Path, missing_as_empty: bool = False, order: Order = "file"
) -> WiderScores:
    """Scores the detections in `predictions` (event/name.txt) against the four .mat files in `gt`.

    missing_as_empty: a missing file means that nothing was found, as in the MATLAB evaluation; the
    usual Python one stops there, and so do we. order: "file" takes a file's lines as they come, as
    the usual Python evaluation does, where a good score below a bad one lets that one in; "score"
    puts the best first, as the MATLAB one does. They differ only in files that are not sorted.

    Raises:
        BoxesError: a file is missing or malformed; the message names it and the line.
    """
    truth = read_ground_truth(gt)
    tables, missing = read_predictions(predictions, truth, missing_as_empty)
    unsorted = tuple(
        f"{p.event}/{p.name}.txt"
        for p, t in zip(truth, tables, strict=True)
        if (np.diff(t[:, 4]) > 0).any()
    )
    easy, medium, hard = evaluate(truth, tables, order)
    detections = sum(map(len, tables))
    return WiderScores(easy, medium, hard, detections, tuple(missing), unsorted)


def evaluate(
    truth: Sequence[WiderPicture], tables: Sequence[Table], order: Order = "file"
) -> list[Curve]:
    """The curve of each setting (easy, medium, hard) for detections (D, 5) of each picture."""
    lowest, span = _score_range(tables)
    counted = np.zeros((len(SETTINGS), THRESHOLDS + 1))
    found = np.zeros((len(SETTINGS), THRESHOLDS + 1))
    faces = np.zeros(len(SETTINGS))
    for picture, table in zip(truth, tables, strict=True):
        faces += [len(kept) for kept in picture.counted]
        # Detections in a picture without any face count nowhere: so the protocol has it.
        if not len(table) or not len(picture.boxes):
            continue
        if order == "score":
            table = table[np.argsort(-table[:, 4], kind="stable")]
        entry = _entries(table[:, 4], lowest, span)
        nearest, near = _nearest(table, picture.boxes)
        for s, kept in enumerate(picture.counted):
            in_setting = np.zeros(len(picture.boxes), np.bool_)
            in_setting[kept] = True
            counts = ~near | in_setting[nearest]
            hits = np.flatnonzero(near & in_setting[nearest])
            first = hits[np.unique(nearest[hits], return_index=True)[1]]
            counted[s] += np.bincount(entry[counts], minlength=THRESHOLDS + 1)
            found[s] += np.bincount(entry[first], minlength=THRESHOLDS + 1)
    curves = zip(np.cumsum(found, 1), np.cumsum(counted, 1), faces, strict=True)
    return [_curve(f[:THRESHOLDS], c[:THRESHOLDS], n) for f, c, n in curves]


def _score_range(tables: Sequence[Table]) -> tuple[float, float]:
    scores = [t[:, 4] for t in tables if len(t)]
    # The official bounds start at 1 and 0: scores that are all above 1 or below 0 keep that end.
    lowest = min([1.0, *(float(s.min()) for s in scores)])
    highest = max([0.0, *(float(s.max()) for s in scores)])
    return lowest, highest - lowest


def _entries(scores: Table, lowest: float, span: float) -> npt.NDArray[np.intp]:
    """The first threshold, 0 to 999, at which each detection counts; 1000 for never.

    At a threshold all detections count down to the last one in the file that reaches it.
    """
    # All scores alike: no score is worse than another, so all are best.
    normalized = (scores - lowest) / span if span > 0 else np.ones_like(scores)
    reached = np.maximum.accumulate(normalized[::-1])[::-1]
    rising = 1 - np.arange(THRESHOLDS, 0, -1) / THRESHOLDS
    return np.asarray(THRESHOLDS - np.searchsorted(rising, reached, side="right"), np.intp)


def _nearest(table: Table, boxes: Table) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """For each detection the face that it overlaps most, and whether it does by 0.5."""
    a, b = table[:, None, :4], boxes[None]  # (D, 1, 4), (1, G, 4): x y w h
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    sides = np.maximum(high - low + 1, 0)
    shared = sides[..., 0] * sides[..., 1]  # (D, G)
    area_a = (table[:, 2] + 1) * (table[:, 3] + 1)
    area_b = (boxes[:, 2] + 1) * (boxes[:, 3] + 1)
    overlap = shared / (area_a[:, None] + area_b[None] - shared)
    nearest = overlap.argmax(1)
    return nearest, overlap[np.arange(len(table)), nearest] >= _LEAST_OVERLAP


def _curve(found: Table, counted: Table, faces: float) -> Curve:
    precision = np.divide(found, counted, out=np.zeros_like(found), where=counted > 0)
    recall = found / max(faces, 1)
    ends = np.concatenate([[0.0], recall, [1.0]])
    heights = np.concatenate([[0.0], precision, [0.0]])
    envelope = np.maximum.accumulate(heights[::-1])[::-1]
    return Curve(precision, recall, float(np.sum(np.diff(ends) * envelope[1:])))
