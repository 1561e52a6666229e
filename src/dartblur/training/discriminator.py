"""The discriminator that the objective `realism` asks, and how it learns.

It judges by f's features (see `nets.discriminator`). An artifact that a detector could learn is
one that it can learn, so g is told of it without a detector that is trained for hundreds of steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dartblur.losses.adversarial import discriminator_loss
from dartblur.nets.base import DetectorNet
from dartblur.nets.discriminator import ProjectedDiscriminator
from dartblur.nets.retinaface import RetinaFace
from dartblur.training.compositing import Batch, Composite

CHANNELS = (8, 16, 32, 64, 64, 64)
"""Of the features that `seen_by` gives."""


@dataclass
class TrainedDiscriminator:
    """A discriminator with its optimizer."""

    net: ProjectedDiscriminator
    optimizer: torch.optim.Optimizer


def seen_by(f: DetectorNet, images: Tensor, pyramid: Sequence[Tensor]) -> list[Tensor]:
    """What a discriminator judges by: f's shallow features and its pyramid, fine to coarse.

    pyramid: f's features of the images before its heads. For the shallow ones f's first four blocks
    run once more.
    """
    assert isinstance(f, RetinaFace)
    return [*f.shallow(images), *pyramid]


def discriminator_gradients(
    net: ProjectedDiscriminator, f: DetectorNet, batch: Batch, composite: Composite, share: float
) -> tuple[Tensor, list[Tensor | None]]:
    """Its loss on g(x, b) and on natural faces, and the gradients of its parameters.

    share: of a natural face that is x, the rest is h(x, b): the result is to read as blurred.
    """
    real = share * batch.clear + (1 - share) * batch.blurred
    with torch.no_grad():
        images = torch.cat([composite.image.detach(), real])
        levels = seen_by(f, images, f.neck(f.taps(images)))
    half = len(batch.clear)
    says_made, says_real = (
        net([x[part] for x in levels]) for part in (slice(half), slice(half, None))
    )
    loss = discriminator_loss(says_made, says_real, batch.face_weights)
    return loss.detach(), list(torch.autograd.grad(loss, list(net.parameters())))
