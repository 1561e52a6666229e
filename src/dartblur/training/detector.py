"""How a detector learns, of whatever family: one step, its schedule, its data.

The adversaries of Algorithm 1 and the detectors of the benchmark are trained by this alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from dartblur.datasets.crops import around_a_face, cut, cut_faces
from dartblur.datasets.labelled import LabelledImage, mirrored
from dartblur.losses.multibox import Targets, pad
from dartblur.nets.base import DetectorNet, to_tensor
from dartblur.nets.families import Family

Example = tuple[Tensor, Targets]


@dataclass(frozen=True)
class Schedule:
    """Learning rate over a training of `steps`: warm-up, then a cosine down to 0."""

    rate: float
    steps: int
    warm_up: int = 50

    def at(self, step: int) -> float:
        """The rate of step 0, 1, ..."""
        warm = min(1.0, (step + 1) / max(self.warm_up, 1))
        return self.rate * warm * 0.5 * (1 + math.cos(math.pi * min(step / self.steps, 1)))


@dataclass
class DetectorTrainer:
    """A detector of some family with its optimizer.

    smoothing: of labels. clip: largest norm of the gradient. age: steps done.
    """

    family: Family
    net: DetectorNet
    schedule: Schedule
    smoothing: float = 0.0
    clip: float = 10.0
    age: int = 0
    optimizer: torch.optim.Adam = field(init=False)

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=self.schedule.rate)

    def step(self, example: Example) -> Tensor:
        """One update on a batch, and the loss before it: L_det(net(images), labels)."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.at(self.age)
        self.net.train()
        images, targets = example
        loss = self.family.against(targets, self.smoothing)(self.net(images))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
        self.optimizer.step()
        self.age += 1
        return loss.detach()

    def train(self, examples: Iterable[Example]) -> list[float]:
        """All steps of the schedule; returns the losses, step by step."""
        # Twice as fast on a CPU as contiguous images.
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        device = next(self.net.parameters()).device
        losses = []
        for _, (images, targets) in zip(range(self.schedule.steps), examples, strict=False):
            images = images.to(device, memory_format=torch.channels_last)
            example = images, Targets(*(t.to(device) for t in targets))
            losses.append(self.step(example).item())
        return losses


def examples_of(
    pictures: Sequence[LabelledImage], crop: int, batch: int, seed: int
) -> Iterator[Example]:
    """Endless random crops around faces, half of them mirrored; they depend on the seed alone."""
    rng = np.random.default_rng(seed)
    usable = [p for p in pictures if len(p.faces)]
    while True:
        images, faces = [], []
        for i in rng.integers(len(usable), size=batch):
            picture = mirrored(usable[i]) if rng.random() < 0.5 else usable[i]
            place = around_a_face(picture, crop, rng)
            images.append(cut(picture.image, place))
            faces.append(cut_faces(picture.faces, place))
        yield to_tensor(images), pad(faces)
