"""The detectors that the benchmark trains: a small protocol, and a table of its families."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from dartblur import detection
from dartblur.detection import Example, Schedule
from dartblur.faces import Faces
from dartblur.losses.multibox import MultiBox, Targets
from dartblur.losses.pyramidbox import PyramidBoxLoss
from dartblur.losses.yolov5 import YoloLoss
from dartblur.nets.base import faces_among
from dartblur.nets.pyramidbox import PyramidBox
from dartblur.nets.retinaface import RetinaFace
from dartblur.nets.yolov5 import YoloV5


class Family(Protocol):
    """A kind of detector. Images are (B, 3, H, W) float RGB on the 0 to 255 scale."""

    def make(self) -> nn.Module:
        """An untrained network; its values depend on torch's seed alone."""
        ...

    def loss(self, net: nn.Module, images: Tensor, targets: Targets) -> Tensor:
        """The detector's own loss on a batch, a scalar."""
        ...

    def detect(
        self, net: nn.Module, images: Tensor, threshold: float = 0.01, overlap: float = 0.4
    ) -> list[Faces]:
        """The faces of each picture, best score first, in evaluation mode."""
        ...


@dataclass(frozen=True)
class FromRaw:
    """A family whose network has `candidates` and whose loss takes the raw output."""

    maker: Callable[[], Any]
    raw_loss: Callable[[Any, Targets], Tensor]

    def make(self) -> nn.Module:
        """See `Family`."""
        net: nn.Module = self.maker()
        return net

    def loss(self, net: nn.Module, images: Tensor, targets: Targets) -> Tensor:
        """See `Family`."""
        return self.raw_loss(net(images), targets)

    @torch.no_grad()
    def detect(
        self, net: Any, images: Tensor, threshold: float = 0.01, overlap: float = 0.4
    ) -> list[Faces]:
        """See `Family`."""
        net.eval()
        return faces_among(net.candidates(net(images)), threshold, overlap)


@dataclass(frozen=True)
class RetinaFaces:
    """RetinaFace, whose anchors come from the size of the images."""

    multibox: MultiBox

    def make(self) -> nn.Module:
        """See `Family`."""
        return RetinaFace()

    def loss(self, net: Any, images: Tensor, targets: Targets) -> Tensor:
        """See `Family`."""
        return detection.detection_loss(net, images, targets, self.multibox)

    def detect(
        self, net: Any, images: Tensor, threshold: float = 0.01, overlap: float = 0.4
    ) -> list[Faces]:
        """See `Family`."""
        return detection.detect(net, images, threshold, overlap)


FAMILIES: dict[str, Family] = {
    "retinaface": RetinaFaces(MultiBox()),
    "pyramidbox": FromRaw(PyramidBox, PyramidBoxLoss()),
    "pyramidbox-small": FromRaw(partial(PyramidBox, 0.125), PyramidBoxLoss()),
    "yolov5n": FromRaw(partial(YoloV5, "n"), YoloLoss()),
    "yolov5s": FromRaw(partial(YoloV5, "s"), YoloLoss()),
}


def train(
    family: Family,
    net: nn.Module,
    batches: Iterable[Example],
    schedule: Schedule,
    clip: float = 10.0,
) -> list[float]:
    """Trains `net` with Adam for the steps of the schedule; returns the losses, step by step.

    clip: largest norm of the gradient.
    """
    # Twice as fast on a CPU as contiguous images.
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    device = next(net.parameters()).device
    optimizer = torch.optim.Adam(net.parameters(), lr=schedule.rate)
    losses = []
    for step, (images, targets) in zip(range(schedule.steps), batches, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = schedule.at(step)
        net.train()
        images = images.to(device, memory_format=torch.channels_last)
        value = family.loss(net, images, Targets(*(t.to(device) for t in targets)))
        optimizer.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        losses.append(value.item())
    return losses
