"""A face detector trained from labels and a teacher to an ONNX file."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from cyclopts import Parameter
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dartblur.config_file import read_config
from dartblur.datasets import format_with_faces
from dartblur.datasets.labelled import LabelledImage, read_labelled
from dartblur.detectors import make_detector
from dartblur.errors import TrainingError
from dartblur.faces import Faces, Sample
from dartblur.losses.multibox import pad
from dartblur.nets.base import DetectorNet, to_tensor
from dartblur.nets.families import FAMILIES, seeded
from dartblur.training import checkpoint, detector_export
from dartblur.training.augmentation import Augmentation, example
from dartblur.training.detector import DetectorTrainer, Example, Schedule
from dartblur.training.detector_config import DetectorTraining
from dartblur.training.reference import Start, initial_values, load_reference
from dartblur.training.teacher import completed, found_by

LOG = "log.csv"
FAMILY = "retinaface-p2"


_FREE = ("threads", "save_every")


def train_detector(
    *,
    config: Path,
    data: Path,
    out: Annotated[Path, Parameter(alias="-o")],
    settings: Annotated[DetectorTraining | None, Parameter(name="*", show=False)] = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Trains a face detector on a data set, and writes it as ONNX.

    Parameters
    ----------
    config
        The TOML file of a `DetectorTraining`: configs/detector.toml. Each of its fields is an
        option too, which goes before the file: --steps 500.
    data
        The root of a data set with a split "train"; its format is found by its layout.
    out
        Gets checkpoint.pt, log.csv, what the teacher saw, and detector.onnx.
    settings
        What the command line made of the file and of its own options; default: what the file says.
    resume
        Goes on from the checkpoint in `out`.

    Raises:
        ConfigError: the configuration is wrong.
        TrainingError: there is nothing to learn from, or the checkpoint is missing or damaged.
        PictureError: an image of the data set cannot be read.
    """
    settings = settings or read_config(DetectorTraining, config)
    torch.set_num_threads(settings.threads)
    checkpoint.prepare(out, resume=resume)
    labelled = Labelled.read(data, out, settings)
    run = _Run.fresh(labelled, settings)
    if resume:
        run.restore(out, settings)
    # Drawn anew where a training goes on: the same images again would be learned by heart.
    rng = np.random.default_rng((settings.seed, run.step))
    began = time.monotonic()
    for batch in islice(examples(labelled, rng), settings.steps - run.step):
        loss = run.learn(batch)
        with (out / LOG).open("a", encoding="utf-8") as log:
            log.write(f"{run.step},{loss:.5f},{time.monotonic() - began:.1f}\n")
        if run.step % settings.save_every == 0 or run.step == settings.steps:
            run.save(out, settings)
    detector_export.export_detector(
        run.average, out / "detector.onnx", {"settings": json.dumps(asdict(settings))}
    )


@dataclass(frozen=True)
class Labelled:
    """Train samples, and what the teacher saw in each; images are read when they are drawn."""

    samples: Sequence[Sample]
    found: Sequence[Faces]
    settings: DetectorTraining

    @classmethod
    def read(cls, data: Path, out: Path, settings: DetectorTraining) -> Labelled:
        """The samples of split train, searched by the teacher."""
        samples = list(format_with_faces(data).read(data, "train"))
        if settings.photos and settings.photos < len(samples):
            chosen = np.linspace(0, len(samples) - 1, settings.photos).round().astype(int)
            samples = [samples[i] for i in chosen]
        if not any(len(s.faces) for s in samples):
            raise TrainingError(f"{data}: no image of split train has a face; give labelled data")
        found = [Faces.empty()] * len(samples)
        if settings.teacher:
            teacher = make_detector(settings.teacher, threads=settings.threads)
            found = list(found_by(teacher, samples, settings.image_size, out, data))
        return cls(samples, found, settings)

    def clear(self, index: int) -> LabelledImage:
        """One image with its labels alone."""
        return read_labelled(self.samples[index], self.settings.image_size)

    def image(self, index: int) -> LabelledImage:
        """One image with all its faces."""
        return completed(self.clear(index), self.found[index], self.settings.sure)


def examples(labelled: Labelled, rng: np.random.Generator) -> Iterator[Example]:
    """Endless batches; some of their crops are mosaics of four images."""
    draw, settings = Augmentation(), labelled.settings
    while True:
        pixels, faces = [], []
        for _ in range(settings.batch):
            count = 4 if rng.random() < draw.mosaic else 1
            images = [labelled.image(i) for i in rng.integers(len(labelled.samples), size=count)]
            crop, there = example(draw, images, settings.crop, rng)
            pixels.append(crop)
            faces.append(there)
        yield to_tensor(pixels), pad(faces)


class _Run:
    """A training at some step."""

    def __init__(self, net: DetectorNet, settings: DetectorTraining) -> None:
        self.net: DetectorNet = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        schedule = Schedule(settings.rate, settings.steps, settings.warm_up)
        self.trainer = DetectorTrainer(FAMILIES[FAMILY], self.net, schedule)
        average = get_ema_multi_avg_fn(settings.ema)  # type: ignore[no-untyped-call]
        self._average = AveragedModel(net, multi_avg_fn=average, use_buffers=True)

    @classmethod
    def fresh(cls, labelled: Labelled, settings: DetectorTraining) -> _Run:
        """A training that begins with the packaged f, whose levels are coarser."""
        every = max(1, len(labelled.samples) // 64)
        some = (labelled.clear(i).image for i in range(0, len(labelled.samples), every))
        of_f = initial_values(load_reference(Start()), some, settings.image_size)
        known = {k: v for k, v in of_f.items() if not k.startswith("landmarks.")}
        return cls(seeded(FAMILIES[FAMILY], settings.seed, known), settings)

    @property
    def step(self) -> int:
        """Updates done."""
        return self.trainer.age

    @property
    def average(self) -> DetectorNet:
        """The network of averaged weights."""
        net = self._average.module
        assert isinstance(net, DetectorNet)
        return net

    def learn(self, batch: Example) -> float:
        """One update; the loss before it."""
        loss = self.trainer.step(batch)
        self._average.update_parameters(self.net)
        return loss.item()

    def save(self, out: Path, settings: DetectorTraining) -> None:
        """Writes the checkpoint beside the old one and then over it."""
        parts: dict[str, Any] = {name: part.state_dict() for name, part in self._parts().items()}
        content = {"step": self.step, "settings": asdict(settings), **parts}
        checkpoint.write(content, out, f"update {self.step}")

    def restore(self, out: Path, settings: DetectorTraining) -> None:
        """Takes up the training in `out` where it was saved.

        Raises:
            TrainingError: there is no checkpoint, it is damaged, or its settings are others.
        """
        path = out / checkpoint.NAME
        if not path.exists():
            raise TrainingError(f"{path}: there is no checkpoint; begin without --resume")
        content = checkpoint.read(path)
        try:
            held, now = content["settings"], asdict(settings)
            other = [k for k in now if k not in _FREE and held.get(k) != now[k]]
            if not other:
                for name, part in self._parts().items():
                    part.load_state_dict(content[name])
        except (KeyError, RuntimeError) as error:
            raise TrainingError(f"{path}: damaged ({error}); start afresh") from error
        if other:
            raise TrainingError(
                f"{path}: made with another {', '.join(other)}; resume with the same"
            )
        self.trainer.age = int(content["step"])

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        return {"net": self.net, "average": self._average, "optimizer": self.trainer.optimizer}
