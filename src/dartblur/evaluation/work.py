"""What the stages of a benchmark do: each makes one file from the files of others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from dartblur.anonymizers import MethodSettings, make_anonymizer
from dartblur.anonymizers.base import Anonymizer
from dartblur.anonymizers.dartblur import Dartblur
from dartblur.datasets import FORMATS
from dartblur.datasets.crops import LabelledImage, load
from dartblur.errors import InputError, PictureError
from dartblur.evaluation import pictures as store
from dartblur.evaluation.config import Recipe, Source
from dartblur.evaluation.fidelity import found_by, untrained
from dartblur.evaluation.run_only import RUN_ONLY
from dartblur.evaluation.scoring import score
from dartblur.faces import Image, Sample
from dartblur.nets.base import DetectorNet
from dartblur.nets.families import FAMILIES, PRETRAINED
from dartblur.training.detector import DetectorTrainer, Schedule, examples_of
from dartblur.training.reference import Start, found_in, load_reference

_PROCESS = 400.0
"""MiB of a process that has torch and does nothing yet."""
# Bytes of a training for each pixel of its batch; without a number, the largest family's.
_TRAINING_BYTES = {"retinaface": 450, "yolov5n": 500, "yolov5s": 1200, "pyramidbox-small": 1050}
_LARGEST_TRAINING_BYTES = 13_000
_DETECTION_BYTES = 240
_DETECTED_TOGETHER = 8
VERSION = {"version": 3}
"""Raised when a stage's code changes what it writes."""


@dataclass(frozen=True)
class Look:
    """Decodes the pictures of one side, and lets f look at them.

    digest: of labels and pictures. training: the pictures to train on, or those to test on.
    """

    source: Source
    root: Path
    digest: str
    every: int
    held_out: int
    training: bool
    image_size: int
    memory_gb: float
    start: Start
    start_digest: str
    count: int

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        reference = load_reference(self.start)
        samples = self.samples()
        limit = int(self.memory_gb * 2**30)
        seen = found_in(load(samples, self.image_size, limit), reference, self.image_size)
        paths = (str(sample.image.relative_to(self.root)) for sample in samples)
        store.write_pictures(target, zip(paths, seen, strict=False))

    def samples(self) -> list[Sample]:
        """The samples of this side, in order."""
        return chosen(self.source, self.root, self.every, self.held_out, training=self.training)

    def about(self) -> dict[str, Any]:
        """See `Work`."""
        left_out = ("root", "start", "source")
        named = {k: v for k, v in asdict(self).items() if k not in left_out}
        return named | VERSION

    def cost(self) -> float:
        """See `Work`."""
        return 0.03 * self.count * (self.image_size / 320) ** 2

    def memory(self) -> float:
        """See `Work`."""
        return _detecting(self.image_size)


@dataclass(frozen=True)
class Hide:
    """Hides every face of the pictures; or takes the pictures that another tool made.

    name: of an anonymizer. generator: an ONNX file for `Dartblur`. folder: other pictures. digest:
    of generator or folder.
    """

    name: str
    generator: Path | None
    folder: Path | None
    digest: str
    count: int

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        (clear,) = inputs
        pictures = store.read_pictures(clear, clear)
        if self.folder is not None:
            store.write_images(target, _brought(self.folder, pictures))
        else:
            hide = self._anonymizer()
            store.write_images(target, (hide(p.image, p.faces) for p in pictures))

    def _anonymizer(self) -> Anonymizer:
        if self.generator:
            return Dartblur(self.generator)
        # The paper's covers have an edge, and so have the figures that ours are compared with.
        return make_anonymizer(self.name, MethodSettings(blended=False))

    def about(self) -> dict[str, Any]:
        """See `Work`."""
        # The name of what is brought does not change it.
        own = not self.generator and not self.folder
        return {"what": self.name if own else self.digest} | VERSION

    def cost(self) -> float:
        """See `Work`."""
        return 0.015 * self.count

    def memory(self) -> float:
        """See `Work`."""
        return _PROCESS


