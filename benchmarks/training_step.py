"""Time and memory of a generator step, beside a direct transcription of Algorithm 1.

python benchmarks/training_step.py DATA --size 320 --batch 8 --net compact|paper|plain

`plain` is written the straightforward way, see `plain.py`, with the paper's full-frame U-Net. Run
one net a process: the peak of memory is the process's own.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import torch

import plain
from dartblur.anonymizers import Blur
from dartblur.anonymizers.windows import WindowGeometry
from dartblur.config_file import read_config
from dartblur.datasets import FORMATS
from dartblur.datasets.labelled import load_labelled
from dartblur.nets.retinaface import RetinaFace
from dartblur.nets.unet import FrameGenerator
from dartblur.second_order import AdamState
from dartblur.training.compositing import Batch, mask_of
from dartblur.training.config import Data, Generator, Inner, Objectives, TrainingConfig
from dartblur.training.data import Batches
from dartblur.training.objectives import OBJECTIVES, Detectors, ForwardPass, inner_parameters
from dartblur.training.reference import Reference, Start, load_reference, with_detections
from dartblur.training.run import make_generator
from dartblur.training.schedule import active

COMPACT = Path(__file__).parents[1] / "configs" / "compact.toml"
"""`compact` is the generator that is shipped, on its own blur."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--reference", default="", help="f's checkpoint")
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--net", choices=["compact", "paper", "plain"], required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    f = load_reference(Start(arguments.reference))
    samples = itertools.islice(FORMATS["widerface"].read(arguments.data, "train"), 64)
    pictures = list(
        with_detections(load_labelled(samples, arguments.size, 2**32), f, arguments.size)
    )
    blur = read_config(TrainingConfig, COMPACT).blur if arguments.net == "compact" else Blur()
    data = Data(image_size=arguments.size, crop=arguments.size, batch=arguments.batch)
    source = Batches([p for p in pictures if len(p.faces)], data, blur, WindowGeometry(48), (0, 0))
    step = STEPS[arguments.net](f)
    step(source.batch(0))
    times, cpu = [], []
    for number in range(1, arguments.rounds + 1):
        batch = source.batch(number)
        started, used = time.perf_counter(), time.process_time()
        step(batch)
        times.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        json.dumps(
            {
                "net": arguments.net,
                "size": arguments.size,
                "batch": arguments.batch,
                "seconds": round(min(times), 2),
                "cpu_seconds": round(min(cpu), 2),
                "peak_gib": round(peak, 2),
            }
        )
    )


def ours(f: Reference, whole: bool) -> Callable[[Batch], None]:
    shipped = read_config(TrainingConfig, COMPACT).generator
    generator, compose = make_generator(Generator("unet", width=1.0) if whole else shipped)
    adversary = RetinaFace().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(generator.parameters(), 2e-4)
    weights = Objectives(reference_features=0.0, cycle=1.0)
    inner = Inner(from_block=0 if whole else 6)

    def step(batch: Batch) -> None:
        moments = AdamState.fresh(inner_parameters(adversary, inner.from_block))
        detectors = Detectors(f, f.family, adversary, moments, 10.0, None)
        forward = ForwardPass(compose(generator, batch), batch, detectors, weights, inner)
        losses = [getattr(weights, n) * OBJECTIVES[n](forward) for n in active(weights)]
        parameters = list(generator.parameters())
        gradients = torch.autograd.grad(torch.stack(losses).sum(), parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()

    return step


def straightforward(reference: Reference) -> Callable[[Batch], None]:
    f = copy.deepcopy(reference.net).to(memory_format=torch.contiguous_format).requires_grad_(True)
    generator, adversary = FrameGenerator(), RetinaFace().train()
    optimizer = torch.optim.Adam(generator.parameters(), 2e-4)
    adam = torch.optim.Adam(adversary.parameters(), 5e-4)

    def step(batch: Batch) -> None:
        clear = batch.clear.contiguous()
        found = reference.family.detect(f, clear, threshold=0.01, overlap=0.45)
        inside = mask_of(batch)
        painted = generator(batch.blurred.contiguous(), inside)
        image = clear * (1 - inside) + painted * inside
        losses = plain.losses_of(
            plain.NAMES[1:], lambda: (image, image), f, adversary, plain.retinaface_loss,
            clear, found, plain.unpadded(batch.labels), 5e-4, 20.0, 10.0, adam,
        )  # fmt: skip
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()

    return step


STEPS: dict[str, Callable[[Reference], Callable[[Batch], None]]] = {
    "compact": lambda f: ours(f, whole=False),
    "paper": lambda f: ours(f, whole=True),
    "plain": straightforward,
}

if __name__ == "__main__":
    main()
