"""Trains one family of detectors for a while on clear faces, and measures it on val.

    python benchmarks/detectors.py DATA yolov5n --steps 600 --json FILE

DATA is in the WIDER FACE layout. Prints the loss as it goes and, at the end, average precision at
IoU 0.5 against the labels of split "val", before and after, on one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from dartblur.datasets import FORMATS
from dartblur.datasets.crops import Place, cut
from dartblur.datasets.labelled import LabelledImage, load_labelled
from dartblur.evaluation.average_precision import area_under, precision_recall
from dartblur.nets.base import DetectorNet, to_tensor
from dartblur.nets.families import FAMILIES, Family
from dartblur.training.detector import DetectorTrainer, Example, Schedule, examples_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--crop", type=int, default=192)
    parser.add_argument("--image-size", type=int, default=320)
    parser.add_argument("--every", type=int, default=2, help="use each n-th training picture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    family = FAMILIES[options.family]
    net = family.make().to(memory_format=torch.channels_last)
    pictures = [
        list(
            load_labelled(
                islice(FORMATS["widerface"].read(options.data, s), 0, None, n),
                options.image_size,
                2**32,
            )
        )
        for s, n in (("train", options.every), ("val", 1))
    ]
    before = measured(family, net, pictures[1][::8], options.image_size)
    started = time.monotonic()
    examples = examples_of(pictures[0], options.crop, options.batch, options.seed)
    trainer = DetectorTrainer(family, net, Schedule(options.rate, options.steps))
    losses = trainer.train(net, told(examples, started))
    seconds = time.monotonic() - started
    row = {
        "family": options.family,
        "parameters": sum(p.numel() for p in net.parameters()),
        **{name: getattr(options, name) for name in ("steps", "rate", "batch", "crop", "seed")},
        "seconds": round(seconds),
        "losses": [round(float(np.mean(part)), 4) for part in np.array_split(losses, 10)],
        "ap_untrained": round(100 * before, 2),
        "ap": round(100 * measured(family, net, pictures[1], options.image_size), 2),
    }
    print(json.dumps(row, indent=1))
    if options.json:
        options.json.write_text(json.dumps(row, indent=1) + "\n")


def told(examples: Iterator[Example], started: float) -> Iterator[Example]:
    for step, example in enumerate(examples):
        if step % 50 == 0:
            print(f"step {step}, {time.monotonic() - started:.0f} s", flush=True)
        yield example


def measured(
    family: Family, net: DetectorNet, pictures: Sequence[LabelledImage], side: int
) -> float:
    found = []
    for picture in pictures:
        image = cut(picture.image, Place(0, 0, side))
        found += family.detect(net, to_tensor([image]))
    return area_under(*precision_recall(found, [p.faces for p in pictures]))


if __name__ == "__main__":
    main()
