"""How an attacker looks at a photo: hidden by a method, at a size, aligned, and perhaps undone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np

from dartblur import boxes as boxlib
from dartblur.anonymizers.base import Anonymizer
from dartblur.anonymizers.dartblur import Dartblur
from dartblur.boxes import IntArray
from dartblur.errors import PictureError
from dartblur.faces import Faces, FloatArray, Image
from dartblur.pipeline import DEFAULT_MARGIN
from dartblur.privacy.methods import GREY, method_of
from dartblur.privacy.people import Photo

Alignment = Literal["clear", "hidden"]
"""What the face is aligned by: the clear photo, which only the one who hid it has, or the hidden
one and the box that everybody sees."""


@dataclass(frozen=True)
class Hiding:
    """A method. generator, folder: of one that is brought; digest: of theirs, or of the package's
    generator and what it is told. jpeg: quality of the file that the hidden photo is saved as, 0:
    it is taken as it is."""

    method: str
    generator: Path | None = None
    folder: Path | None = None
    digest: str = ""
    jpeg: int = 0

    def dependencies(self) -> dict[str, Any]:
        """What hidden photos depend on: the name of what is brought changes nothing."""
        told = {"digest": self.digest} if self.digest else {"method": self.method}
        return told | ({"jpeg": self.jpeg} if self.jpeg else {})

    def anonymizer(self) -> Anonymizer | None:
        """None where photos are clear, or another tool hid them."""
        if self.generator is not None:
            return Dartblur(self.generator)
        known = None if self.folder else method_of(self.method)
        return known.make() if known else None

    @property
    def margin(self) -> float:
        """How far boxes are grown; of what another tool hid it is taken to be ours."""
        known = method_of(self.method)
        return known.margin if known else DEFAULT_MARGIN


class Scene(NamedTuple):
    """A photo before and after. box: (4,), of the face. hidden_box: (4,) whole pixels, by `margin`
    larger on every side."""

    clear: Image
    hidden: Image
    box: FloatArray
    hidden_box: IntArray
    margin: float = DEFAULT_MARGIN

    @property
    def shown_box(self) -> FloatArray:
        """Where the face lies, (4,), as everybody sees it in the hidden box."""
        grown: FloatArray = boxlib.grow(
            self.hidden_box[None], -self.margin / (1 + 2 * self.margin)
        )[0]
        return grown


class Photographer:
    """Makes scenes of photos below `root`, in which a face's box is `size` pixels wide."""

    def __init__(self, root: Path, hiding: Hiding, size: int) -> None:
        self._root, self._hiding, self._size = root, hiding, size
        self._hide = hiding.anonymizer()

    def __call__(self, photo: Photo, box: FloatArray) -> Scene:
        """box: (4,), of the face in the photo as it is.

        Raises:
            PictureError: the photo, or the one that another tool hid, cannot be read or has another
                size.
        """
        native = read_image(self._root / photo.path)
        clear, box = self._sized(native, box)
        if self._hiding.folder is None:
            return self.hidden(clear, box)
        brought = _brought(self._hiding.folder / photo.path, native)
        return self._scene(clear, _stretched(brought, clear.shape[1], clear.shape[0]), box)

    def sized(self, photo: Photo, box: FloatArray) -> tuple[Image, FloatArray]:
        """The clear photo in which the box, (4,), is as wide as asked, and the box in it."""
        return self._sized(read_image(self._root / photo.path), box)

    def hidden(self, clear: Image, box: FloatArray) -> Scene:
        """The scene of a picture of that size, by a method that is no other tool's."""
        scene = self._scene(clear, clear, box)
        if self._hide is None:
            return scene
        face = Faces(scene.hidden_box[None].astype(np.float32))
        return scene._replace(hidden=saved(self._hide(clear, face), self._hiding.jpeg))

    def _sized(self, native: Image, box: FloatArray) -> tuple[Image, FloatArray]:
        factor = self._size / float(box[2] - box[0])
        return resized(native, factor), box * np.float32(factor)

    def _scene(self, clear: Image, hidden: Image, box: FloatArray) -> Scene:
        margin = self._hiding.margin
        return Scene(clear, hidden, box, hidden_box(box, clear, margin), margin)


def saved(image: Image, quality: int) -> Image:
    """The picture after it went through a JPEG file of that quality; as it is for 0."""
    if not quality:
        return image
    told = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, file = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), told)
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR_RGB), np.uint8)


def only_inside(image: Image, box: IntArray) -> Image:
    """The picture with everything grey but a box (4,) of whole pixels."""
    x1, y1, x2, y2 = (int(v) for v in box)
    out = np.full_like(image, GREY)
    out[y1:y2, x1:x2] = image[y1:y2, x1:x2]
    return out


def hidden_box(box: FloatArray, image: Image, margin: float) -> IntArray:
    """The whole pixels, (4,), that `dartblur anonymize` hides of a face found in `box`."""
    height, width = image.shape[:2]
    grown = boxlib.clip(boxlib.grow(box[None], margin), height, width)
    pixels: IntArray = boxlib.to_pixels(grown, height, width)[0]
    return pixels


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
    width, height = (max(1, round(side * factor)) for side in image.shape[1::-1])
    return _stretched(image, width, height)


def _stretched(image: Image, width: int, height: int) -> Image:
    how = cv2.INTER_AREA if width < image.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)


def _brought(path: Path, clear: Image) -> Image:
    image = read_image(path)
    if image.shape != clear.shape:
        raise PictureError(
            f"{path}: {image.shape[1]} × {image.shape[0]} pixels, but the clear photo has "
            f"{clear.shape[1]} × {clear.shape[0]}; anonymize without changing the size"
        )
    return image
