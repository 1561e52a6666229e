"""Frames: what the full-frame generator sees of a picture, and where its answer goes.

The generator was trained on pictures whose longer side had `image_size` pixels. A frame is a part
of the blurred picture at that scale, around a face or a group of faces: a large photo with few
faces costs little. Frames share no pixel, so that a crowd costs no more than the whole picture; and
they lie on one grid, so that a face gets what the generator would paint given the whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dartblur import boxes as boxlib
from dartblur.boxes import IntArray
from dartblur.faces import BoolArray, FloatArray, Image

CELL = 32
"""Pixels of the grid's cells: the generator, which halves the picture five times, repeats itself
only from one cell to the next."""
GREY = 114
"""Beyond the picture, as in training."""


@dataclass(frozen=True)
class FrameGeometry:
    """How frames are cut for a generator.

    image_size: longer side of a picture in its training. context: pixels at that scale that a frame
    shows around a box.

    Raises:
        ValueError: image_size is not positive, or context negative.
    """

    image_size: int
    context: int = 64

    def __post_init__(self) -> None:
        if self.image_size < 1 or self.context < 0:
            raise ValueError(
                f"image_size ({self.image_size}) must be positive and context ({self.context}) "
                "not negative"
            )


@dataclass(frozen=True)
class Frame:
    """A part of one blurred picture at the training scale.

    boxes: (N, 4) whole pixels of the picture. place: (4,) whole pixels of it; may reach beyond.
    pixels: (h, w, 3) uint8. mask: (h, w), True in every pixel that a box touches.
    """

    boxes: IntArray
    place: IntArray
    pixels: Image
    mask: BoolArray


def extract(blurred: Image, boxes: IntArray, geometry: FrameGeometry) -> Iterator[Frame]:
    """Cuts the frames of all boxes that touch a pixel; a picture is shrunk, never enlarged.

    blurred: (H, W, 3) with every face blurred. boxes: (N, 4) whole pixels within the picture.
    """
    height, width = blurred.shape[:2]
    scale = max(height, width, geometry.image_size) / geometry.image_size
    for group, cells in _groups(boxes[boxlib.area(boxes) > 0], (height, width), scale, geometry):
        place = np.rint(cells * CELL * scale).astype(np.int64)
        (w, h), (columns, rows) = (cells[2:] - cells[:2]) * CELL, place[2:] - place[:2]
        small = boxlib.scale(group - np.tile(place[:2], 2), w / columns, h / rows)
        yield Frame(group, place, _cut(blurred, place, (int(w), int(h))), boxlib.mask(small, h, w))


def add_change(out: Image, blurred: Image, frame: Frame, change: FloatArray) -> None:
    """Writes blur and change into the boxes of a frame.

    out, blurred: the whole picture; `out` is written to. change: (h, w, 3) on the 0 to 255 scale,
    spread bilinearly over the frame's place.
    """
    left, top, right, bottom = (int(v) for v in frame.place)
    spread = _inside_alone(change, frame.mask)
    if spread.shape[:2] != (bottom - top, right - left):
        size = (right - left, bottom - top)
        spread = np.asarray(cv2.resize(spread, size, interpolation=cv2.INTER_LINEAR), np.float32)
    for x1, y1, x2, y2 in frame.boxes:
        painted = blurred[y1:y2, x1:x2] + spread[y1 - top : y2 - top, x1 - left : x2 - left]
        out[y1:y2, x1:x2] = np.clip(np.rint(painted), 0, 255).astype(np.uint8)


def _groups(
    boxes: IntArray, size: tuple[int, int], scale: float, geometry: FrameGeometry
) -> list[tuple[IntArray, IntArray]]:
    """Boxes with the cells of the grid that show them, joined until no two share a cell."""
    around = geometry.context * np.array([-1, -1, 1, 1])
    # A hair less: a picture that fills the grid must not be given another row of cells.
    rows, columns = (max(1, math.ceil(side / scale / CELL - 1e-6)) for side in size)
    shown = boxlib.to_pixels((boxes / scale + around) / CELL, rows, columns)
    groups: list[tuple[IntArray, IntArray]] = []
    for i, cells in enumerate(shown):
        group = boxes[i : i + 1]
        while near := [k for k, (_, other) in enumerate(groups) if _overlap(other, cells)]:
            for k in reversed(near):
                more, other = groups.pop(k)
                group = np.concatenate([more, group])
                cells = np.concatenate(
                    [np.minimum(cells[:2], other[:2]), np.maximum(cells[2:], other[2:])]
                )
        groups.append((group, cells))
    return groups


def _overlap(a: IntArray, b: IntArray) -> bool:
    return bool((np.maximum(a[:2], b[:2]) < np.minimum(a[2:], b[2:])).all())


def _cut(blurred: Image, place: IntArray, size: tuple[int, int]) -> Image:
    height, width = blurred.shape[:2]
    left, top, right, bottom = (int(v) for v in place)
    pixels = blurred[top:bottom, left:right]
    if right > width or bottom > height:
        edges = (0, max(bottom - height, 0), 0, max(right - width, 0))
        pixels = np.asarray(
            cv2.copyMakeBorder(pixels, *edges, cv2.BORDER_CONSTANT, value=(GREY,) * 3), np.uint8
        )
    if size == (right - left, bottom - top):
        return np.ascontiguousarray(pixels)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _inside_alone(change: FloatArray, mask: BoolArray) -> FloatArray:
    """The change, and around the mask the mean of its neighbours in the mask.

    What the generator paints outside the boxes was never judged; it must not bleed in at the edge.
    """
    inside: npt.NDArray[np.float32] = mask.astype(np.float32)
    weight = cv2.boxFilter(inside, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    total = cv2.boxFilter(
        change * inside[..., None], -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    near = total / np.maximum(weight, 1)[..., None]
    return np.asarray(np.where(mask[..., None], change, near), np.float32)
