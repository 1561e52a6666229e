"""Algorithm 1 of the paper, on one screen.

What its lines call stands elsewhere: objectives in `objectives`, how a gradient becomes an update
in `updates`, who learns when and how fast in `schedule`, the adversaries in `adversaries`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dartblur.second_order import AdamState
from dartblur.training.adversaries import Pool
from dartblur.training.compositing import Batch, Composite
from dartblur.training.config import TrainingConfig
from dartblur.training.discriminator import TrainedDiscriminator, discriminator_gradients
from dartblur.training.objectives import OBJECTIVES, Detectors, ForwardPass, inner_parameters
from dartblur.training.provenance import Provenance
from dartblur.training.reference import Reference
from dartblur.training.schedule import generator_rate, phase_of, updates_of
from dartblur.training.updates import (
    average_adversary,
    descend,
    finite_values,
    generator_gradients,
    update_average,
)


@dataclass
class Training:
    """All that changes while training, and how g is put into the picture; `round` are done.

    discriminator: None where the objective `realism` has no weight. origin: see `provenance`.
    """

    generator: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    pool: Pool
    discriminator: TrainedDiscriminator | None
    compose: Callable[[nn.Module, Batch], Composite]
    origin: Provenance = field(default_factory=dict)
    round: int = 0


def one_round(
    training: Training, reference: Reference, batch: Batch, config: TrainingConfig, fabric: Fabric
) -> tuple[dict[str, float], Composite]:
    """One batch x with its labels y and with f(x); the losses by name, and the last g(x, b)."""
    g, pool = training.generator, training.pool
    losses: dict[str, Tensor] = {}
    phase = phase_of(config, training.round)
    first = training.round * config.adversaries.steps
    if phase.generator:
        f_g = pool.experienced(first)
        theta = inner_parameters(f_g.net, config.inner.from_block)
        moments = AdamState.of(f_g.optimizer, theta)
        detectors = Detectors(
            reference, f_g.family, f_g.net, moments, f_g.clip, training.discriminator
        )
        rate = generator_rate(config, training.round)
        for names in updates_of(config, training.round):  # each alone, as in the paper, or all
            composite = training.compose(g, batch)  # g(x, b)
            seen = composite.leaf(batch) if config.objectives.balanced else composite
            forward = ForwardPass(seen, batch, detectors, config.objectives, config.inner)
            parts = {name: OBJECTIVES[name](forward) for name in names}
            gradients = generator_gradients(g, composite, forward, parts)
            descend(training.optimizer, rate, gradients, config.generator.clip, fabric)
            losses |= parts
        if (discriminator := training.discriminator) is not None:
            own = config.discriminator
            losses["discriminator"], gradients = discriminator_gradients(
                discriminator.net, reference.net, batch, composite, own.share
            )
            descend(discriminator.optimizer, own.rate, gradients, own.clip, fabric)
        update_average(training.average, g, config.generator.ema, training.round)
    else:
        with torch.no_grad():
            composite = training.compose(g, batch)
    for k in range(config.adversaries.steps if phase.adversaries else 0):
        f_g = pool.at(first + k)
        losses["adversary"] = f_g.step((composite.image.detach(), batch.labels))
        average_adversary(f_g, fabric)
    return finite_values(losses, batch, training.round, fabric), composite
