"""The loop: rounds of Algorithm 1, with reports, checkpoints and picture sheets."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from dartblur.datasets.crops import Picture
from dartblur.errors import TrainingError
from dartblur.second_order import AdamState
from dartblur.training import checkpoint
from dartblur.training.adversaries import Adversary, Pool
from dartblur.training.balance import balanced_gradient
from dartblur.training.config import Inner, Objectives, TrainingConfig
from dartblur.training.data import Batches
from dartblur.training.detector import Example
from dartblur.training.painting import Batch, Painted
from dartblur.training.progress import SHEETS, Report, Told
from dartblur.training.reference import Reference
from dartblur.training.schedule import generator_rate, turn_of
from dartblur.training.sheet import write_sheet
from dartblur.training.steps import Judges, Losses, inner_parameters, objectives, total

Painter = Callable[[nn.Module, Batch], Painted]


@dataclass
class Training:
    """All that changes while training; `round` rounds are done."""

    generator: nn.Module
    average: nn.Module
    optimizer: torch.optim.Adam
    pool: Pool
    round: int = 0


def fit(
    training: Training,
    painter: Painter,
    reference: Reference,
    pictures: Sequence[Picture],
    config: TrainingConfig,
    out: Path,
    fabric: Fabric,
    told: Told,
) -> None:
    """Trains until `config.run.rounds` are done.

    Raises:
        TrainingError: a loss is not finite; the last checkpoint is kept.
    """
    if training.round == 0 and not config.run.begin_from:
        pool = training.pool
        examples = _examples(training, painter, pictures, config, fabric)
        steps = told.each(examples, pool.warm_up_steps(), "steps of f_g before the first round")
        pool.warm_up(steps, lambda adversary: _average(adversary, fabric))
    batches = _loader(training, pictures, config, fabric)
    names = [*_active(config.objectives), "adversary"]
    report = Report(out, names, config.run.rounds, training.round, fabric.is_global_zero)
    saved = time.monotonic()
    first, began = training.round, time.monotonic()
    for batch in batches:
        if training.round >= config.run.rounds:
            break
        batch = fabric.to_device(batch)
        with fabric.autocast():
            losses, painted = one_round(training, painter, reference, batch, config, fabric)
        training.round += 1
        report(training.round, losses)
        told.pace(training.round - first, config.run.rounds - first, time.monotonic() - began)
        last = training.round == config.run.rounds
        if fabric.is_global_zero:
            if last or time.monotonic() - saved > 60 * config.run.save_minutes:
                checkpoint.save(training, config, out)
                saved = time.monotonic()
            if last or training.round % config.run.sheet_rounds == 0:
                write_sheet(out / SHEETS / f"{training.round:06d}.png", batch, painted, reference)
    report.close()


def one_round(
    training: Training,
    painter: Painter,
    reference: Reference,
    batch: Batch,
    config: TrainingConfig,
    fabric: Fabric,
) -> tuple[dict[str, float], Painted]:
    """Steps 1 to 4 for the generator, then step 5 for the adversaries; the losses by name."""
    learns = turn_of(config, training.round)
    first = training.round * config.adversaries.steps
    if learns.generator:
        judge = training.pool.judge(first)
        moving = inner_parameters(judge.net, config.inner.from_block)
        moments = AdamState.of(judge.optimizer, moving)
        judges = Judges(reference, training.pool.family, judge.net, moments)
        painted, losses = generator_step(training, painter, batch, judges, config, fabric)
    else:
        with torch.no_grad():
            painted, losses = painter(training.generator, batch), {}
    for k in range(config.adversaries.steps if learns.adversaries else 0):
        adversary = training.pool.at(first + k)
        losses["adversary"] = training.pool.step(adversary, (painted.image.detach(), batch.labels))
        _average(adversary, fabric)
    values = {name: float(_mean(value.detach(), fabric)) for name, value in losses.items()}
    wrong = [name for name, value in values.items() if not math.isfinite(value)]
    if wrong:
        raise TrainingError(
            f"round {training.round + 1}: the loss {wrong[0]} is {values[wrong[0]]} on "
            f"{', '.join(batch.names)}; lower the learning rate or look at these pictures, then "
            "resume from the last checkpoint"
        )
    return values, painted


def generator_step(
    training: Training,
    painter: Painter,
    batch: Batch,
    judges: Judges,
    config: TrainingConfig,
    fabric: Fabric,
) -> tuple[Painted, Losses]:
    """One update of the generator for the sum of the objectives, or one for each."""
    weights = config.objectives
    rate = generator_rate(config, training.round)
    for group in training.optimizer.param_groups:
        group["lr"] = rate
    names = ("all",) if weights.updates == "summed" else tuple(_active(weights))
    seen: Losses = {}
    for name in names:
        painted = painter(training.generator, batch)
        part = weights if name == "all" else _only(weights, name)
        gradients, losses = _gradients(
            training.generator, painted, batch, judges, part, config.inner
        )
        seen |= losses
        if gradients is not None:
            _descend(training, gradients, config.generator.clip, fabric)
    blend = min(config.generator.ema, (1 + training.round) / (10 + training.round))
    _blend(training.average, training.generator, blend)
    return painted, seen


def _gradients(
    generator: nn.Module,
    painted: Painted,
    batch: Batch,
    judges: Judges,
    weights: Objectives,
    inner: Inner,
) -> tuple[Sequence[Tensor | None] | None, Losses]:
    parameters = list(generator.parameters())
    if weights.balanced:
        wish, losses = balanced_gradient(
            painted, batch, weights, lambda p: objectives(p, batch, judges, weights, inner)
        )
        return torch.autograd.grad(painted.image, parameters, wish, allow_unused=True), losses
    losses = objectives(painted, batch, judges, weights, inner)
    value = total(losses, weights)
    if not value.requires_grad:
        return None, losses
    return torch.autograd.grad(value, parameters, allow_unused=True), losses


def _descend(
    training: Training, gradients: Sequence[Tensor | None], clip: float, fabric: Fabric
) -> None:
    parameters = list(training.generator.parameters())
    for parameter, gradient in zip(parameters, gradients, strict=True):
        gradient = torch.zeros_like(parameter) if gradient is None else gradient
        parameter.grad = _mean(gradient, fabric)
    if all(bool(p.grad.isfinite().all()) for p in parameters if p.grad is not None):
        torch.nn.utils.clip_grad_norm_(parameters, clip)
        training.optimizer.step()


def _mean(value: Tensor, fabric: Fabric) -> Tensor:
    if fabric.world_size == 1:
        return value
    reduced: Tensor = fabric.all_reduce(value, reduce_op="mean")  # type: ignore[assignment]
    return reduced


@torch.no_grad()
def _average(adversary: Adversary, fabric: Fabric) -> None:
    """The processes' adversaries become one: mean of weights, statistics and moments."""
    if fabric.world_size == 1:
        return
    tensors = [*adversary.net.parameters(), *adversary.net.buffers()]
    tensors += [v for s in adversary.optimizer.state.values() for k, v in s.items() if k != "step"]
    for tensor in tensors:
        if tensor.is_floating_point():
            tensor.copy_(_mean(tensor, fabric))


