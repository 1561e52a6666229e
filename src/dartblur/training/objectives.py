"""What the generator is trained for: a table of objectives, functions of a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from dartblur.losses.adversarial import generator_loss
from dartblur.losses.faces import cell_means, prior_distance
from dartblur.losses.review import review_loss
from dartblur.nets.base import DetectorNet, Raw
from dartblur.nets.families import Family, Loss
from dartblur.second_order import (
    AdamState,
    Parameters,
    adam_step,
    clipped,
    gradients_of,
    sgd_step,
)
from dartblur.training.compositing import Batch, Composite
from dartblur.training.config import Inner, Objectives
from dartblur.training.discriminator import TrainedDiscriminator, seen_by
from dartblur.training.reference import Reference

_BLOCKS = 14
"""Of RetinaFace's backbone, in which `Inner.from_block` counts."""


@dataclass(frozen=True)
class Detectors:
    """What the generator is judged by: f (frozen), and f_g with the moments of its Adam.

    clip: largest norm of a gradient that f_g learns by. discriminator: None without `realism`.
    """

    reference: Reference
    family: Family
    adversary: DetectorNet
    moments: AdamState
    clip: float
    discriminator: TrainedDiscriminator | None


@dataclass
class ForwardPass:
    """A batch x, its composite g(x, b), and the detectors; what objectives share is computed once.

    f_g is in evaluation mode, so that its BatchNorm statistics are left alone.
    """

    composite: Composite
    batch: Batch
    detectors: Detectors
    weights: Objectives
    inner: Inner

    def __post_init__(self) -> None:
        self.detectors.adversary.eval()

    @cached_property
    def f_features(self) -> list[Tensor]:
        """f's features on g(x, b), as its heads read them."""
        f = self.detectors.reference.net
        return f.neck(f.taps(self.composite.image))

    @cached_property
    def fg_taps(self) -> list[Tensor]:
        """Features of f_g's backbone on g(x, b)."""
        return self.detectors.adversary.taps(self.composite.image)

    @cached_property
    def fg_neck(self) -> list[Tensor]:
        """f_g's features on g(x, b), as its heads read them."""
        return self.detectors.adversary.neck(self.fg_taps)

    @cached_property
    def fg_output(self) -> Raw:
        """f_g(g(x, b))."""
        return self.detectors.adversary.heads(self.fg_neck)

    @cached_property
    def against_found(self) -> Loss:
        """L_det(·, f(x)) of f_g."""
        return self.detectors.family.against(self.batch.found, 0.0)

    @cached_property
    def against_labels(self) -> Loss:
        """L_det(·, y) of f_g."""
        return self.detectors.family.against(self.batch.labels, 0.0)


def review(forward: ForwardPass) -> Tensor:
    """L_rev: a person who checks the picture still sees a blur."""
    return review_loss(forward.composite.change, forward.weights.margin)


def operational(forward: ForwardPass) -> Tensor:
    """L_det(f(g(x, b)), f(x)): today's detectors still work."""
    reference = forward.detectors.reference
    against_found = reference.family.against(forward.batch.found, 0.0)
    return against_found(reference.net.heads(forward.f_features))


def posthoc(forward: ForwardPass) -> Tensor:
    """L_det(f_g(g(x, b)), f(x)): a detector trained on the output works on it."""
    return forward.against_found(forward.fg_output)


def cycle(forward: ForwardPass) -> Tensor:
    """L_det(f_g(x; θ'), f(x)): a detector trained on the output works on clear faces.

    θ' = θ − α ∇ L_det(f_g(g(x, b)), y), and g learns through it.
    """
    f_g, inner = forward.detectors.adversary, forward.inner
    theta = inner_parameters(f_g, inner.from_block)
    says = forward.fg_output
    for step in range(inner.steps):
        if step:
            says = functional_call(f_g, theta, (forward.composite.image,))
        loss = forward.against_labels(says)
        theta = inner_step(theta, loss, forward.detectors.moments, forward.detectors.clip, inner)
    if forward.weights.first_order:
        theta = {name: value.detach() for name, value in theta.items()}
    return forward.against_found(functional_call(f_g, theta, (forward.batch.clear,)))


def reference_features(forward: ForwardPass) -> Tensor:
    """Feature matching (ours): f sees in g(x, b) what it sees in x."""
    f = forward.detectors.reference.net
    with torch.no_grad():
        wanted = f.neck(f.taps(forward.batch.clear))
    return feature_distance(forward.f_features, wanted)


def adversary_features(forward: ForwardPass) -> Tensor:
    """Feature matching (ours): f_g sees in g(x, b) what it sees in x, in backbone and neck."""
    f_g = forward.detectors.adversary
    with torch.no_grad():
        taps = f_g.taps(forward.batch.clear)
        wanted = taps + f_g.neck(taps)
    return feature_distance(forward.fg_taps + forward.fg_neck, wanted)


def prior(forward: ForwardPass) -> Tensor:
    """Seen from afar, g(x, b) is x: the mean colour of every cell of a face.

    What is finer than a cell is left free. g sees h(x, b) alone, so it learns the likeliest face.
    """
    batch, cells = forward.batch, forward.weights.prior_cells
    size = batch.windows.shape[-1]
    place = (batch.place + 0.5) * cells / size
    (made, weights), (wanted, _) = (
        cell_means(batch.fragments_of(picture), batch.owner, place, len(batch.windows), cells)
        for picture in (forward.composite.image, batch.clear)
    )
    return prior_distance(made, wanted, weights)


def realism(forward: ForwardPass) -> Tensor:
    """A discriminator, which sees g(x, b) as f does, takes its faces for natural ones (ours)."""
    f, discriminator = forward.detectors.reference.net, forward.detectors.discriminator
    assert discriminator is not None
    levels = seen_by(f, forward.composite.image, forward.f_features)
    return generator_loss(discriminator.net(levels), forward.batch.face_weights)


OBJECTIVES: Mapping[str, Callable[[ForwardPass], Tensor]] = MappingProxyType(
    {
        function.__name__: function
        # The paper's four, and ours before those that f_g's own loss makes.
        for function in (
            *(review, prior, realism, operational),
            *(reference_features, adversary_features),
            *(posthoc, cycle),
        )
    }
)
"""Names as in `config.Objectives`, in the order in which they are updated one by one."""


def feature_distance(made: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Squared distance of features over their mean square, summed over levels."""
    parts = [
        functional.mse_loss(m, w) / w.square().mean().clamp(min=1e-6)
        for m, w in zip(made, wanted, strict=True)
    ]
    return torch.stack(parts).sum()


def inner_parameters(net: DetectorNet, from_block: int) -> Parameters:
    """The parameters of f_g that the inner step moves, by name."""
    blocks = net.blocks()
    left_out = tuple(blocks[: round(from_block * len(blocks) / _BLOCKS)])
    return {name: p for name, p in net.named_parameters() if not name.startswith(left_out)}


def inner_step(
    theta: Parameters, loss: Tensor, moments: AdamState, clip: float, inner: Inner
) -> Parameters:
    """θ' = θ − α ∇ loss, or a step of Adam, with its own graph.

    clip: largest norm of ∇ loss, as where f_g learns: its moments are those of clipped gradients.
    """
    gradients = clipped(gradients_of(loss, theta), clip)
    if inner.kind == "sgd":
        return sgd_step(theta, gradients, inner.rate)
    return adam_step(theta, gradients, moments, inner.rate, inner.betas)
