"""A training step of a network that one can differentiate through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Parameters = dict[str, Tensor]


def sgd_step(
    parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor], rate: float
) -> Parameters:
    """θ' = θ − α ∇L, each tensor new and connected to its gradient's graph."""
    return {name: value - rate * gradients[name] for name, value in parameters.items()}


@dataclass(frozen=True)
class AdamState:
    """Running moments of an Adam optimizer before a step, and how many each parameter has made."""

    mean: Mapping[str, Tensor]
    square: Mapping[str, Tensor]
    steps: Mapping[str, int]

    @classmethod
    def fresh(cls, parameters: Mapping[str, Tensor]) -> AdamState:
        """The state before the first update."""
        zeros = {name: torch.zeros_like(value) for name, value in parameters.items()}
        return cls(zeros, zeros, dict.fromkeys(parameters, 0))

    @classmethod
    def of(cls, optimizer: torch.optim.Adam, parameters: Mapping[str, Tensor]) -> AdamState:
        """The moments that `optimizer` holds for `parameters`; zeros for one that never moved.

        Some never do: of RetinaFace's heads those for landmarks, which no label has.
        """
        held = {n: optimizer.state[v] for n, v in parameters.items() if v in optimizer.state}
        fresh = cls.fresh(parameters)
        return cls(
            {**fresh.mean, **{name: state["exp_avg"].clone() for name, state in held.items()}},
            {**fresh.square, **{name: state["exp_avg_sq"].clone() for name, state in held.items()}},
            {**fresh.steps, **{name: int(state["step"]) for name, state in held.items()}},
        )


def adam_step(
    parameters: Mapping[str, Tensor],
    gradients: Mapping[str, Tensor],
    state: AdamState,
    rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    floor: float = 1e-16,
) -> Parameters:
    """One step of Adam from `state`, differentiable in the gradients.

    floor: added under the square root, whose slope at 0 is infinite.
    """
    stepped = {}
    for name, value in parameters.items():
        step, gradient = state.steps[name] + 1, gradients[name]
        unbias_mean, unbias_square = 1 - betas[0] ** step, 1 - betas[1] ** step
        mean = betas[0] * state.mean[name] + (1 - betas[0]) * gradient
        square = betas[1] * state.square[name] + (1 - betas[1]) * gradient.square()
        scale = (square / unbias_square + floor).sqrt() + eps
        stepped[name] = value - rate / unbias_mean * mean / scale
    return stepped


def gradients_of(loss: Tensor, parameters: Mapping[str, Tensor]) -> Parameters:
    """∇L by name with its own graph; zeros for a parameter that the loss does not reach."""
    found = torch.autograd.grad(
        loss, list(parameters.values()), create_graph=True, allow_unused=True
    )
    pairs = zip(parameters.items(), found, strict=True)
    return {
        name: torch.zeros_like(value) if grad is None else grad for (name, value), grad in pairs
    }


def clipped(gradients: Mapping[str, Tensor], most: float) -> Parameters:
    """The gradients, together of norm `most` at the most; differentiable."""
    # The square root's slope at 0 is infinite.
    norm = (torch.stack([g.square().sum() for g in gradients.values()]).sum() + 1e-12).sqrt()
    factor = (most / norm).clamp(max=1)
    return {name: factor * gradient for name, gradient in gradients.items()}
