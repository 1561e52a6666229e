"""What the stages of an attack do first: faces are found, and hidden faces embedded."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dartblur.boxes import IntArray
from dartblur.detectors import make_detector
from dartblur.errors import InputError
from dartblur.faces import FloatArray, Image
from dartblur.privacy.inversion import inversion_of
from dartblur.privacy.people import Photo
from dartblur.privacy.recognizers import RECOGNIZERS, Recognizer, of_length_1
from dartblur.privacy.views import (
    Alignment,
    Hiding,
    Photographer,
    Scene,
    only_inside,
    read_image,
)
from dartblur.stages.stage import fields_of

VERSION = 3
"""Raised when the code of a stage changes what it writes."""
PROCESS_MIB = 600.0
Undo = Callable[[Image, IntArray], Image]
"""A hidden photo, and its hidden box → the photo with the face in it undone."""
_SECONDS_A_FACE = {"dlib": 0.02, "facenet": 0.16, "faceres": 0.06, "pixels": 0.005}


@dataclass(frozen=True)
class Locate:
    """Finds the face nearest to the middle of every clear photo.

    digest: of the photos. some: photos without a face are passed over (null), not refused.
    """

    root: Path
    photos: tuple[Photo, ...]
    detector: str
    digest: str
    some: bool = False

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        detect = make_detector(self.detector)
        boxes: list[list[float] | None] = []
        for photo in self.photos:
            image = read_image(self.root / photo.path)
            [faces] = detect([image])
            if not len(faces):
                if self.some:
                    boxes.append(None)
                    continue
                raise InputError(
                    f"{self.root / photo.path}: no face is found; leave this photo out"
                )
            middle = np.array(image.shape[1::-1]) / 2
            centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
            nearest = int(np.linalg.norm(centres - middle, axis=1).argmin())
            boxes.append(faces.boxes[nearest].tolist())
        target.write_text(json.dumps(boxes))

    def dependencies(self) -> dict[str, Any]:
        """See `Work`."""
        return fields_of(self, without=("root",)) | {"version": VERSION}

    def cost(self) -> float:
        """See `Work`."""
        return 0.2 * len(self.photos)

    def memory(self) -> float:
        """See `Work`."""
        return PROCESS_MIB


@dataclass(frozen=True)
class Embed:
    """What a recognizer says of every face, hidden by a method. Input: the faces' boxes; of a
    photo without one it says nothing but zeros.

    size: width of the face's box. damping: it is undone first, see `Inversion`. restored:
    faces are painted back first, by the network of another input. inside: all that is outside the
    box is painted grey.
    """

    root: Path
    photos: tuple[Photo, ...]
    hiding: Hiding
    size: int
    recognizer: str
    alignment: Alignment = "clear"
    damping: float | None = None
    restored: bool = False
    inside: bool = False

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        boxes = json.loads(inputs[0].read_text())
        recognizer = self._loaded(inputs)
        take = Photographer(self.root, self.hiding, self.size)
        undo = self._undo(inputs[1:])
        vectors = {
            i: self._looked(take, photo, np.array(box, np.float32), recognizer, undo)
            for i, (photo, box) in enumerate(zip(self.photos, boxes, strict=True))
            if box is not None
        }
        dimensions = max((len(vector) for vector in vectors.values()), default=1)
        every = np.zeros((len(boxes), dimensions), np.float32)
        for i, vector in vectors.items():
            every[i] = vector
        with target.open("wb") as file:
            np.save(file, every)

    def _loaded(self, inputs: Sequence[Path]) -> Recognizer:
        return loaded_recognizer(self.recognizer)

    def _undo(self, networks: Sequence[Path]) -> Undo | None:
        """What is done with every hidden photo and its box before recognition."""
        if self.restored:
            from dartblur.privacy.recovery import Restorer  # needs PyTorch

            return Restorer(networks[0])
        return undoing(self.hiding, self.damping)

    def _looked(
        self, take: Photographer, photo: Photo, box: FloatArray, recognizer: Recognizer,
        undo: Undo | None,
    ) -> FloatArray:  # fmt: skip
        return self._vector(take(photo, box), recognizer, undo)

    def _vector(self, scene: Scene, recognizer: Recognizer, undo: Undo | None) -> FloatArray:
        shown = undo(scene.hidden, scene.hidden_box) if undo else scene.hidden
        place = placed(scene, shown, recognizer, self.alignment)
        if self.inside:
            shown = only_inside(shown, scene.hidden_box)
        return embedded(square_of(shown, place, recognizer), recognizer)

    def dependencies(self) -> dict[str, Any]:
        """See `Work`."""
        fields = fields_of(self, without=("root", "photos", "hiding"))
        return fields | self.hiding.dependencies() | {"version": VERSION}

    def cost(self) -> float:
        """See `Work`."""
        return _SECONDS_A_FACE.get(self.recognizer, 0.2) * len(self.photos)

    def memory(self) -> float:
        """See `Work`."""
        return PROCESS_MIB


def undoing(hiding: Hiding, damping: float | None) -> Undo | None:
    """How what a method hid is undone by what is known of it; None without a damping."""
    inversion = inversion_of(hiding.anonymizer())
    return partial(inversion, damping=damping) if damping is not None and inversion else None


def placed(scene: Scene, shown: Image, recognizer: Recognizer, alignment: Alignment) -> FloatArray:
    """Where the recognizer looks for the face, see `Recognizer.align`; shown: what it is shown."""
    if alignment == "clear":
        return recognizer.align(scene.clear, scene.box)
    return recognizer.align(shown, scene.shown_box)


def embedded(square: Image, recognizer: Recognizer) -> FloatArray:
    """What a recognizer says of a square and of its mirror image, (D,) of length 1: the mean of
    both tells more of a hidden face than one."""
    mirrored = np.ascontiguousarray(square[:, ::-1])
    return of_length_1(recognizer.embed(square) + recognizer.embed(mirrored))


def square_of(shown: Image, place: FloatArray, recognizer: Recognizer) -> Image:
    """What the recognizer looks at, (side, side, 3)."""
    square = cv2.warpAffine(
        shown,
        place,
        (recognizer.side, recognizer.side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(square, np.uint8)


@functools.lru_cache(maxsize=2)
def loaded_recognizer(name: str) -> Recognizer:
    """The recognizer of that name, loaded once.

    Raises:
        UsageError: its package is missing.
    """
    return RECOGNIZERS[name]()
