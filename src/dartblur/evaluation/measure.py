"""Stages that measure: detectors are trained, run on pictures, and scored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dartblur.datasets.labelled import LabelledImage
from dartblur.errors import InputError
from dartblur.evaluation import archive
from dartblur.evaluation.config import Recipe
from dartblur.evaluation.costs import (
    PROCESS_MIB,
    VERSION,
    detection_mib,
    detection_seconds,
    training_mib,
    training_seconds,
)
from dartblur.evaluation.detectors import detect_all, initialized
from dartblur.evaluation.inference_only import INFERENCE_ONLY
from dartblur.evaluation.scoring import HEIGHTS, score
from dartblur.nets.base import DetectorNet
from dartblur.nets.families import FAMILIES, PRETRAINED
from dartblur.stages.stage import fields_of
from dartblur.training.detector import DetectorTrainer, Schedule, examples_of
from dartblur.training.reference import Start, load_reference


@dataclass(frozen=True)
class Train:
    """Trains a detector. Inputs: pictures to see, and the file of their faces."""

    detector: str
    recipe: Recipe
    from_reference: bool
    seed: int
    threads: int
    start: Start
    start_digest: str
    image_size: int
    count: int

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        images, entries = inputs
        torch.set_num_threads(self.threads)
        clear = archive.read_images(entries)
        net = initialized(
            self.detector, self.start, clear, self.image_size,
            from_reference=self.from_reference, seed=self.seed,
        ).to(device())  # fmt: skip
        recipe = self.recipe
        examples = examples_of(
            _cached_pictures(images, entries), recipe.crop, recipe.batch, self.seed
        )
        rate, steps = recipe.rate, recipe.steps
        if self.from_reference:
            rate, steps = recipe.reference_rate, recipe.reference_steps
        schedule = Schedule(rate, steps, recipe.warm_up)
        trainer = DetectorTrainer(FAMILIES[self.detector], net, schedule, clip=recipe.clip)
        losses = trainer.train(examples)
        if not np.isfinite(losses[-1:]).all():
            raise InputError(
                f"{self.detector}: the last loss is {losses[-1]}; lower the rate of its recipe"
            )
        torch.save({"values": net.state_dict(), "losses": losses}, target)

    def dependencies(self) -> dict[str, Any]:
        """See `Work`."""
        # The pictures are inputs: how many there are is in their keys.
        fields = fields_of(self, without=("start", "threads", "image_size", "count"))
        return fields | {"device": device(), "version": VERSION}

    def cost(self) -> float:
        """See `Work`."""
        steps = self.recipe.reference_steps if self.from_reference else self.recipe.steps
        return training_seconds(self.detector, self.recipe, steps)

    def memory(self) -> float:
        """See `Work`."""
        return training_mib(self.detector, self.recipe, self.count, self.image_size)


@dataclass(frozen=True)
class Detect:
    """What a detector finds. Inputs: the pictures; then the trained values, unless pretrained."""

    detector: str
    image_size: int
    count: int
    threads: int
    start: Start
    start_digest: str

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        torch.set_num_threads(self.threads)
        images = archive.read_images(inputs[0])
        if self.detector in INFERENCE_ONLY:
            detect = INFERENCE_ONLY[self.detector]()
            found = [faces for image in images for faces in detect([image])]
        else:
            net = self._net(inputs[1:]).to(device())
            found = detect_all(FAMILIES[self.detector], net, images, self.image_size)
        archive.write_detections(target, found)

    def _net(self, trained: Sequence[Path]) -> DetectorNet:
        if trained:
            net = FAMILIES[self.detector].make()
            net.load_state_dict(torch.load(trained[0], weights_only=True)["values"])
        else:
            net = load_reference(self.start).net
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def dependencies(self) -> dict[str, Any]:
        """See `Work`."""
        fields = fields_of(self, without=("start", "threads", "count"))
        return fields | {"version": VERSION}

    def cost(self) -> float:
        """See `Work`."""
        return detection_seconds(self.count, self.image_size)

    def memory(self) -> float:
        """See `Work`."""
        return detection_mib(self.image_size)


@dataclass(frozen=True)
class Score:
    """Scores detections. Inputs: detections, the file of the faces, and with `own` the detector's
    own detections on the clear pictures, which are the truth then."""

    own: bool

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        found = archive.read_detections(inputs[0])
        entries = archive.read_entries(inputs[1])
        truths = {"labels": [e.faces for e in entries]}
        if self.own:
            seen = archive.read_detections(inputs[2])
            truths["own"] = [f[f.scores >= 0.5] for f in seen]
        else:
            truths["reference"] = [e.found for e in entries]
        scores = {name: asdict(score(found, truth)) for name, truth in truths.items()}
        target.write_text(json.dumps(scores))

    def dependencies(self) -> dict[str, Any]:
        """See `Work`."""
        return asdict(self) | {"version": VERSION, "heights": HEIGHTS}

    def cost(self) -> float:
        """See `Work`."""
        return 2.0

    def memory(self) -> float:
        """See `Work`."""
        return PROCESS_MIB


def device() -> str:
    """Where torch works."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def is_pretrained(detector: str) -> bool:
    """Has this detector values of its own before any training here."""
    return detector == PRETRAINED or detector in INFERENCE_ONLY


@lru_cache(maxsize=1)
def _cached_pictures(images: Path, entries: Path) -> list[LabelledImage]:
    """The pictures that the last training used: the next one often uses the same."""
    return list(archive.read_pictures(images, entries))
