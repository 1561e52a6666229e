"""A detector made of looks: networks, each at one zoom, merged into one list of faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dartblur import boxes as box
from dartblur.detectors.base import Image
from dartblur.detectors.network import Maps, Network
from dartblur.detectors.views import scale_for, scaled, tiles
from dartblur.faces import Faces, FloatArray

Decode = Callable[[Maps, int, float], tuple[FloatArray, FloatArray]]
# Boxes of one face in one look; looser than the final merging, so as not to lose neighbours.
NMS_WITHIN = 0.5


@dataclass(frozen=True)
class Look:
    """One network at one zoom.

    decode: makes boxes of the network's maps.
    zoom: 1 is the picture as it is, up to 640 x 640 pixels in area; see `views.scale_for`.
    finest: large photos are looked at in their own size.
    """

    network: Network
    decode: Decode
    zoom: float
    finest: bool = False

    def __call__(self, image: Image, floor: float) -> tuple[FloatArray, FloatArray]:
        """Boxes (N, 4) in pixels of the picture and scores (N,) of at least `floor`."""
        height, width = image.shape[:2]
        small = scaled(image, scale_for(self.zoom, self.finest, height, width))
        boxes, scores = [], []
        for tile in tiles(small):
            found, score = self.decode(self.network(tile.pixels[None]), 0, floor)
            x, y = (found[:, :2] + found[:, 2:]).T / 2
            x1, y1, x2, y2 = tile.core
            mine = (x1 <= x) & (x < x2) & (y1 <= y) & (y < y2)
            boxes.append(found[mine] + np.array([tile.left, tile.top] * 2, np.float32))
            scores.append(score[mine])
        all_boxes, all_scores = np.concatenate(boxes), np.concatenate(scores)
        kept = box.nms(all_boxes, all_scores, NMS_WITHIN)
        x_scale, y_scale = width / small.shape[1], height / small.shape[0]
        return box.scale(all_boxes[kept], x_scale, y_scale), all_scores[kept]


@dataclass(frozen=True)
class Looking:
    """The faces that any of several looks finds.

    threshold: faces that score less are left out.
    overlap: of two boxes whose intersection over union exceeds it, the better stays.
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
        found = [look(image, self.threshold) for look in self.looks]
        boxes = np.concatenate([boxes for boxes, _ in found])
        scores = np.concatenate([scores for _, scores in found])
        kept = box.nms(boxes, scores, self.overlap)
        height, width = image.shape[:2]
        inside = box.clip(boxes[kept], height, width)
        faces = Faces(inside, np.clip(scores[kept], 0, 1))
        return faces[box.area(inside) > 0]
