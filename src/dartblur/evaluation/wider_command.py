"""The command `evaluate-widerface`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dartblur.evaluation.wider_files import SETTINGS
from dartblur.evaluation.wider_protocol import Order, WiderScores, score_widerface
from dartblur.files import write_atomically


def evaluate_widerface(
    predictions: Path,
    gt: Path,
    /,
    *,
    missing_as_empty: bool = False,
    order: Order = "file",
    json_out: Path | None = None,
) -> int:
    """Scores detections by WIDER FACE's official protocol: easy, medium and hard.

    Parameters
    ----------
    predictions
        The folder of event/name.txt files: the picture's name, the number of detections, and a line
        `x y w h score` for each, best first, in original pixels.
    gt
        The folder of wider_face_val.mat, wider_easy_val.mat, wider_medium_val.mat and
        wider_hard_val.mat.
    missing_as_empty
        Counts a picture without a file as one where nothing was found; otherwise that is an error.
    order
        How files that are not best first are read: "file" as they stand, as the usual Python
        evaluation does, or "score", sorted, as the MATLAB one does.
    json_out
        Writes the figures and the three curves there.

    Returns
    -------
        0
    """
    scores = score_widerface(predictions, gt, missing_as_empty, order)
    for setting in SETTINGS:
        print(f"{setting:<8}{getattr(scores, setting).average_precision:.4f}")
    if scores.missing:
        print(f"missing and counted as empty: {len(scores.missing)} files", file=sys.stderr)
    if scores.unsorted and order == "file":
        print(
            f"not best first, which lowers the figures: {len(scores.unsorted)} files, "
            f"the first {scores.unsorted[0]}; see --order",
            file=sys.stderr,
        )
    if json_out is not None:
        write_atomically(json_out, json.dumps(_record(scores), indent=1).encode() + b"\n")
    return 0


def _record(scores: WiderScores) -> dict[str, object]:
    curves = {setting: getattr(scores, setting) for setting in SETTINGS}
    return {
        **{setting: curve.average_precision for setting, curve in curves.items()},
        "detections": scores.detections,
        "missing": list(scores.missing),
        "unsorted": len(scores.unsorted),
        "curves": {
            setting: {"precision": curve.precision.tolist(), "recall": curve.recall.tolist()}
            for setting, curve in curves.items()
        },
    }
