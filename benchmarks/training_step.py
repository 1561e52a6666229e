"""Time and memory of a generator step, beside a direct transcription of Algorithm 1.

python benchmarks/training_step.py DATA --size 320 --batch 8 --net compact|paper|plain

`plain` is written the straightforward way: the paper's full-frame U-Net, targets matched picture
by picture and face by face, the inner step on a deep copy of f_g as `higher` made one, one forward
pass for each loss. Run one net a process: the peak of memory is the process's own.
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
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from dartblur import toml
from dartblur.datasets import READERS
from dartblur.datasets.crops import load
from dartblur.faces import Faces
from dartblur.nets.anchors import corners, encode
from dartblur.nets.retinaface import Raw, RetinaFace
from dartblur.nets.unet import FrameGenerator
from dartblur.second_order import AdamState
from dartblur.training.config import Data, Generator, Inner, Objectives, TrainingConfig
from dartblur.training.data import Batches
from dartblur.training.painting import Batch, mask_of
from dartblur.training.reference import Reference, Start, found_in, load_reference
from dartblur.training.run import make_generator
from dartblur.training.steps import Judges, inner_parameters, objectives, total

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
    samples = itertools.islice(READERS["widerface"](arguments.data, "train"), 64)
    pictures = list(found_in(load(samples, arguments.size, 2**32), f, arguments.size))
    seamless = arguments.net == "compact" and toml.read(TrainingConfig, COMPACT).data.seamless
    data = Data(
        image_size=arguments.size, crop=arguments.size, batch=arguments.batch, seamless=seamless
    )
    source = Batches([p for p in pictures if len(p.faces)], data, 48, (0, 0))
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
    shipped = toml.read(TrainingConfig, COMPACT).generator
    generator, paint = make_generator(Generator("unet", width=1.0) if whole else shipped)
    adversary = RetinaFace().to(memory_format=torch.channels_last).eval()
    optimizer = torch.optim.Adam(generator.parameters(), 2e-4)
    weights, inner = Objectives(feature=0.0, cycle=1.0), Inner(from_block=0 if whole else 6)

    def judges(moments: AdamState) -> Judges:
        return Judges(f, f.family, adversary, moments)

    def step(batch: Batch) -> None:
        moments = AdamState.fresh(inner_parameters(adversary, inner.from_block))
        painted = paint(generator, batch)
        losses = objectives(painted, batch, judges(moments), weights, inner)
        parameters = list(generator.parameters())
        gradients = torch.autograd.grad(total(losses, weights), parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()

    return step


def plain(reference: Reference) -> Callable[[Batch], None]:
    f = copy.deepcopy(reference.net).to(memory_format=torch.contiguous_format).requires_grad_(True)
    generator, adversary = FrameGenerator(), RetinaFace().train()
    optimizer = torch.optim.Adam(generator.parameters(), 2e-4)

    def step(batch: Batch) -> None:
        clear = batch.clear.contiguous()
        targets = reference.family.detect(f, clear, threshold=0.01, overlap=0.45)
        labels = [
            Faces(boxes[real].numpy())
            for boxes, real in zip(batch.labels.boxes, batch.labels.real, strict=True)
        ]
        inside = mask_of(batch)
        painted = generator(batch.blurred.contiguous(), inside)
        image = clear * (1 - inside) + painted * inside
        loss = plain_loss(f(image), targets) + plain_loss(adversary(image), targets)
        clone = copy.deepcopy(adversary)
        parameters = dict(clone.named_parameters())
        inner = plain_loss(functional_call(clone, parameters, (image,)), labels)
        found = torch.autograd.grad(
            inner, list(parameters.values()), create_graph=True, allow_unused=True
        )
        stepped = {
            name: value if g is None else value - 5e-4 * g / (g.square() + 1e-16).sqrt()
            for (name, value), g in zip(parameters.items(), found, strict=True)
        }
        loss = loss + plain_loss(functional_call(clone, stepped, (clear,)), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def plain_loss(raw: Raw, targets: list[Faces]) -> Tensor:
    """MultiBox, one picture and one face after another."""
    priors = raw.anchors
    loss, positives = raw.logits.new_zeros(()), 0
    for logits, offsets, faces in zip(raw.logits, raw.offsets, targets, strict=True):
        label = torch.zeros(len(priors), dtype=torch.long)
        wanted = torch.zeros(len(priors), 4)
        best = torch.full((len(priors),), 0.35)
        for box in torch.tensor(faces.boxes):
            overlap = _overlap(corners(priors), box)
            overlap[overlap.argmax()] = 2
            better = overlap >= best
            label[better], best[better] = 1, overlap[better]
            wanted[better] = encode(box.expand(len(priors), 4), priors)[better]
        chosen = label == 1
        cost = functional.cross_entropy(logits, label, reduction="none")
        hardest = cost.detach().masked_fill(chosen, 0).argsort(descending=True)
        kept = hardest[: 7 * int(chosen.sum())]
        loss = loss + cost[chosen].sum() + cost[kept].sum()
        loss = loss + 2 * functional.smooth_l1_loss(
            offsets[chosen], wanted[chosen], reduction="sum"
        )
        positives += int(chosen.sum())
    return loss / max(positives, 1)


def _overlap(a: Tensor, box: Tensor) -> Tensor:
    sides = (torch.minimum(a[:, 2:], box[2:]) - torch.maximum(a[:, :2], box[:2])).clamp(min=0)
    shared = sides.prod(1)
    return shared / ((a[:, 2:] - a[:, :2]).prod(1) + (box[2:] - box[:2]).prod() - shared)


STEPS: dict[str, Callable[[Reference], Callable[[Batch], None]]] = {
    "compact": lambda f: ours(f, whole=False),
    "paper": lambda f: ours(f, whole=True),
    "plain": plain,
}

if __name__ == "__main__":
    main()
