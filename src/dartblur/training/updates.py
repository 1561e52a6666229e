"""How objectives become an update of the generator, by one process or by several.

Gradient balancing: the gradients of the objectives differ by a factor of a hundred from batch to
batch and from face to face; left alone, the largest one decides. Balanced, each objective's
gradient for the face pixels is scaled before they are added.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dartblur.errors import TrainingError
from dartblur.training.adversaries import Adversary
from dartblur.training.compositing import Batch, Composite
from dartblur.training.config import Objectives
from dartblur.training.objectives import ForwardPass

Losses = Mapping[str, Tensor]


def generator_gradients(
    generator: nn.Module, composite: Composite, forward: ForwardPass, losses: Losses
) -> list[Tensor | None]:
    """Gradients of some objectives together, one for each parameter of the generator; [] for none.

    composite: g(x, b) with the generator's graph. forward: what the losses were computed on: that,
    or with gradient balancing its `leaf`.
    """
    parameters, weights = list(generator.parameters()), forward.weights
    if weights.balanced:
        wanted = balanced_gradient(forward.composite, forward.batch, weights, losses)
        return list(torch.autograd.grad(composite.image, parameters, wanted, allow_unused=True))
    total = torch.stack([getattr(weights, name) * loss for name, loss in losses.items()]).sum()
    if not total.requires_grad:
        return []
    return list(torch.autograd.grad(total, parameters, allow_unused=True))


def descend(
    optimizer: torch.optim.Optimizer,
    rate: float,
    gradients: Sequence[Tensor | None],
    clip: float,
    fabric: Fabric,
) -> None:
    """One update by the mean gradient of all processes; none where a gradient is not finite.

    gradients: one for each of the optimizer's parameters, or none. clip: largest norm of all.
    """
    if not gradients:
        return
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for group in optimizer.param_groups:
        group["lr"] = rate
    own = [
        torch.zeros_like(parameter) if gradient is None else gradient
        for parameter, gradient in zip(parameters, gradients, strict=True)
    ]
    for parameter, gradient in zip(parameters, mean_over_processes(own, fabric), strict=True):
        parameter.grad = gradient
    if all(bool(p.grad.isfinite().all()) for p in parameters):
        torch.nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()


def balanced_gradient(seen: Composite, batch: Batch, weights: Objectives, losses: Losses) -> Tensor:
    """The direction in which the picture should go up, (B, 3, H, W).

    Every objective but the review loss counts by its weight alone: its gradient is scaled face by
    face, then to norm 1. The review loss grows with its excess, up to norm 1 from one level on.
    """
    wanted = torch.zeros_like(seen.change)
    for name, loss in losses.items():
        if not loss.requires_grad:
            continue
        # None: the loss rests on f_g's own parameters alone, as the first-order cycle loss does.
        found: tuple[Tensor | None, ...] = torch.autograd.grad(
            loss, seen.image, retain_graph=True, allow_unused=True
        )
        if (gradient := found[0]) is None:
            continue
        faces = gradient.permute(0, 2, 3, 1).reshape(-1, 3)[batch.pixel]
        strength = 1.0
        if name == "review":
            strength = float(loss.detach().clamp(max=1))
        else:
            faces = _normalized(faces, batch)
        wanted += getattr(weights, name) * strength * faces / faces.norm().clamp(min=1e-12)
    b, _, h, w = batch.blurred.shape
    whole = wanted.new_zeros(b * h * w, 3).index_copy(0, batch.pixel, wanted)
    return whole.view(b, h, w, 3).permute(0, 3, 1, 2)


def mean_over_processes(values: Sequence[Tensor], fabric: Fabric) -> list[Tensor]:
    """Of each value the mean of what the processes hold; all go in one message."""
    if fabric.world_size == 1:
        return list(values)
    message = torch.cat([value.flatten() for value in values])
    mean: Tensor = fabric.all_reduce(message, reduce_op="mean")  # type: ignore[assignment]
    parts = torch.split(mean, [value.numel() for value in values])
    return [part.view(value.shape) for part, value in zip(parts, values, strict=True)]


@torch.no_grad()
def average_adversary(adversary: Adversary, fabric: Fabric) -> None:
    """The processes' adversaries become one: mean of weights, statistics and moments."""
    if fabric.world_size == 1:
        return
    tensors = [*adversary.net.parameters(), *adversary.net.buffers()]
    tensors += [v for s in adversary.optimizer.state.values() for k, v in s.items() if k != "step"]
    floats = [tensor for tensor in tensors if tensor.is_floating_point()]
    for tensor, mean in zip(floats, mean_over_processes(floats, fabric), strict=True):
        tensor.copy_(mean)


@torch.no_grad()
def update_average(average: nn.Module, current: nn.Module, most: float, done: int) -> None:
    """The moving average of the generator after `done` rounds: long only once many are done."""
    keep = min(most, (1 + done) / (10 + done))
    for a, c in zip(average.parameters(), current.parameters(), strict=True):
        a.lerp_(c, 1 - keep)


def finite_values(losses: Losses, batch: Batch, done: int, fabric: Fabric) -> dict[str, float]:
    """The losses as numbers, means over the processes.

    Raises:
        TrainingError: one is not finite.
    """
    means = mean_over_processes([v.detach() for v in losses.values()], fabric)
    values = dict(zip(losses, map(float, means), strict=True))
    wrong = [name for name, value in values.items() if not math.isfinite(value)]
    if wrong:
        raise TrainingError(
            f"round {done + 1}: the loss {wrong[0]} is {values[wrong[0]]} on "
            f"{', '.join(batch.names)}; lower the learning rate or look at these pictures, then "
            "resume from the last checkpoint"
        )
    return values


def _normalized(gradient: Tensor, batch: Batch) -> Tensor:
    """Tames the faces whose gradient, (P, 3), is far above the mean of all."""
    fragments = gradient[batch.fragment]
    square = torch.zeros(len(batch.windows), device=gradient.device)
    parts = (batch.share[:, None] * fragments).square().sum(1)
    square = square.index_add(0, batch.owner, parts)
    norm = square.sqrt()
    typical = norm.sum() / (norm > 0).sum().clamp(min=1)
    return batch.blended(fragments / (norm + typical).clamp(min=1e-12)[batch.owner][:, None])
