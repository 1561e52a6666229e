"""A detector made of looks: networks, each at one zoom, merged into one list of faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
import numpy.typing as npt

from dartblur import boxes as box
from dartblur.detectors.base import Image
from dartblur.detectors.merge import Scores, merge, suppress
from dartblur.detectors.network import Maps, Network
from dartblur.detectors.views import ZOOM_1_AREA, scale_for, scaled, tiles
from dartblur.faces import Faces, FloatArray

Decode = Callable[[Maps, int, float], tuple[FloatArray, FloatArray]]
# Boxes of one face in one look; looser than the final merging, so as not to lose neighbours.
OVERLAP_WITHIN = 0.5
# Boxes below the threshold, down to this score, still help to place the ones above it.
SUPPORT = 0.14


@dataclass(frozen=True)
class Scale:
    """Puts a network's scores on the scale of the others: logit(s) → gain × logit(s) + shift."""

    gain: float = 1.0
    shift: float = 0.0

    def __call__(self, scores: Scores) -> Scores:
        """Common scores of a network's scores, (N,) in [0, 1]."""
        clipped = np.clip(scores.astype(np.float64), 1e-6, 1 - 1e-6)
        logits = np.log(clipped / (1 - clipped))
        common: Scores = 1 / (1 + np.exp(-(self.gain * logits + self.shift)))
        return common

    def back(self, common: float) -> float:
        """The network's score of a common score."""
        common = min(max(common, 1e-6), 1 - 1e-6)
        return 1 / (1 + exp(-(log(common / (1 - common)) - self.shift) / self.gain))


@dataclass(frozen=True)
class Look:
    """One network at one zoom.

    decode: makes boxes of the network's maps.
    zoom: 1 is the picture as it is, up to 640 x 640 pixels in area; see `views.scale_for`.
    own_size: pictures of up to this many pixels are looked at in no less than their own size.
    mirrored: the network is shown the picture's mirror image.
    """

    network: Network
    decode: Decode
    zoom: float
    own_size: int = ZOOM_1_AREA
    mirrored: bool = False
    scale: Scale = Scale()

    def __call__(self, image: Image, floor: float) -> tuple[FloatArray, Scores]:
        """Boxes (N, 4) in pixels of the picture and common scores (N,) of at least `floor`."""
        height, width = image.shape[:2]
        view = scaled(image, scale_for(self.zoom, self.own_size, height, width))
        boxes, scores = self._in_view(view[:, ::-1] if self.mirrored else view, floor)
        if self.mirrored:
            boxes[:, 0::2] = view.shape[1] - boxes[:, 2::-2]
        boxes = box.scale(boxes, width / view.shape[1], height / view.shape[0])
        return boxes, self.scale(scores)

    def _in_view(self, view: npt.NDArray[np.uint8], floor: float) -> tuple[FloatArray, Scores]:
        boxes, scores = [], []
        for tile in tiles(view):
            maps = self.network(np.ascontiguousarray(tile.pixels)[None])
            found, score = self.decode(maps, 0, self.scale.back(floor))
            found += np.array([tile.left, tile.top] * 2, np.float32)
            centre = (found[:, :2] + found[:, 2:]) / 2
            low, high = np.array(tile.core[:2]), np.array(tile.core[2:])
            mine = ((centre >= low) & (centre < high)).all(axis=1)
            boxes.append(found[mine])
            scores.append(score[mine])
        return suppress(np.concatenate(boxes), np.concatenate(scores), OVERLAP_WITHIN)


@dataclass(frozen=True)
class Looking:
    """The faces that any of several looks finds.

    threshold: faces that score less are left out.
    overlap: two boxes whose intersection over union exceeds it are one face.
    """

    looks: tuple[Look, ...]
    threshold: float
    overlap: float = 0.4

    def __call__(self, images: Sequence[Image]) -> list[Faces]:
        """The faces of each picture, best score first."""
        return [self._one(image) for image in images]

    def _one(self, image: Image) -> Faces:
        if image.size == 0:
            return Faces.empty()
        floor = min(self.threshold, SUPPORT)
        found = [look(image, floor) for look in self.looks]
        boxes, scores = merge(
            np.concatenate([boxes for boxes, _ in found]),
            np.concatenate([scores for _, scores in found]),
            self.overlap,
        )
        inside = box.clip(boxes, *image.shape[:2])
        sure = (scores >= self.threshold) & (box.area(inside) > 0)
        return Faces(inside, np.clip(scores, 0, 1).astype(np.float32))[sure]
