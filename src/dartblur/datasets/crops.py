"""Square crops around the faces of labelled images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dartblur import boxes as boxlib
from dartblur.datasets.labelled import LabelledImage
from dartblur.faces import BoolArray, Faces, Image

_GREY = 114


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


def _start(middle: float, side: int, limit: int, rng: np.random.Generator) -> int:
    """Where a crop begins along one axis: around `middle`, inside the picture where it fits."""
    if limit <= side:
        return -int(rng.integers(side - limit + 1))
    low, high = max(0, int(middle) - side + 1), min(limit - side, int(middle))
    return int(rng.integers(low, max(high, low) + 1))
