"""Objectives of one size: each one's wish for the face pixels, scaled before they are added.

The gradients of the objectives differ by a factor of a hundred from batch to batch and from face to
face; left alone, the loudest one decides.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dartblur.training.config import Objectives
from dartblur.training.painting import Batch, Painted

Losses = dict[str, Tensor]


def balanced_gradient(
    painted: Painted,
    batch: Batch,
    weights: Objectives,
    losses_of: Callable[[Painted], Losses],
) -> tuple[Tensor, Losses]:
    """The direction in which the picture should go up, (B, 3, H, W), and the losses.

    Every objective but the review loss counts by its weight alone: its gradient is scaled face by
    face, then to norm 1. The review loss grows with its excess, up to norm 1 from one level on.
    """
    leaf = painted.image.detach().requires_grad_()
    flat = leaf.permute(0, 2, 3, 1).reshape(-1, 3)
    base = batch.blurred.permute(0, 2, 3, 1).reshape(-1, 3)
    losses = losses_of(Painted(leaf, flat[batch.pixel] - base[batch.pixel]))
    wish = torch.zeros_like(base[batch.pixel])
    for name, value in losses.items():
        if not value.requires_grad:
            continue
        # None: the value rests on f_g's own parameters alone, as the first-order cycle loss does.
        found: tuple[Tensor | None, ...] = torch.autograd.grad(
            value, leaf, retain_graph=True, allow_unused=True
        )
        if (gradient := found[0]) is None:
            continue
        faces = gradient.permute(0, 2, 3, 1).reshape(-1, 3)[batch.pixel]
        strength = 1.0
        if name == "review":
            strength = float(value.detach().clamp(max=1))
        else:
            faces = _even(faces, batch.owner, len(batch.windows))
        wish += getattr(weights, name) * strength * faces / faces.norm().clamp(min=1e-12)
    whole = torch.zeros_like(base).index_copy(0, batch.pixel, wish)
    b, _, h, w = batch.blurred.shape
    return whole.view(b, h, w, 3).permute(0, 3, 1, 2), losses


def _even(gradient: Tensor, owner: Tensor, windows: int) -> Tensor:
    """Tames the faces whose gradient is far above the mean of all."""
    square = torch.zeros(windows, device=gradient.device)
    square = square.index_add(0, owner, gradient.square().sum(1))
    norm = square.sqrt()
    typical = norm.sum() / (norm > 0).sum().clamp(min=1)
    return gradient / (norm + typical).clamp(min=1e-12)[owner][:, None]
