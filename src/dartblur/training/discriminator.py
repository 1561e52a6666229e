"""The discriminator of a projected GAN: it tells painted faces from natural ones.

Sauer, Chitta, Müller, Geiger: Projected GANs Converge Faster, NeurIPS 2021: the discriminator sees
pictures by the features of a frozen network alone, here f's, at many scales. An artifact that a
detector could learn is one that it can learn, so that g is told of it, and of how to paint over it,
without a detector that is trained for hundreds of steps first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from dartblur.nets.retinaface import RetinaFace
from dartblur.training.compositing import Batch

_CHANNELS = (8, 16, 32, 64, 64, 64)
"""Of f's shallow features and its pyramid."""


class Discriminator(nn.Module):
    """One small head a level of f's features; high where a face looks natural."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.heads = nn.ModuleList(_head(channels, width) for channels in _CHANNELS)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """How natural each place of each level is, (B, 1, h, w)."""
        return [head(x) for head, x in zip(self.heads, features, strict=True)]


def _head(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        # Without statistics of its own: only what it is scaled by, so that levels count alike.
        nn.GroupNorm(1, channels, affine=False),
        spectral_norm(nn.Conv2d(channels, width, 1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(width, 1, 1)),
    )


@dataclass
class Judge:
    """A discriminator with its optimizer."""

    net: Discriminator
    optimizer: torch.optim.Optimizer


def projected(f: RetinaFace, images: Tensor) -> list[Tensor]:
    """f's features of images, (B, 3, H, W), from the finest level to the coarsest."""
    return [*f.shallow(images), *f.neck(f.taps(images))]


def natural(batch: Batch, share: float) -> Tensor:
    """What the discriminator takes for natural: x with faces of which `share` is clear."""
    return share * batch.clear + (1 - share) * batch.blurred


def face_weights(batch: Batch, size: tuple[int, int]) -> Tensor:
    """How far each place of a level, (B, 1, h, w), counts: in all 1 for every face."""
    b, _, height, width = batch.clear.shape
    area = batch.share.new_zeros(len(batch.windows)).index_add(0, batch.owner, batch.share)
    each = batch.blended((1 / area.clamp(min=1))[batch.owner][:, None])[:, 0]
    whole = each.new_zeros(b * height * width).index_copy(0, batch.pixel, each)
    pooled = functional.adaptive_avg_pool2d(whole.view(b, 1, height, width), size)
    return pooled / pooled.sum().clamp(min=1e-12)


def realism_loss(says: Sequence[Tensor], batch: Batch) -> Tensor:
    """What g is to lower: the faces of g(x, b) are taken for painted ones."""
    return torch.stack([-_mean(x, batch) for x in says]).mean()


def discriminator_loss(made: Sequence[Tensor], real: Sequence[Tensor], batch: Batch) -> Tensor:
    """The hinge loss, in the faces alone."""
    parts = [
        _mean(functional.relu(1 + m), batch) + _mean(functional.relu(1 - r), batch)
        for m, r in zip(made, real, strict=True)
    ]
    return torch.stack(parts).mean()


def _mean(values: Tensor, batch: Batch) -> Tensor:
    return (face_weights(batch, (values.shape[-2], values.shape[-1])) * values).sum()
