"""A training from its files: configuration, data set, folder of the run."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import torch
from cyclopts import Parameter
from lightning_fabric import Fabric
from torch import nn

from dartblur.config_file import read_config
from dartblur.datasets import format_with_faces
from dartblur.datasets.labelled import LabelledImage, load_labelled
from dartblur.errors import ConfigError, TrainingError
from dartblur.faces import Sample
from dartblur.nets.discriminator import ProjectedDiscriminator
from dartblur.nets.unet import FrameGenerator
from dartblur.nets.window import WindowGenerator
from dartblur.training import checkpoint
from dartblur.training.adversaries import Pool, State
from dartblur.training.algorithm import Training
from dartblur.training.compositing import Batch, Composite, composite_frame, composite_windows
from dartblur.training.config import Data, Generator, TrainingConfig
from dartblur.training.discriminator import CHANNELS, TrainedDiscriminator
from dartblur.training.fit import fit
from dartblur.training.progress import LOG, SHEETS, StatusLines
from dartblur.training.provenance import provenance
from dartblur.training.reference import (
    OF_REFERENCE,
    Reference,
    initial_values,
    load_backbone,
    load_reference,
    with_detections,
)


def train(
    *,
    config: Path,
    data: Path,
    out: Annotated[Path, Parameter(alias="-o")],
    settings: Annotated[TrainingConfig | None, Parameter(name="*", show=False)] = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Trains a generator by Algorithm 1 on a data set, of any format of `dartblur dataset`.

    Parameters
    ----------
    config
        The TOML file of a `TrainingConfig`; `configs/` holds some. Each of its fields is an option
        too, which goes before the file: --run.rounds 100, --start.reference FILE.
    data
        The root of a data set with a split "train"; its format is found by its layout.
    out
        Gets checkpoint.pt, log.csv and sheets/, which show clear faces.
    settings
        What the command line made of the file and of its own options; default: what the file says.
    resume
        Goes on from the checkpoint in `out`.

    Raises:
        ConfigError: the configuration is wrong.
        InputError: data, weights or checkpoint are wrong, or the training had to stop.
    """
    settings = settings or read_config(TrainingConfig, config)
    settings.start.check()
    _check_device(settings.run.device, config)
    if settings.run.threads:
        torch.set_num_threads(settings.run.threads)
    torch.manual_seed(settings.run.seed)
    fabric = Fabric(
        accelerator=settings.run.device,
        precision=settings.run.precision,
        devices=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
    )
    fabric.launch()
    checkpoint.prepare(out, resume=resume)
    status = StatusLines(fabric.is_global_zero)
    status(_plan_of(settings, config, fabric))
    reference = load_reference(settings.start)
    # Before the pictures: where a backbone is random, it is drawn from the seed alone.
    backbone = load_backbone(settings.start)
    reference.net.to(fabric.device)
    samples = training_samples(data, settings.data)
    pictures = training_pictures(samples, settings, reference, status)
    with_faces = [p for p in pictures if len(p.faces)]
    if not with_faces:
        raise TrainingError(f"{data}: no picture of split train has a face; give labelled data")
    of_f = initial_values(reference, (p.image for p in with_faces), settings.data.image_size)
    if settings.start.backbone == OF_REFERENCE:
        backbone = {name: of_f[name] for name in backbone}
    training = fresh(settings, of_f, backbone, fabric)
    training.origin = provenance(data, samples[: len(pictures)])
    if resume:
        checkpoint.restore(training, settings, out)
    with _repeatable(fabric.device):
        fit(training, reference, with_faces, settings, out, fabric, status)
    status(f"wrote {out / checkpoint.NAME}, {out / LOG} and {out / SHEETS}/")


@contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """On the processor sums come in one order, so that a resumed training is the one it was.

    Left alone, gradients of indexed values are added by whichever thread comes first.
    """
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(before or device.type == "cpu", warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def fresh(settings: TrainingConfig, of_f: State, backbone: State, fabric: Fabric) -> Training:
    """A training at round 0."""
    torch.manual_seed(settings.run.seed)
    generator, compose = make_generator(settings.generator)
    generator = fabric.to_device(generator)
    optimizer = torch.optim.Adam(
        generator.parameters(), lr=settings.generator.rate, betas=settings.generator.betas
    )
    pool = Pool(settings.adversaries, of_f, backbone, settings.run.seed, fabric.device)
    average = copy.deepcopy(generator).requires_grad_(False)
    discriminator = _discriminator(settings, fabric) if settings.objectives.realism else None
    return Training(generator, average, optimizer, pool, discriminator, compose)


def _discriminator(settings: TrainingConfig, fabric: Fabric) -> TrainedDiscriminator:
    own = settings.discriminator
    net = ProjectedDiscriminator(CHANNELS, own.width).to(fabric.device)
    optimizer = torch.optim.Adam(net.parameters(), lr=own.rate, betas=own.betas)
    return TrainedDiscriminator(net, optimizer)


def make_generator(
    settings: Generator,
) -> tuple[nn.Module, Callable[[nn.Module, Batch], Composite]]:
    """The generator of the settings, and how it is put into the picture."""
    if settings.kind == "unet":
        whole = FrameGenerator(settings.width)
        return whole.to(memory_format=torch.channels_last), composite_frame  # type: ignore[call-overload]
    net = WindowGenerator(
        settings.size,
        int(settings.width),
        channels=settings.channels,
        limit=settings.limit,
        detail=settings.detail,
        rim=settings.rim,
        noise=settings.noise,
    )
    return net.to(memory_format=torch.channels_last), composite_windows  # type: ignore[call-overload]


def training_samples(root: Path, data: Data) -> list[Sample]:
    """The samples of split "train", without those held out."""
    samples = format_with_faces(root).read(root, "train")
    return [s for i, s in enumerate(samples) if not data.holdout or i % data.holdout]


def training_pictures(
    samples: Sequence[Sample], settings: TrainingConfig, reference: Reference, status: StatusLines
) -> list[LabelledImage]:
    """As many of the samples' pictures as memory allows, with f's detections in them."""
    data = settings.data
    pictures = with_detections(
        load_labelled(samples, data.image_size, int(data.memory_gb * 2**30)),
        reference,
        data.image_size,
        threshold=data.found,
        overlap=data.overlap,
    )
    return list(status.each(pictures, len(samples), "pictures read and searched by f"))


def _plan_of(settings: TrainingConfig, config: Path, fabric: Fabric) -> str:
    crop, batch = settings.data.crop, settings.data.batch
    return (
        f"{config}: {settings.run.rounds} rounds of {batch} crops of {crop} × {crop} pixels on "
        f"{fabric.device.type}, {torch.get_num_threads()} thread(s); reading the pictures first"
    )


def _check_device(device: str, config: Path) -> None:
    there = {
        "cuda": torch.cuda.is_available(),
        "gpu": torch.cuda.is_available() or torch.backends.mps.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(device, True):
        raise ConfigError(
            f"{config}: run.device: {device!r} is asked for, but torch {torch.__version__} sees no "
            'such device here; say "auto" or "cpu", or install a torch that fits the GPU'
        )
