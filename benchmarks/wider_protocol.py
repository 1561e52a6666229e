"""Time and memory of WIDER FACE's protocol on all 3,226 pictures, reading included.

    python benchmarks/wider_protocol.py GT --each 150 --json FILE

GT is the folder of the four .mat files. Writes a prediction file for every picture (its faces, each
moved at random, and false ones up to --each), then scores them as `evaluate-widerface` does.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from dartblur.evaluation.wider_files import SETTINGS, WiderPicture, read_ground_truth
from dartblur.evaluation.wider_protocol import score_widerface


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gt", type=Path)
    parser.add_argument("--each", type=int, default=150, help="least detections in a picture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="writes the predictions there, and leaves them")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        for picture in read_ground_truth(options.gt):
            write(folder, picture, detections(picture, options.each, rng))
        started, cpu = time.perf_counter(), time.process_time()
        scores = score_widerface(folder, options.gt)
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    row = {
        "detections": scores.detections,
        "wall_seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        **{s: round(getattr(scores, s).average_precision, 5) for s in SETTINGS},
    }
    print(json.dumps(row, indent=1))
    if options.json:
        options.json.write_text(json.dumps(row, indent=1) + "\n")


def detections(picture: WiderPicture, least: int, rng: np.random.Generator) -> np.ndarray:
    sides = np.tile(picture.boxes[:, 2:], 2)
    near = picture.boxes + rng.normal(0, 0.1, sides.shape) * sides
    count = max(least - len(near), 0)
    far = np.concatenate([rng.uniform(0, 1000, (count, 2)), rng.exponential(30, (count, 2))], 1)
    boxes = np.concatenate([near, far])
    boxes[:, 2:] = np.abs(boxes[:, 2:])
    scores = np.concatenate([rng.beta(4, 1, len(near)), rng.beta(1, 4, count)])
    table = np.concatenate([boxes, scores[:, None]], 1)
    return table[np.argsort(-scores)]


def write(folder: Path, picture: WiderPicture, table: np.ndarray) -> None:
    path = folder / picture.event / f"{picture.name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [" ".join(f"{v:.3f}" for v in row[:4]) + f" {row[4]:.5f}" for row in table]
    path.write_text("\n".join([picture.name, str(len(table)), *rows]) + "\n")


if __name__ == "__main__":
    main()
