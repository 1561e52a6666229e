"""Pictures of a data set in memory, and square crops around their faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from dartblur import boxes as boxlib
from dartblur.errors import BoxesError, PictureError
from dartblur.faces import BoolArray, Faces, Image, Sample

_GREY = 114


@dataclass(frozen=True)
class LabelledImage:
    """One decoded picture, (H, W, 3) uint8 RGB, and its faces in pixels.

    faces: all that must be hidden; those that are no labels for training and scoring are ignored.
    found: what the reference detector sees in the clear picture.
    """

    name: str
    image: Image
    faces: Faces
    found: Faces


def shrunk(sample: Sample, longer_side: int) -> LabelledImage:
    """The sample's picture with its longer side at `longer_side`, and its labels alone.

    Raises:
        PictureError: the picture cannot be decoded.
        BoxesError: a label lies outside the picture.
    """
    image = cv2.imread(str(sample.image), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise PictureError(
            f"{sample.image}: not a picture that can be read; restore it or drop its labels"
        )
    height, width = image.shape[:2]
    inside = boxlib.clip(sample.faces.boxes, height, width)
    outside = (boxlib.area(inside) == 0) & ~sample.faces.ignore
    if outside.any():
        raise BoxesError(
            f"{sample.image}: box {sample.faces.boxes[outside][0]} lies outside the picture of "
            f"{width} × {height}; correct the label file"
        )
    labels = sample.faces.with_boxes(inside)[boxlib.area(inside) > 0]
    whole = LabelledImage(sample.image.name, np.asarray(image, np.uint8), labels, Faces.empty())
    return resized(whole, longer_side / max(height, width))


def load(samples: Iterable[Sample], longer_side: int, limit_bytes: int) -> Iterator[LabelledImage]:
    """Decodes pictures until `limit_bytes` of pixels are reached."""
    held = 0
    for sample in samples:
        picture = shrunk(sample, longer_side)
        held += picture.image.nbytes
        if held > limit_bytes:
            return
        yield picture


def with_found(
    picture: LabelledImage, found: Faces, threshold: float = 0.5, hidden: float = 0.5
) -> LabelledImage:
    """The picture with the reference detector's faces of score `threshold` and more.

    Those of score `hidden` and more that no label covers are hidden too. A face is covered when
    90 % of the middle 70 % × 70 % of its box lies in labels. Extra faces are ignored as labels:
    nobody said that they are faces.
    """
    found = found[found.scores >= threshold]
    sure = found[found.scores >= hidden]
    middles = boxlib.grow(sure.boxes, -0.15)
    extra = sure[boxlib.hidden_share(middles, picture.faces.boxes) < 0.9]
    unlabelled = Faces(extra.boxes, ignore=np.ones(len(extra), np.bool_))
    return replace(picture, faces=Faces.concatenate([picture.faces, unlabelled]), found=found)


def mirrored(picture: LabelledImage) -> LabelledImage:
    """The picture with left and right exchanged."""
    width = picture.image.shape[1]
    image = np.ascontiguousarray(picture.image[:, ::-1])
    faces, found = (_mirrored_faces(f, width) for f in (picture.faces, picture.found))
    return replace(picture, image=image, faces=faces, found=found)


def resized(picture: LabelledImage, factor: float) -> LabelledImage:
    """The picture stretched by `factor`."""
    height, width = picture.image.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    image = np.asarray(cv2.resize(picture.image, size, interpolation=how), np.uint8)
    x, y = size[0] / width, size[1] / height
    faces = picture.faces.with_boxes(boxlib.scale(picture.faces.boxes, x, y))
    found = picture.found.with_boxes(boxlib.scale(picture.found.boxes, x, y))
    return replace(picture, image=image, faces=faces, found=found)


@dataclass(frozen=True)
class Place:
    """A square cut-out, in pixels of the picture; may reach beyond it."""

    left: int
    top: int
    side: int


def around_a_face(picture: LabelledImage, side: int, rng: np.random.Generator) -> Place:
    """A crop that holds the middle of a random face, anywhere within it."""
    height, width = picture.image.shape[:2]
    if len(picture.faces):
        box = picture.faces.boxes[rng.integers(len(picture.faces))]
        middle = (float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2)
    else:
        middle = (width * rng.random(), height * rng.random())
    left = _start(middle[0], side, width, rng)
    top = _start(middle[1], side, height, rng)
    return Place(left, top, side)


def cut(image: Image, place: Place) -> Image:
    """The (side, side, 3) pixels of a crop, grey beyond the picture."""
    out = np.full((place.side, place.side, 3), _GREY, np.uint8)
    height, width = image.shape[:2]
    x1, y1 = max(place.left, 0), max(place.top, 0)
    x2, y2 = min(place.left + place.side, width), min(place.top + place.side, height)
    if x2 > x1 and y2 > y1:
        part = image[y1:y2, x1:x2]
        out[y1 - place.top : y2 - place.top, x1 - place.left : x2 - place.left] = part
    return out


def cut_faces(faces: Faces, place: Place, least: float = 0.4) -> Faces:
    """Faces in pixels of a crop, clipped to it; those with less than `least` inside are ignored."""
    moved = faces.boxes - np.array([place.left, place.top] * 2, np.float32)
    inside = boxlib.clip(moved, place.side, place.side)
    areas = boxlib.area(inside)
    share = areas / np.maximum(boxlib.area(moved), 1e-9)
    keep: BoolArray = np.asarray((inside[:, 2:] - inside[:, :2] >= 1).all(axis=1))
    return Faces(inside, faces.scores, faces.ignore | (share < least))[keep]


def _mirrored_faces(faces: Faces, width: int) -> Faces:
    boxes = faces.boxes
    return faces.with_boxes(
        np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1)
    )


def _start(middle: float, side: int, limit: int, rng: np.random.Generator) -> int:
    """Where a crop begins along one axis: around `middle`, inside the picture where it fits."""
    if limit <= side:
        return -int(rng.integers(side - limit + 1))
    low, high = max(0, int(middle) - side + 1), min(limit - side, int(middle))
    return int(rng.integers(low, max(high, low) + 1))
