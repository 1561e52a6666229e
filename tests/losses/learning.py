"""A tiny batch of bright faces on grey, and a few steps of learning it by heart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dartblur.faces import Faces
from dartblur.losses.multibox import Targets, pad

FACES = (
    Faces(np.array([[8, 10, 24, 28], [36, 30, 58, 54.0]])),
    Faces(np.array([[20, 20, 44, 44.0]])),
)


def bright_faces(side: int = 64) -> tuple[Tensor, Targets]:
    generator = torch.Generator().manual_seed(0)
    images = torch.full((2, 3, side, side), 90.0)
    for image, faces in zip(images, FACES, strict=True):
        for x1, y1, x2, y2 in faces.boxes.astype(int):
            image[:, y1:y2, x1:x2] = torch.tensor([220.0, 170, 150]).view(3, 1, 1)
    return images + 10 * torch.randn(images.shape, generator=generator), pad(FACES)


def learn_by_heart(
    net: nn.Module, loss: Callable[[Any, Targets], Tensor], rate: float, steps: int
) -> list[float]:
    images, targets = bright_faces()
    optimizer = torch.optim.Adam(net.parameters(), rate)
    values = []
    for _ in range(steps):
        value = loss(net(images), targets)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    return values


def untouched(net: nn.Module, value: Tensor) -> list[str]:
    """Names of the parameters that the loss does not move, or moves without end."""
    value.backward()
    return [
        name
        for name, p in net.named_parameters()
        if p.grad is None or not p.grad.isfinite().all() or not p.grad.any()
    ]
