"""Labelled images in memory, as trainings and benchmarks use them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import cast

import cv2
import numpy as np

from dartblur import boxes as boxlib
from dartblur.errors import BoxesError, PictureError
from dartblur.faces import Faces, Image, Sample


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


def read_labelled(sample: Sample, longer_side: int) -> LabelledImage:
    """The sample's picture with its longer side at `longer_side`, and its labels alone.

    Raises:
        PictureError: the picture cannot be decoded.
        BoxesError: a label lies outside the picture.
    """
    image = _decoded(sample)
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


def _decoded(sample: Sample) -> Image | None:
    if sample.packed is None:
        return cast(Image | None, cv2.imread(str(sample.image), cv2.IMREAD_COLOR_RGB))
    data = np.frombuffer(sample.content(), np.uint8)
    return cast(Image | None, cv2.imdecode(data, cv2.IMREAD_COLOR_RGB))


def load_labelled(
    samples: Iterable[Sample], longer_side: int, limit_bytes: int
) -> Iterator[LabelledImage]:
    """Decodes pictures until `limit_bytes` of pixels are reached."""
    held = 0
    for sample in samples:
        picture = read_labelled(sample, longer_side)
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


def _mirrored_faces(faces: Faces, width: int) -> Faces:
    boxes = faces.boxes
    return faces.with_boxes(
        np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1)
    )
