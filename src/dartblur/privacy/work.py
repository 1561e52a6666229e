"""What the stages of an attack do: faces are found, hidden faces embedded, attackers judged."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dartblur import boxes as boxlib
from dartblur.anonymizers.base import Anonymizer
from dartblur.anonymizers.dartblur import Dartblur
from dartblur.boxes import IntArray
from dartblur.detectors import make_detector
from dartblur.errors import InputError, PictureError
from dartblur.faces import Faces, FloatArray, Image
from dartblur.pipeline import DEFAULT_MARGIN
from dartblur.privacy.attackers import ATTACKERS
from dartblur.privacy.methods import CLEAR, METHODS, UNDO
from dartblur.privacy.people import Photo
from dartblur.privacy.recognizers import RECOGNIZERS, Recognizer
from dartblur.privacy.scoring import identification
from dartblur.stages.stage import fields_of

VERSION = 1
"""Raised when the code of a stage changes what it writes."""
_SECONDS_A_FACE = {"dlib": 0.12, "facenet": 0.12}
_PROCESS_MIB = 600.0


@dataclass(frozen=True)
class Locate:
    """Finds the face nearest to the middle of every clear photo. digest: of the photos."""

    root: Path
    photos: tuple[Photo, ...]
    detector: str
    digest: str

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        detect = make_detector(self.detector)
        boxes = []
        for photo in self.photos:
            image = read_image(self.root / photo.path)
            [faces] = detect([image])
            if not len(faces):
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
        return _PROCESS_MIB


@dataclass(frozen=True)
class Embed:
    """What a recognizer says of every face, hidden by a method. Input: the faces' boxes.

    Alignment is by the clear photo, the strongest that an attacker could have. size: width of the
    face's box. undone: the blur is undone first. generator, folder: of methods that are brought;
    digest: of theirs.
    """

    root: Path
    photos: tuple[Photo, ...]
    method: str
    size: int
    recognizer: str
    undone: bool = False
    generator: Path | None = None
    folder: Path | None = None
    digest: str = ""

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        boxes = json.loads(inputs[0].read_text())
        recognizer = loaded_recognizer(self.recognizer)
        hide = self._anonymizer()
        vectors = [
            self._vector(photo, np.array(box, np.float32), recognizer, hide)
            for photo, box in zip(self.photos, boxes, strict=True)
        ]
        with target.open("wb") as file:
            np.save(file, np.stack(vectors))

    def _vector(
        self, photo: Photo, box: FloatArray, recognizer: Recognizer, hide: Anonymizer | None
    ) -> FloatArray:
        native = read_image(self.root / photo.path)
        factor = self.size / float(box[2] - box[0])
        clear, box = resized(native, factor), box * np.float32(factor)
        shown, pixels = clear, hidden_box(box, clear)
        if self.folder is not None:
            shown = resized(self._brought(photo, native.shape), factor)
        elif hide is not None:
            shown = hide(clear, Faces(pixels[None].astype(np.float32)))
        if self.undone:
            shown = UNDO[self.method](shown, pixels)
        square = cv2.warpAffine(
            shown,
            recognizer.align(clear, box),
            (recognizer.side, recognizer.side),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return recognizer.embed(np.asarray(square, np.uint8))

    def _anonymizer(self) -> Anonymizer | None:
        if self.generator is not None:
            return Dartblur(self.generator)
        return None if self.method == CLEAR or self.folder else METHODS[self.method]()

    def _brought(self, photo: Photo, shape: tuple[int, ...]) -> Image:
        assert self.folder is not None
        path = self.folder / photo.path
        image = read_image(path)
        if image.shape != shape:
            raise PictureError(
                f"{path}: {image.shape[1]} × {image.shape[0]} pixels, but the clear photo has "
                f"{shape[1]} × {shape[0]}; anonymize without changing the size"
            )
        return image

    def dependencies(self) -> dict[str, Any]:
        """See `Work`."""
        fields = fields_of(self, without=("root", "photos", "generator", "folder"))
        if self.digest:  # the name of what is brought does not change it
            fields.pop("method")
        return fields | {"version": VERSION}

    def cost(self) -> float:
        """See `Work`."""
        return _SECONDS_A_FACE.get(self.recognizer, 0.2) * len(self.photos)

    def memory(self) -> float:
        """See `Work`."""
        return _PROCESS_MIB


@dataclass(frozen=True)
class Judge:
    """How often an attacker is right. Inputs: embeddings of clear photos, and of hidden ones."""

    photos: tuple[Photo, ...]
    attacker: str
    resamples: int
    seed: int

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        clear, hidden = (np.load(path) for path in inputs)
        names = sorted({photo.person for photo in self.photos})
        people = np.array([names.index(photo.person) for photo in self.photos], np.intp)
        known = np.array([photo.gallery for photo in self.photos])
        attacker = ATTACKERS[self.attacker]
        gallery = (clear if attacker.gallery == "clear" else hidden)[known]
        scores = attacker.classify(gallery, people[known], hidden[~known])
        rates = identification(scores, people[~known], self.resamples, self.seed)
        target.write_text(json.dumps(asdict(rates)))

    def dependencies(self) -> dict[str, Any]:
        """See `Work`."""
        return fields_of(self) | {"version": VERSION}

    def cost(self) -> float:
        """See `Work`."""
        return 0.5

    def memory(self) -> float:
        """See `Work`."""
        return _PROCESS_MIB


def read_image(path: Path) -> Image:
    """A photo's pixels.

    Raises:
        PictureError: it is not there, or cannot be decoded.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise PictureError(f"{path}: not a picture that can be read; every photo must be there")
    return np.asarray(image, np.uint8)


def resized(image: Image, factor: float) -> Image:
    """The picture stretched by `factor`."""
    size = tuple(max(1, round(side * factor)) for side in image.shape[1::-1])
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def hidden_box(box: FloatArray, image: Image) -> IntArray:
    """The whole pixels, (4,), that `dartblur anonymize` hides of a face found in `box`."""
    height, width = image.shape[:2]
    grown = boxlib.clip(boxlib.grow(box[None], DEFAULT_MARGIN), height, width)
    pixels: IntArray = boxlib.to_pixels(grown, height, width)[0]
    return pixels


@functools.lru_cache(maxsize=2)
def loaded_recognizer(name: str) -> Recognizer:
    """The recognizer of that name, loaded once.

    Raises:
        UsageError: its package is missing.
    """
    return RECOGNIZERS[name]()
