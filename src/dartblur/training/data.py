"""From pictures in memory to batches for the generator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from dartblur import boxes as boxlib
from dartblur.anonymizers import Blur
from dartblur.anonymizers.windows import WindowGeometry, Windows, blend_weights, extract
from dartblur.datasets.crops import Place, around_a_face, cut, cut_faces
from dartblur.datasets.labelled import LabelledImage, mirrored, resized
from dartblur.faces import Faces, Image
from dartblur.losses.multibox import pad
from dartblur.nets.base import to_tensor
from dartblur.training.compositing import Batch
from dartblur.training.config import Data


class Fragments(NamedTuple):
    """Which window paints what of a crop: once per pixel and box that covers it, S in all.

    of: (S,), which of the crop's face pixels. owner: (S,), the window. place: (S, 2), x and y in
    that window, in cells. share: (S,), of the window in the pixel; 1 where it is alone.
    """

    of: npt.NDArray[np.int64]
    owner: npt.NDArray[np.int64]
    place: npt.NDArray[np.float32]
    share: npt.NDArray[np.float32]


class Crop(NamedTuple):
    """One example: a crop of a picture, clear and blurred, with the windows of its faces."""

    name: str
    clear: Image
    blurred: Image
    windows: Windows
    pixel: npt.NDArray[np.int64]
    fragments: Fragments
    labels: Faces
    found: Faces


class Batches(torch.utils.data.IterableDataset[Batch]):
    """Batches of the rounds from `first` on: each depends on seed, rank and round alone."""

    def __init__(
        self,
        pictures: Sequence[LabelledImage],
        data: Data,
        blur: Blur,
        geometry: WindowGeometry,
        seed: tuple[int, int],
        first: int = 0,
    ) -> None:
        self.pictures, self.data, self.blur = pictures, data, blur
        self.geometry, self.seed, self.first = geometry, seed, first

    def __iter__(self) -> Iterator[Batch]:
        info = torch.utils.data.get_worker_info()
        offset, step = (info.id, info.num_workers) if info else (0, 1)
        number = self.first + offset
        while True:
            yield self.batch(number)
            number += step

    def batch(self, number: int) -> Batch:
        """The batch of one round."""
        rng = np.random.default_rng([*self.seed, number])
        chosen = rng.integers(len(self.pictures), size=self.data.batch)
        crops = [
            make_crop(self.pictures[i], self.data, self.blur, self.geometry, rng) for i in chosen
        ]
        return collate(crops)


def make_crop(
    picture: LabelledImage,
    data: Data,
    blur: Blur,
    geometry: WindowGeometry,
    rng: np.random.Generator,
) -> Crop:
    """A random crop around a face of the randomly resized, mirrored and coloured picture.

    The whole picture is blurred before it is cut, so that a face at the crop's edge looks as it
    does in the anonymized picture.
    """
    if rng.random() < 0.5:
        picture = mirrored(picture)
    factor = float(np.exp(rng.uniform(*np.log(data.scale))))
    picture = resized(picture, factor)
    if data.colour:
        picture = replace(picture, image=_coloured(picture.image, data.colour, rng))
    margin = data.grow * float(rng.random()) if rng.random() < data.grown else 0.0
    hidden = picture.faces.with_boxes(boxlib.grow(picture.faces.boxes, margin))
    blurred = blur(picture.image, hidden)
    place = around_a_face(picture, data.crop, rng)
    boxes = boxlib.to_pixels(hidden.boxes, *picture.image.shape[:2])
    windows = extract(blurred, _touching(boxes, place), geometry)
    pixel, fragments = pixel_map(windows, place, geometry.size)
    return Crop(
        picture.name,
        cut(picture.image, place),
        cut(blurred, place),
        windows,
        pixel,
        fragments,
        cut_faces(picture.faces, place),
        cut_faces(picture.found, place),
    )


def pixel_map(windows: Windows, place: Place, size: int) -> tuple[npt.NDArray[np.int64], Fragments]:
    """Which pixels of a crop lie in a face, (P,), and how the windows paint them.

    Shares are the runtime's: where boxes overlap, their changes pass into each other.
    """
    corner = np.array([place.left, place.top] * 2)
    parts = [np.zeros((0, 4))]
    for i, box in enumerate(windows.boxes):
        share = blend_weights(box, np.delete(windows.boxes, i, axis=0))
        x1, y1, x2, y2 = box - corner
        left, top, right, bottom = np.clip((x1, y1, x2, y2), 0, place.side)
        y, x = (v.ravel() for v in np.mgrid[top:bottom, left:right])
        shares = np.ones(len(x)) if share is None else share[y - y1, x - x1]
        parts.append(np.stack([y, x, np.full(len(x), i), shares], axis=1))
    rows = np.concatenate(parts)
    y, x, owner = rows[:, :3].astype(np.int64).T
    # In the order of the pixels.
    order = np.lexsort((owner, x, y))
    y, x, owner, share = y[order], x[order], owner[order], rows[order, 3]
    pixel, of = np.unique(y * place.side + x, return_inverse=True)
    regions = (windows.regions - corner)[owner].reshape(-1, 4).astype(np.float32)
    cells = size / (regions[:, 2:] - regions[:, :2])
    at = (np.stack([x, y], 1) + 0.5 - regions[:, :2]) * cells - 0.5
    return pixel, Fragments(of, owner, at.astype(np.float32), share.astype(np.float32))


def collate(crops: Sequence[Crop]) -> Batch:
    """One batch of crops of one size."""
    side = crops[0].clear.shape[0] * crops[0].clear.shape[1]
    windows = np.cumsum([0] + [len(c.windows.boxes) for c in crops])
    pixels = np.cumsum([0] + [len(c.pixel) for c in crops])
    fragments = [c.fragments for c in crops]
    return Batch(
        to_tensor([c.clear for c in crops]),
        to_tensor([c.blurred for c in crops]),
        torch.from_numpy(np.concatenate([c.windows.pixels for c in crops])).float(),
        torch.from_numpy(np.concatenate([c.windows.log_size for c in crops])),
        torch.from_numpy(np.concatenate([c.windows.seed for c in crops])),
        torch.from_numpy(np.concatenate([c.pixel + i * side for i, c in enumerate(crops)])),
        torch.from_numpy(np.concatenate([s.of + pixels[i] for i, s in enumerate(fragments)])),
        torch.from_numpy(np.concatenate([s.owner + windows[i] for i, s in enumerate(fragments)])),
        torch.from_numpy(np.concatenate([s.place for s in fragments])),
        torch.from_numpy(np.concatenate([s.share for s in fragments])),
        pad([c.labels for c in crops]),
        pad([c.found for c in crops]),
        tuple(c.name for c in crops),
    )


def _touching(boxes: boxlib.IntArray, place: Place) -> boxlib.IntArray:
    far = np.array([place.left + place.side, place.top + place.side])
    near = (boxes[:, :2] < far).all(1) & (boxes[:, 2:] > np.array([place.left, place.top])).all(1)
    return boxes[near]


def _coloured(image: Image, most: float, rng: np.random.Generator) -> Image:
    gain = 1 + rng.uniform(-most, most)
    shift = rng.uniform(-most, most) * 64
    table = np.clip(np.arange(256) * gain + shift, 0, 255).astype(np.uint8)
    coloured: Image = table[image]
    return coloured
