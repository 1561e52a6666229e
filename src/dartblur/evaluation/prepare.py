"""Stages that make the pictures of a benchmark: decoded, with f's detections, and anonymized."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dartblur.anonymizers import MethodSettings, make_anonymizer
from dartblur.datasets import format_with_faces
from dartblur.datasets.labelled import LabelledImage, load_labelled
from dartblur.errors import PictureError
from dartblur.evaluation import archive
from dartblur.evaluation.config import Source
from dartblur.evaluation.costs import PROCESS_MIB, VERSION, detection_mib, detection_seconds
from dartblur.faces import Image, Sample
from dartblur.stages.stage import fields_of
from dartblur.training.reference import Start, load_reference, with_detections


@dataclass(frozen=True)
class Prepare:
    """Decodes the pictures of one side, and keeps what f finds in them.

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
        seen = with_detections(
            load_labelled(samples, self.image_size, limit), reference, self.image_size
        )
        paths = (str(sample.image.relative_to(self.root)) for sample in samples)
        archive.write_pictures(target, zip(paths, seen, strict=False))

    def samples(self) -> list[Sample]:
        """The samples of this side, in order."""
        return select_samples(
            self.source, self.root, self.every, self.held_out, training=self.training
        )

    def dependencies(self) -> dict[str, Any]:
        """See `Work`."""
        fields = fields_of(self, without=("root", "start", "source"))
        return fields | {"version": VERSION}

    def cost(self) -> float:
        """See `Work`."""
        return detection_seconds(self.count, self.image_size)

    def memory(self) -> float:
        """See `Work`."""
        return detection_mib(self.image_size)


@dataclass(frozen=True)
class Anonymize:
    """Hides every face of the pictures; or takes the pictures that another tool made.

    name: of the method. named: the anonymizer and what it is told. folder: other pictures, in its
    place. digest: of a generator's file and what it is told, or of the folder's pictures.
    """

    name: str
    named: tuple[str, MethodSettings] | None
    folder: Path | None
    digest: str
    count: int

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        (clear,) = inputs
        pictures = archive.read_pictures(clear, clear)
        if self.folder is not None:
            archive.write_images(target, _external_images(self.folder, pictures))
        else:
            assert self.named is not None
            anonymizer, settings = self.named
            # The paper's covers have an edge, and so have the figures that ours are compared with.
            hide = make_anonymizer(anonymizer, replace(settings, blended=False))
            archive.write_images(target, (hide(p.image, p.faces) for p in pictures))

    def dependencies(self) -> dict[str, Any]:
        """See `Work`."""
        # The name of what is brought does not change it.
        return {"what": self.digest or self.name} | {"version": VERSION}

    def cost(self) -> float:
        """See `Work`."""
        return 0.015 * self.count

    def memory(self) -> float:
        """See `Work`."""
        return PROCESS_MIB


def select_samples(
    source: Source, root: Path, every: int, held_out: int, *, training: bool
) -> list[Sample]:
    """The samples to train on, or to test on.

    Raises:
        BoxesError: the labels cannot be read.
    """
    samples = list(format_with_faces(root, source.format).read(root, source.split))
    if held_out:
        samples = [s for i, s in enumerate(samples) if bool(i % held_out) == training]
    return samples[::every] if training else samples


def _external_images(folder: Path, pictures: Iterator[LabelledImage]) -> Iterator[Image]:
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
