"""The stages of the distillation: a student learns from hidden faces of others, and is asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from dartblur.datasets import format_with_faces
from dartblur.errors import InputError
from dartblur.faces import Image
from dartblur.privacy.config import Distillation
from dartblur.privacy.inversion import inversion_of
from dartblur.privacy.people import Photo
from dartblur.privacy.recognizers import Recognizer
from dartblur.privacy.restoring import EVERY
from dartblur.privacy.views import Alignment, Hiding, Photographer
from dartblur.privacy.work import (
    PROCESS_MIB,
    VERSION,
    Embed,
    loaded_recognizer,
    placed,
    square_of,
    undoing,
)
from dartblur.stages.stage import fields_of

_SPLIT = "train"
_ALIGNMENTS: tuple[Alignment, ...] = get_args(Alignment)
# Of a box's sides; how far detectors' boxes lie from labelled ones, about.
_JITTER = 0.05
Boxes = tuple[tuple[float, ...], ...]
_SECONDS_A_FACE = {True: 0.06, False: 0.03}


@dataclass(frozen=True)
class Labelled:
    """Boxes of faces that a data set labels, one a photo, as `Locate` writes those that it finds.

    digest: of the photos.
    """

    boxes: Boxes
    digest: str

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        target.write_text(json.dumps(self.boxes))

    def dependencies(self) -> dict[str, Any]:
        """See `Work`."""
        return fields_of(self)

    def cost(self) -> float:
        """See `Work`."""
        return 0.1

    def memory(self) -> float:
        """See `Work`."""
        return PROCESS_MIB


def read_faces(
    root: Path, smallest: int
) -> tuple[tuple[Photo, ...], tuple[tuple[float, ...], ...]]:
    """The labelled faces of a data set for training, of that width and height at least, in pixels.

    Each is a photo of its own, and has a box, (4,); whose face it is nobody says.

    Raises:
        BoxesError, UsageError: it labels no faces, or is laid out as none that is known.
        InputError: no face is as large as that, or photos lie in shards.
    """
    photos, boxes = [], []
    for sample in format_with_faces(root).read(root, _SPLIT):
        if sample.packed is not None:
            raise InputError(f"{root}: photos lie in shards; give a data set of files")
        path = sample.image.relative_to(root).as_posix()
        for box in sample.faces.boxes[~sample.faces.ignore]:
            if min(box[2:] - box[:2]) >= smallest:
                photos.append(Photo("", path, False, "others"))
                boxes.append(tuple(box.tolist()))
    if not photos:
        raise InputError(
            f"{root}: no labelled face of {smallest} pixels and more to learn from; lower "
            "--distillation.smallest"
        )
    return tuple(photos), tuple(boxes)


def damping_for(hiding: Hiding) -> float | None:
    """How a student's hidden faces are undone first; None: they are not.

    A generator is not undone: that takes sixteen of its paintings a face.
    """
    inversion = inversion_of(hiding.anonymizer())
    return inversion.dampings[0] if inversion and inversion.generator is None else None


@dataclass(frozen=True)
class Source:
    """Photos of other people to learn from, and how they are hidden."""

    root: Path
    photos: tuple[Photo, ...]
    hiding: Hiding


@dataclass(frozen=True)
class Distil:
    """Trains up to a round. Inputs: of each source the boxes, null where none is, and the teacher's
    vectors of the clear faces; then what was trained."""

    sources: tuple[Source, ...]
    size: int
    recognizer: str
    settings: Distillation
    seed: int
    until: int

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        from dartblur.privacy.distillation import train  # needs PyTorch

        given, before = inputs[: 2 * len(self.sources)], inputs[2 * len(self.sources) :]
        teacher = loaded_recognizer(self.recognizer)
        lessons = [
            _Lessons(source, json.loads(boxes.read_text()), self.size, teacher)
            for source, boxes in zip(self.sources, given[::2], strict=True)
        ]
        which = [(k, i) for k, lesson in enumerate(lessons) for i in lesson.there]
        if not which:
            raise InputError("distillation: no face is found on any photo of other people")
        loaded = [np.load(path) for path in given[1::2]]
        vectors = np.stack([loaded[k][i] for k, i in which])

        def batch(number: int) -> tuple[Image, npt.NDArray[np.intp]]:
            rng = np.random.default_rng((self.seed, number))
            chosen = rng.integers(len(which), size=self.settings.batch)
            squares = [lessons[k](i, rng) for k, i in (which[c] for c in chosen)]
            return np.stack(squares), chosen

        given_before = before[0] if before else None
        train(batch, vectors, teacher, self.settings, self.seed, self.until, given_before, target)

    def dependencies(self) -> dict[str, Any]:
        """See `Work`."""
        fields = fields_of(self, without=("sources",))
        # What they choose is in the inputs.
        for name in ("methods", "faces", "smallest"):
            del fields["settings"][name]
        hidings = [source.hiding.dependencies() for source in self.sources]
        return fields | {"hidings": hidings, "version": VERSION}

    def cost(self) -> float:
        """See `Work`."""
        own = self.settings
        return _SECONDS_A_FACE[own.fine_tuned] * own.batch * min(self.until, EVERY)

    def memory(self) -> float:
        """See `Work`."""
        return 3 * PROCESS_MIB


class _Lessons:
    """Hidden faces of a source, made anew, in another box and place, whenever one is asked for."""

    def __init__(
        self,
        source: Source,
        boxes: Sequence[Sequence[float] | None],
        size: int,
        teacher: Recognizer,
    ) -> None:
        self._photos, self._boxes, self._teacher = source.photos, boxes, teacher
        self._take = Photographer(source.root, source.hiding, size)
        self._undo = undoing(source.hiding, damping_for(source.hiding))
        self.there = [i for i, box in enumerate(boxes) if box is not None]

    def __call__(self, index: int, rng: np.random.Generator) -> Image:
        """The teacher's square, aligned by the clear or by the hidden photo."""
        box = np.array(self._boxes[index], np.float32)
        moved = box + rng.normal(0, _JITTER, 4) * np.tile(box[2:] - box[:2], 2)
        alignment = _ALIGNMENTS[rng.integers(len(_ALIGNMENTS))]
        scene = self._take(self._photos[index], moved.astype(np.float32))
        shown = self._undo(scene.hidden, scene.hidden_box) if self._undo else scene.hidden
        return square_of(shown, placed(scene, shown, self._teacher, alignment), self._teacher)


@dataclass(frozen=True)
class EmbedByStudent(Embed):
    """What a recognizer's student says of every hidden face. Inputs: the faces' boxes, and it.

    beside: with what the recognizer says of it itself, (2 D,).
    """

    beside: bool = False

    def _loaded(self, inputs: Sequence[Path]) -> Recognizer:
        from dartblur.privacy.distillation import Beside, Student  # needs PyTorch

        teacher = super()._loaded(inputs)
        student = Student(inputs[1], teacher)
        return Beside(student, teacher) if self.beside else student
