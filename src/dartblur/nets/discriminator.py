"""The discriminator of a projected GAN: it tells painted faces from natural ones.

Sauer, Chitta, Müller, Geiger: Projected GANs Converge Faster, NeurIPS 2021. It sees a picture by
the features of a frozen network alone, from fine to coarse.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class ProjectedDiscriminator(nn.Module):
    """One small head a level of features; high where a face looks natural.

    channels: of each level. width: of the heads.
    """

    def __init__(self, channels: Sequence[int], width: int = 32) -> None:
        super().__init__()
        self.heads = nn.ModuleList(_head(inputs, width) for inputs in channels)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """How natural each place of each level is, (B, 1, h, w)."""
        return [head(x) for head, x in zip(self.heads, features, strict=True)]


def _head(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        # No level is louder than another.
        nn.GroupNorm(1, inputs, affine=False),
        spectral_norm(nn.Conv2d(inputs, width, 1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(width, 1, 1)),
    )
