"""The loop: rounds of Algorithm 1, with reports, checkpoints and picture sheets."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import torch
from lightning_fabric import Fabric

from dartblur.datasets.labelled import LabelledImage
from dartblur.training import checkpoint
from dartblur.training.algorithm import Training, one_round
from dartblur.training.compositing import Batch
from dartblur.training.config import TrainingConfig
from dartblur.training.data import Batches
from dartblur.training.detector import Example
from dartblur.training.progress import SHEETS, Report, StatusLines
from dartblur.training.reference import Reference
from dartblur.training.schedule import active
from dartblur.training.sheet import write_sheet
from dartblur.training.updates import average_adversary


def fit(
    training: Training,
    reference: Reference,
    pictures: Sequence[LabelledImage],
    config: TrainingConfig,
    out: Path,
    fabric: Fabric,
    status: StatusLines,
) -> None:
    """Trains until `config.run.rounds` are done.

    Raises:
        TrainingError: a loss is not finite; the last checkpoint is kept.
    """
    batches = _loader(pictures, config, training.round, fabric)
    own = ["discriminator"] if training.discriminator else []
    names = [*active(config.objectives), *own, "adversary"]
    saved = time.monotonic()
    first, began = training.round, time.monotonic()
    # Also where training fails: the bar has a thread, and hides the cursor.
    with closing(
        Report(out, names, config.run.rounds, training.round, fabric.is_global_zero)
    ) as report:
        for batch in batches:
            if training.round >= config.run.rounds:
                break
            if training.round == config.run.prior_rounds:
                _warm_up(
                    training, _loader(pictures, config, training.round, fabric), fabric, status
                )
            batch = fabric.to_device(batch)
            with fabric.autocast():
                losses, composite = one_round(training, reference, batch, config, fabric)
            training.round += 1
            report(training.round, losses)
            status.pace(training.round - first, config.run.rounds - first, time.monotonic() - began)
            last = training.round == config.run.rounds
            if fabric.is_global_zero:
                if last or time.monotonic() - saved > 60 * config.run.save_minutes:
                    checkpoint.save(training, config, out)
                    saved = time.monotonic()
                if last or training.round % config.run.sheet_rounds == 0:
                    sheet = out / SHEETS / f"{training.round:06d}.png"
                    write_sheet(sheet, batch, composite, reference)


def _warm_up(
    training: Training,
    batches: torch.utils.data.DataLoader[Batch],
    fabric: Fabric,
    status: StatusLines,
) -> None:
    turns = training.pool.warm_up_turns()
    examples = _examples(training, batches, fabric)
    told = status.each(examples, len(turns), "steps of f_g before the first round")
    for adversary, example in zip(turns, told, strict=False):
        adversary.step(example)
        average_adversary(adversary, fabric)


def _examples(
    training: Training, batches: torch.utils.data.DataLoader[Batch], fabric: Fabric
) -> Iterator[Example]:
    """What adversaries train on, by the generator as it is."""
    for batch in batches:
        batch = fabric.to_device(batch)
        with torch.no_grad():
            image = training.compose(training.generator, batch).image
        yield image, batch.labels


def _loader(
    pictures: Sequence[LabelledImage], config: TrainingConfig, first: int, fabric: Fabric
) -> torch.utils.data.DataLoader[Batch]:
    seed = (config.run.seed, fabric.global_rank)
    source = Batches(pictures, config.data, config.blur, config.generator.geometry, seed, first)
    # A batch depends on its round alone, and on no number of workers.
    workers = min(config.data.workers, os.cpu_count() or 1)
    return torch.utils.data.DataLoader(source, batch_size=None, num_workers=workers)
