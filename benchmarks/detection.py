"""Which faces the detectors hide, and how fast, beside `deface` 1.5 on the same photos and cores.

    pip install --no-deps deface==1.5.0
    python benchmarks/detection.py DATA

DATA is in the WIDER FACE layout. A face counts as hidden when 90 % of the middle 70 % x 70 % of its
box lies in detected boxes, each grown by --margin, or with --shape ellipse (pixel by pixel) in the
ellipses that fit into them; ignored faces (invalid = 1) do not count. "On
faces" is the share of grown boxes that touch a labelled or ignored face. Every photo goes to every
detector in turn, so that whatever else the machine does slows all alike; "CPU" is photos per second
of processor time. Without deface installed its row is left out.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dartblur import boxes as boxlib
from dartblur.datasets import FORMATS
from dartblur.detectors import make_detector
from dartblur.faces import Sample
from dartblur.images import read_picture
from dartblur.onnx_runtime import providers
from dartblur.pipeline import DEFAULT_MARGIN, cores

Image = npt.NDArray[np.uint8]
Find = Callable[[Image], npt.NDArray[np.floating]]

HEIGHTS = (8, 16, 32, 64, float("inf"))
MIDDLE, ENOUGH = 0.7, 0.9
DEFACE_THRESHOLD = 0.2  # its own default


@dataclass
class Tally:
    """What one detector came to, so far."""

    hidden: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(4, np.int64))
    faces: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(4, np.int64))
    boxes: int = 0
    on_faces: int = 0
    photos: int = 0
    wall: float = 0
    cpu: float = 0

    def add(
        self,
        boxes: npt.NDArray[np.floating],
        sample: Sample,
        size: tuple[int, ...],
        shape: boxlib.Shape,
    ) -> None:
        """Scores the boxes (N, 4) of one photo of `size`, already grown."""
        covers = boxlib.clip(boxes, *size[:2])
        labels = sample.faces
        wanted = labels.boxes[~labels.ignore]
        heights = wanted[:, 3] - wanted[:, 1]
        middle = boxlib.grow(wanted, (MIDDLE - 1) / 2)
        if shape == "box":
            shares = boxlib.hidden_share(middle, covers)
        else:
            mask = boxlib.mask(boxes, *size[:2], shape)
            parts = [mask[y1:y2, x1:x2] for x1, y1, x2, y2 in boxlib.to_pixels(middle, *size[:2])]
            shares = np.array([part.mean() if part.size else 0.0 for part in parts])
        done = shares >= ENOUGH
        self.faces += np.histogram(heights, HEIGHTS)[0]
        self.hidden += np.histogram(heights[done], HEIGHTS)[0]
        self.boxes += len(covers)
        self.on_faces += int((boxlib.intersection(covers, labels.boxes) > 0).any(axis=1).sum())
        self.photos += 1

    def row(self) -> list[float]:
        """Hidden by height, on faces, photos a second (wall, CPU)."""
        hidden = self.hidden / np.maximum(self.faces, 1)
        return [
            *(float(share) for share in hidden),
            self.on_faces / max(self.boxes, 1),
            self.photos / max(self.wall, 1e-9),
            self.photos / max(self.cpu, 1e-9),
        ]


def deface_finder() -> Find | None:
    """CenterFace as `deface` runs it, or None where that package is not installed."""
    try:
        module = importlib.import_module("deface.centerface")
    except ImportError as error:
        print(f"deface is left out ({error}): pip install --no-deps deface==1.5.0")
        return None
    network = module.CenterFace(backend="onnxrt")
    return lambda image: network(image, threshold=DEFACE_THRESHOLD)[0][:, :4]


def detector_finder(name: str, threshold: float | None, threads: int) -> Find:
    """One of this package's detectors."""
    detector = make_detector(name, threshold, threads)
    return lambda image: detector([image])[0].boxes


def measured(
    finders: dict[str, Find], samples: Iterator[Sample], margin: float, shape: boxlib.Shape
) -> dict[str, Tally]:
    """Runs every finder on every photo."""
    tallies = {name: Tally() for name in finders}
    warm = np.zeros((320, 320, 3), np.uint8)
    for find in finders.values():
        find(warm)
    for sample in samples:
        image = np.ascontiguousarray(read_picture(sample.image).rgb)
        for name, find in finders.items():
            wall, cpu = time.perf_counter(), time.process_time()
            boxes = find(image)
            tallies[name].wall += time.perf_counter() - wall
            tallies[name].cpu += time.process_time() - cpu
            tallies[name].add(boxlib.grow(boxes, margin), sample, image.shape, shape)
    return tallies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--detectors", nargs="+", default=["thorough", "fast"])
    parser.add_argument("--threshold", type=float, help="for all; default: each detector's own")
    parser.add_argument("--margin", type=float, default=DEFAULT_MARGIN)
    parser.add_argument("--shape", choices=("box", "ellipse"), default="box")
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--limit", type=int, help="only the first photos")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    finders = {
        name: detector_finder(name, options.threshold, options.threads)
        for name in options.detectors
    }
    deface = deface_finder()
    if deface is not None:
        finders["deface 1.5"] = deface
    samples = islice(FORMATS["widerface"].read(options.data, options.split), options.limit)
    tallies = measured(finders, samples, options.margin, options.shape)
    photos, faces = next((t.photos, t.faces.tolist()) for t in tallies.values())
    print(f"{photos} photos, faces by height: {faces}; {options.threads} threads; {providers()}")
    head = ("8-16", "16-32", "32-64", ">= 64", "on faces", "photos/s", "CPU")
    print(f"| detector | {' | '.join(head)} |\n|{'---|' * (len(head) + 1)}")
    for name, tally in tallies.items():
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in tally.row())} |")
    if options.json:
        rows = {name: dict(zip(head, tally.row(), strict=True)) for name, tally in tallies.items()}
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
