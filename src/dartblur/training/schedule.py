"""Who learns in which round, for what, and how fast."""

from __future__ import annotations

import math
from typing import NamedTuple

from dartblur.training.config import Objectives, TrainingConfig
from dartblur.training.objectives import OBJECTIVES


class Phase(NamedTuple):
    """Who learns in a round."""

    generator: bool
    adversaries: bool


PRIOR_STAGE = ("review", "prior", "realism")
"""The objectives that need no detector in training: those of the first stage."""


def in_prior_stage(config: TrainingConfig, done: int) -> bool:
    """Whether the generator learns a natural face first, before there are adversaries."""
    return done < config.run.prior_rounds


def phase_of(config: TrainingConfig, done: int) -> Phase:
    """Who learns in the round after `done` rounds."""
    if in_prior_stage(config, done):
        return Phase(True, False)
    alone = config.adversaries.epochs
    if not alone:
        return Phase(True, True)
    last = done // config.run.epoch % (alone + 1) == alone
    return Phase(last, not last)


def active(weights: Objectives) -> list[str]:
    """The objectives that have a weight."""
    return [name for name in OBJECTIVES if getattr(weights, name)]


def updates_of(config: TrainingConfig, done: int) -> list[list[str]]:
    """The objectives of each update of a round: all in one, or each in one of its own."""
    weights = config.objectives
    names = active(weights)
    if in_prior_stage(config, done):
        names = [name for name in names if name in PRIOR_STAGE]
    return [names] if weights.updates == "summed" else [[name] for name in names]


def generator_rate(config: TrainingConfig, done: int) -> float:
    """The learning rate of the round after `done` rounds: warm-up, cosine, and epoch by epoch."""
    settings = config.generator
    prior = config.run.prior_rounds
    # Each stage has a schedule of its own.
    begins, ends = (0, prior) if in_prior_stage(config, done) else (prior, config.run.rounds)
    warm = min(1.0, (done - begins + 1) / max(settings.warm_up, 1))
    fall = 0.5 * (1 + math.cos(math.pi * min((done - begins) / (ends - begins), 1)))
    rate = settings.rate * warm * (settings.decay + (1 - settings.decay) * fall)
    if not config.run.epoch:
        return rate
    epochs = done // config.run.epoch // (config.adversaries.epochs + 1)
    return rate * settings.epoch_decay**epochs