@torch.no_grad()
def _blend(average: nn.Module, current: nn.Module, keep: float) -> None:
    for a, c in zip(average.parameters(), current.parameters(), strict=True):
        a.lerp_(c, 1 - keep)


def _active(weights: Objectives) -> list[str]:
    names = ("review", "operational", "posthoc", "cycle", "feature", "match", "likeness")
    return [name for name in names if getattr(weights, name)]


def _only(weights: Objectives, name: str) -> Objectives:
    kept = {n: getattr(weights, n) if n == name else 0.0 for n in _active(weights)}
    return replace(weights, **kept)  # type: ignore[arg-type]


def _examples(
    training: Training,
    painter: Painter,
    pictures: Sequence[Picture],
    config: TrainingConfig,
    fabric: Fabric,
) -> Iterator[Example]:
    """What adversaries train on, by the generator as it is."""
    for batch in _loader(training, pictures, config, fabric):
        batch = fabric.to_device(batch)
        with torch.no_grad():
            image = painter(training.generator, batch).image
        yield image, batch.labels


def _loader(
    training: Training, pictures: Sequence[Picture], config: TrainingConfig, fabric: Fabric
) -> torch.utils.data.DataLoader[Batch]:
    size = config.generator.size
    seed = (config.run.seed, fabric.global_rank)
    source = Batches(pictures, config.data, size, seed, training.round)
    # A batch depends on its round alone, and on no number of workers.
    workers = min(config.data.workers, os.cpu_count() or 1)
    return torch.utils.data.DataLoader(source, batch_size=None, num_workers=workers)
