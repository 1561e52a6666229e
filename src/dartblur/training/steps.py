"""The objectives of Algorithm 1 on one batch: small and pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from dartblur.losses.review import review_loss
from dartblur.nets.base import DetectorNet, Raw
from dartblur.nets.families import Family
from dartblur.second_order import AdamState, Parameters, adam_step, gradients_of, sgd_step
from dartblur.training.config import Inner, Objectives
from dartblur.training.painting import Batch, Painted
from dartblur.training.reference import Reference

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Judges:
    """What the generator is judged by: f (frozen), and f_g with the moments of its Adam."""

    reference: Reference
    family: Family
    adversary: DetectorNet
    moments: AdamState


def objectives(
    painted: Painted, batch: Batch, judges: Judges, weights: Objectives, inner: Inner
) -> Losses:
    """Every objective that has a weight, unweighted, by name."""
    losses: Losses = {}
    if weights.review:
        losses["review"] = review_loss(painted.change, weights.margin)
    losses |= _by_reference(painted, batch, judges.reference, weights)
    if weights.posthoc or weights.cycle or weights.match or weights.likeness:
        losses |= _by_adversary(painted, batch, judges, weights, inner)
    return losses


def total(losses: Losses, weights: Objectives) -> Tensor:
    """The weighted sum."""
    return torch.stack([getattr(weights, name) * value for name, value in losses.items()]).sum()


def _by_reference(
    painted: Painted,
    batch: Batch,
    reference: Reference,
    weights: Objectives,
) -> Losses:
    if not (weights.operational or weights.feature):
        return {}
    f, as_found = reference.net, reference.family.against(batch.found, 0.0)
    pyramid = f.neck(f.taps(painted.image))
    losses = {"operational": as_found(f.heads(pyramid))} if weights.operational else {}
    if weights.feature:
        with torch.no_grad():
            wanted = f.neck(f.taps(batch.clear))
        losses["feature"] = unlikeness(pyramid, wanted)
    return losses


def _by_adversary(
    painted: Painted,
    batch: Batch,
    judges: Judges,
    weights: Objectives,
    inner: Inner,
) -> Losses:
    """Post-hoc, cycle and gradient matching share the pass of f_g over g(x, b).

    f_g is in evaluation mode, so that its BatchNorm statistics are left alone.
    """
    net = judges.adversary.eval()
    as_found = judges.family.against(batch.found, 0.0)
    as_labelled = judges.family.against(batch.labels, 0.0)
    parameters = inner_parameters(net, inner.from_block)
    taps = net.taps(painted.image)
    neck = net.neck(taps)
    raw = net.heads(neck)
    losses: Losses = {}
    if weights.likeness:
        with torch.no_grad():
            clear = net.taps(batch.clear)
            clear += net.neck(clear)
        losses["likeness"] = unlikeness(taps + neck, clear)
    if weights.posthoc:
        losses["posthoc"] = as_found(raw)
    if not (weights.cycle or weights.match):
        return losses
    gradients = gradients_of(as_labelled(raw), parameters)
    if weights.match:
        losses["match"] = mismatch(gradients, _clear_gradients(net, parameters, batch, as_labelled))
    if weights.cycle:
        stepped = _step(parameters, gradients, judges.moments, inner)
        for _ in range(inner.steps - 1):
            again: Raw = functional_call(net, stepped, (painted.image,))
            stepped = _step(
                stepped, gradients_of(as_labelled(again), stepped), judges.moments, inner
            )
        if weights.first_order:
            stepped = {name: value.detach() for name, value in stepped.items()}
        losses["cycle"] = as_found(functional_call(net, stepped, (batch.clear,)))
    return losses


def unlikeness(made: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Squared distance of features over their mean square, summed over levels."""
    parts = [
        functional.mse_loss(m, w) / w.square().mean().clamp(min=1e-6)
        for m, w in zip(made, wanted, strict=True)
    ]
    return torch.stack(parts).sum()


def inner_parameters(net: DetectorNet, from_block: int) -> Parameters:
    """The parameters of f_g that the inner step moves, by name."""
    left_out = tuple(net.blocks()[:from_block])
    return {name: p for name, p in net.named_parameters() if not name.startswith(left_out)}


def mismatch(made: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Tensor:
    """1 − cosine between two sets of gradients, tensor by tensor, mean over those not zero."""
    parts = []
    for name, gradient in made.items():
        if wanted[name].abs().sum() > 0:
            parts.append(
                1
                - functional.cosine_similarity(gradient.flatten(), wanted[name].flatten(), 0, 1e-6)
            )
    return torch.stack(parts).mean()


def _clear_gradients(
    net: DetectorNet, parameters: Parameters, batch: Batch, loss: Callable[[Raw], Tensor]
) -> Parameters:
    value = loss(net(batch.clear))
    found = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
    return {
        name: torch.zeros_like(p) if grad is None else grad
        for (name, p), grad in zip(parameters.items(), found, strict=True)
    }


def _step(
    parameters: Parameters, gradients: Parameters, moments: AdamState, inner: Inner
) -> Parameters:
    if inner.kind == "sgd":
        return sgd_step(parameters, gradients, inner.rate)
    return adam_step(parameters, gradients, moments, inner.rate, inner.betas)