@dataclass(frozen=True)
class Fit:
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
        clear = store.read_images(entries)
        net = untrained(
            self.detector, self.start, clear, self.image_size,
            from_reference=self.from_reference, seed=self.seed,
        ).to(device())  # fmt: skip
        recipe = self.recipe
        examples = examples_of(_held(images, entries), recipe.crop, recipe.batch, self.seed)
        rate, steps = recipe.rate, recipe.steps
        if self.from_reference:
            rate, steps = recipe.reference_rate, recipe.reference_steps
        schedule = Schedule(rate, steps, recipe.warm_up)
        trainer = DetectorTrainer(FAMILIES[self.detector], schedule, clip=recipe.clip)
        losses = trainer.train(net, examples)
        if not np.isfinite(losses[-1:]).all():
            raise InputError(
                f"{self.detector}: the last loss is {losses[-1]}; lower the rate of its recipe"
            )
        torch.save({"values": net.state_dict(), "losses": losses}, target)

    def about(self) -> dict[str, Any]:
        """See `Work`."""
        # The pictures are inputs: how many there are is in their keys.
        left_out = ("start", "threads", "image_size", "count")
        named = {k: v for k, v in asdict(self).items() if k not in left_out}
        return named | {"device": device()} | VERSION

    def cost(self) -> float:
        """See `Work`."""
        steps = self.recipe.reference_steps if self.from_reference else self.recipe.steps
        weight = {"retinaface": 1.0, "yolov5n": 1.0, "yolov5s": 4.0, "pyramidbox-small": 2.0}
        pixels = self.recipe.batch * self.recipe.crop**2 / (16 * 224**2)
        return 0.45 * steps * pixels * weight.get(self.detector, 20.0)

    def memory(self) -> float:
        """See `Work`."""
        pixels = self.recipe.batch * self.recipe.crop**2
        each = _TRAINING_BYTES.get(self.detector, _LARGEST_TRAINING_BYTES)
        # Pictures of four to three, as they lie in memory.
        pictures = self.count * self.image_size**2 * 0.75 * 3
        return _PROCESS + (pixels * each + pictures) / 2**20


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
        images = store.read_images(inputs[0])
        if self.detector in RUN_ONLY:
            detect = RUN_ONLY[self.detector]()
            found = [faces for image in images for faces in detect([image])]
        else:
            net = self._net(inputs[1:]).to(device())
            found = found_by(FAMILIES[self.detector], net, images, self.image_size)
        store.write_detections(target, found)

    def _net(self, trained: Sequence[Path]) -> DetectorNet:
        if trained:
            net = FAMILIES[self.detector].make()
            net.load_state_dict(torch.load(trained[0], weights_only=True)["values"])
        else:
            net = load_reference(self.start).net
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def about(self) -> dict[str, Any]:
        """See `Work`."""
        left_out = ("start", "threads", "count")
        named = {k: v for k, v in asdict(self).items() if k not in left_out}
        return named | VERSION

    def cost(self) -> float:
        """See `Work`."""
        return 0.03 * self.count * (self.image_size / 320) ** 2

    def memory(self) -> float:
        """See `Work`."""
        return _detecting(self.image_size)


@dataclass(frozen=True)
class Score:
    """Scores detections. Inputs: detections, the file of the faces, and with `own` the detector's
    own detections on the clear pictures, which are the truth then."""

    own: bool

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        found = store.read_detections(inputs[0])
        entries = store.read_entries(inputs[1])
        truths = {"labels": [e.faces for e in entries]}
        if self.own:
            seen = store.read_detections(inputs[2])
            truths["own"] = [f[f.scores >= 0.5] for f in seen]
        else:
            truths["reference"] = [e.found for e in entries]
        scores = {name: asdict(score(found, truth)) for name, truth in truths.items()}
        target.write_text(json.dumps(scores))

    def about(self) -> dict[str, Any]:
        """See `Work`."""
        return asdict(self) | VERSION

    def cost(self) -> float:
        """See `Work`."""
        return 2.0

    def memory(self) -> float:
        """See `Work`."""
        return _PROCESS


def chosen(
    source: Source, root: Path, every: int, held_out: int, *, training: bool
) -> list[Sample]:
    """The samples to train on, or to test on.

    Raises:
        BoxesError: the labels cannot be read.
    """
    samples = list(FORMATS[source.format].read(root, source.split))
    if held_out:
        samples = [s for i, s in enumerate(samples) if bool(i % held_out) == training]
    return samples[::every] if training else samples


def device() -> str:
    """Where torch works."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _detecting(image_size: int) -> float:
    return _PROCESS + _DETECTED_TOGETHER * image_size**2 * _DETECTION_BYTES / 2**20


def pretrained(detector: str) -> bool:
    """Has this detector values of its own before any training here."""
    return detector == PRETRAINED or detector in RUN_ONLY


@lru_cache(maxsize=1)
def _held(images: Path, entries: Path) -> list[LabelledImage]:
    """The pictures that the last training used: the next one often uses the same."""
    return list(store.read_pictures(images, entries))


def _brought(folder: Path, pictures: Iterator[LabelledImage]) -> Iterator[Image]:
    for picture in pictures:
        path = folder / picture.name
        image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise PictureError(
                f"{path}: not a picture that can be read; every picture must be there"
            )
        height, width = picture.image.shape[:2]
        factor = max(height, width) / max(image.shape[:2])
        size = tuple(max(1, round(side * factor)) for side in image.shape[:2])
        if size != (height, width):
            raise PictureError(
                f"{path}: {image.shape[1]} × {image.shape[0]} is another shape than the clear "
                f"picture's; anonymize without cropping or turning"
            )
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        yield np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)
