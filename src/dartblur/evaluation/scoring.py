"""Every figure of merit of detections: our own area under the curve, and COCO's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from dartblur.evaluation.average_precision import area_under, precision_at, precision_recall
from dartblur.faces import Faces

RECALLS = np.linspace(0, 1, 101)
HEIGHTS = {"12-20": (12.0, 20.0), "20-32": (20.0, 32.0), "32-64": (32.0, 64.0), "64-": (64.0, 1e9)}
"""Bands of face heights by name, in pixels of the pictures that are searched."""


@dataclass(frozen=True)
class Scores:
    """Average precision in percent; the fields are those of `results.Row`.

    ap50: area under the all-point interpolated curve at IoU 0.5. coco_ap50, coco_ap: COCO's, at 101
    recalls, at IoU 0.5 and at 0.50:0.95. precision: interpolated, in [0, 1] with four decimals, at
    recall 0, 0.01 .. 1. by_height: as ap50, of the true faces in each band of `HEIGHTS` that has
    any.
    """

    ap50: float
    coco_ap50: float
    coco_ap: float
    precision: tuple[float, ...]
    by_height: dict[str, float]


def score(found: Sequence[Faces], truth: Sequence[Faces]) -> Scores:
    """Scores detections, one `Faces` a picture; all figures are 0 without true faces.

    As many detections a picture count as there are. Ignored faces: ours passes over a detection
    whose IoU with one is 0.5 or more; COCO's takes them for crowds, and passes over one that lies
    in them by half of its own area.
    """
    curve = precision_recall(found, truth)
    precision = precision_at(RECALLS, *curve).round(4)
    coco = coco_precision(found, truth)
    return Scores(
        100 * area_under(*curve),
        100 * float(coco[0].mean()),
        100 * float(coco.mean()),
        tuple(precision.tolist()),
        ap50_by_height(found, truth),
    )


def ap50_by_height(found: Sequence[Faces], truth: Sequence[Faces]) -> dict[str, float]:
    """`Scores.by_height`."""
    figures = {}
    for name, heights in HEIGHTS.items():
        recall, precision = precision_recall(found, truth, heights=heights)
        if any(_has_faces(t, heights) for t in truth):
            figures[name] = 100 * area_under(recall, precision)
    return figures


def _has_faces(truth: Faces, heights: tuple[float, float]) -> bool:
    height = (truth.boxes[:, 3] - truth.boxes[:, 1])[~truth.ignore]
    return bool(((height >= heights[0]) & (height < heights[1])).any())


def coco_precision(found: Sequence[Faces], truth: Sequence[Faces]) -> np.ndarray[Any, Any]:
    """COCO's interpolated precision, (10, 101): IoU 0.50, 0.55 .. 0.95 by recall 0, 0.01 .. 1."""
    if len(found) != len(truth):
        raise ValueError(f"{len(found)} pictures were searched, but {len(truth)} have a truth")
    if not any((~faces.ignore).any() for faces in truth):
        return np.zeros((10, 101))
    evaluation = COCOeval_faster(_coco(truth), _coco(found), "bbox")
    evaluation.params.maxDets = [max(1, *(len(faces) for faces in found))]
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
    evaluation.evaluate()
    evaluation.accumulate()
    precision: np.ndarray[Any, Any] = np.asarray(evaluation.eval["precision"])[:, :, 0, 0, 0]
    return precision


def _coco(pictures: Sequence[Faces]) -> COCO:
    coco = COCO()
    annotations: list[dict[str, Any]] = []
    for image, faces in enumerate(pictures, 1):
        corners = faces.boxes.astype(np.float64)
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        for box, confidence, ignore in zip(
            boxes.tolist(), faces.scores.tolist(), faces.ignore.tolist(), strict=True
        ):
            annotations.append(
                {
                    "id": len(annotations) + 1,  # 0 would stand for "unmatched"
                    "image_id": image,
                    "category_id": 1,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": int(ignore),
                    "score": confidence,
                }
            )
    coco.dataset = {
        "images": [{"id": image} for image in range(1, len(pictures) + 1)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "face"}],
    }
    coco.createIndex()
    return coco
