"""The hinge loss of generative adversarial networks, at weighted places of several levels.

Lim, Ye: Geometric GAN, 2017; as in Projected GANs (Sauer et al., NeurIPS 2021).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

Weights = Callable[[tuple[int, int]], Tensor]
"""How far each place of a level of height and width counts, (B, 1, h, w); in all 1."""


def generator_loss(made: Sequence[Tensor], weights: Weights) -> Tensor:
    """−D(made): lower where the discriminator takes what is made for real; mean of the levels.

    made: what the discriminator says, (B, 1, h, w) a level.
    """
    return torch.stack([-_mean(says, weights) for says in made]).mean()


def discriminator_loss(made: Sequence[Tensor], real: Sequence[Tensor], weights: Weights) -> Tensor:
    """max(0, 1 + D(made)) + max(0, 1 − D(real)), mean of the levels; 2 where D says nothing."""
    parts = [
        _mean(functional.relu(1 + m), weights) + _mean(functional.relu(1 - r), weights)
        for m, r in zip(made, real, strict=True)
    ]
    return torch.stack(parts).mean()


def _mean(values: Tensor, weights: Weights) -> Tensor:
    return (weights((values.shape[-2], values.shape[-1])) * values).sum()
