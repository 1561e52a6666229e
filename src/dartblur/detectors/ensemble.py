"""A multi-scale ensemble: networks, each at one zoom, whose boxes are fused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dartblur import boxes as box
from dartblur.boxes import IntArray
from dartblur.detectors.base import Evidence
from dartblur.detectors.fusion import Scores, fuse, suppress
from dartblur.detectors.second_stage import BoxClassifier
from dartblur.detectors.tiling import ZOOM_1_AREA, resize, scale_for, tiles
from dartblur.faces import Faces, FloatArray, Image
from dartblur.onnx_runtime import Maps, Network

Decode = Callable[[Maps, int, float], tuple[FloatArray, FloatArray]]
# Boxes of one face in one member; looser than the final fusion, so as not to lose neighbours.
OVERLAP_WITHIN = 0.5
# Boxes below the threshold, down to this score, still help to place the ones above it.
SUPPORT = 0.14
# Heights in pixels of its input between which a member finds nearly every face that any finds; it
# has no vote on other sizes.
SEEN_WELL = (20, 256)
# A member none of whose boxes overlaps another's by more than this saw nothing there. Between this
# and `overlap` it saw the face in another place, or a neighbour: it abstains.
SAW_NOTHING = 0.05
# Of the threshold, the share from which a box is told of as a faint one.
FAINT_SHARE = 0.5

Found = list[tuple[FloatArray, Scores]]
"""Of each member the boxes (N, 4) and calibrated scores (N,), best first."""


@dataclass(frozen=True)
class Calibration:
    """Platt scaling, so that networks compare: logit(s) → gain × logit(s) + shift."""

    gain: float = 1.0
    shift: float = 0.0

    def __call__(self, scores: Scores) -> Scores:
        """Calibrated scores of a network's scores, (N,) in [0, 1]."""
        return _sigmoid(self.gain * _logit(scores) + self.shift)

    def inverse(self, calibrated: float) -> float:
        """The network's score of a calibrated score."""
        return float(_sigmoid((_logit(np.array([calibrated])) - self.shift) / self.gain)[0])


@dataclass(frozen=True)
class Member:
    """One network at one zoom.

    decode: makes boxes of the network's maps.
    zoom: 1 is the picture as it is, up to 640 x 640 pixels in area; see `tiling.scale_for`.
    own_size: pictures of up to this many pixels are searched in no less than their own size.
    mirrored: the network is shown the picture's mirror image.
    """

    network: Network
    decode: Decode
    zoom: float
    own_size: int = ZOOM_1_AREA
    mirrored: bool = False
    calibration: Calibration = Calibration()

    def __call__(self, image: Image, floor: float) -> tuple[FloatArray, Scores]:
        """Boxes (N, 4) in pixels of the picture and calibrated scores (N,).

        floor: least calibrated score of a candidate.
        """
        height, width = image.shape[:2]
        resized = resize(image, self.factor(height, width))
        pixels = resized.pixels[:, ::-1] if self.mirrored else resized.pixels
        boxes, scores = self._in_tiles(pixels, floor)
        if self.mirrored:
            boxes[:, 0::2] = pixels.shape[1] - boxes[:, 2::-2]
        return box.scale(boxes, 1 / resized.x, 1 / resized.y), self.calibration(scores)

    def factor(self, height: int, width: int) -> float:
        """By how much a picture of that size is scaled."""
        return scale_for(self.zoom, self.own_size, height, width)

    def _in_tiles(self, pixels: Image, floor: float) -> tuple[FloatArray, Scores]:
        boxes, scores = [], []
        for tile in tiles(pixels):
            maps = self.network({"image": np.ascontiguousarray(tile.pixels)[None]})
            found, score = self.decode(maps, 0, self.calibration.inverse(floor))
            found += np.array([tile.left, tile.top] * 2, np.float32)
            centre = (found[:, :2] + found[:, 2:]) / 2
            low, high = np.array(tile.core[:2]), np.array(tile.core[2:])
            mine = ((centre >= low) & (centre < high)).all(axis=1)
            boxes.append(found[mine])
            scores.append(score[mine])
        return suppress(np.concatenate(boxes), np.concatenate(scores), OVERLAP_WITHIN)


@dataclass(frozen=True)
class Ensemble:
    """The faces that several members find, their boxes fused.

    threshold: faces that score less are left out.
    vote: what a score's logit gains for each further member that found the face too, and loses for
        each that saw nothing there, of those that see a face of its size well (`SEEN_WELL`).
    spread: by how many standard deviations of its members' edges a box reaches beyond their mean.
    overlap: two boxes whose intersection over union exceeds it are one face.
    classifier: the second stage, if there is one. weight: what it counts: so many times its logit
        is added to a score's. proposed: the least score, of the first stage, of a box that it is
        shown.
    quick: what looks at frames of a film between those that this one searches, see
        `QuickDetector`.
    """

    members: tuple[Member, ...]
    threshold: float
    vote: float = 0.0
    spread: float = 0.0
    overlap: float = 0.4
    classifier: BoxClassifier | None = None
    weight: float = 0.0
    proposed: float = 0.05
    quick: Ensemble | None = None

    def __call__(self, images: Sequence[Image]) -> list[Faces]:
        """The faces of each picture, best score first."""
        return [self.search(image)[0] for image in images]

    def search(self, image: Image) -> tuple[Faces, Evidence]:
        """The faces of one picture, best score first; and what was nearly taken for one.

        The evidence is of boxes that belong to no face.
        """
        if image.size == 0:
            nothing = np.zeros(0, np.int64)
            return Faces.empty(), self._evidence(nothing, Faces.empty(), nothing)
        least = self.proposed if self.classifier else min(self.threshold, SUPPORT)
        found = self._found(image, least)
        boxes, scores, seen = self._classified(image, *self._fused(found, image))
        sure = scores >= self.threshold
        faces = Faces(boxes[sure], np.clip(scores[sure], 0, 1))
        apart = box.iou(boxes, faces.boxes).max(axis=1, initial=0) <= self.overlap
        near = apart & (scores >= self.threshold * FAINT_SHARE) & ~sure
        faint = Faces(boxes[near], np.clip(scores[near], 0, 1))
        return faces, self._evidence(seen[sure], faint, seen[near])

    def propose(self, image: Image, least: float) -> Faces:
        """What the first stage alone takes for a face with that score or more, best first."""
        if image.size == 0:
            return Faces.empty()
        found = self._found(image, least)
        boxes, scores, _ = self._fused(found, image)
        return Faces(boxes, np.clip(scores, 0, 1))[scores >= least]

    def _found(self, image: Image, least: float) -> Found:
        """What each member finds. Two that a small picture shows the same view share a search."""
        searched: dict[Member, tuple[FloatArray, Scores]] = {}
        found = []
        for member in self.members:
            view = replace(member, zoom=member.factor(*image.shape[:2]), own_size=1)
            if view not in searched:
                searched[view] = member(image, least)
            found.append(searched[view])
        return found

    def _evidence(self, seen: IntArray, faint: Faces, faint_seen: IntArray) -> Evidence:
        return Evidence(self.threshold, len(self.members), seen, faint, faint_seen)

    def _fused(self, found: Found, image: Image) -> tuple[FloatArray, Scores, IntArray]:
        """Boxes within the picture, one a face, their scores, and how many members saw each."""
        boxes, scores, deviation = fuse(
            np.concatenate([boxes for boxes, _ in found]),
            np.concatenate([scores for _, scores in found]),
            self.overlap,
        )
        height, width = image.shape[:2]
        zooms = np.array([member.factor(height, width) for member in self.members])
        heights = (boxes[:, 3] - boxes[:, 1])[:, None] * zooms
        best = best_overlaps(boxes, [boxes for boxes, _ in found])
        if self.vote:
            scores = _sigmoid(_logit(scores) + self.vote * votes(best, heights, self.overlap))
        reach = self.spread * deviation * np.array([-1, -1, 1, 1], np.float32)
        inside = box.clip(boxes + reach, height, width)
        seen = (best > self.overlap).sum(axis=1)
        order = np.argsort(-scores, kind="stable")
        order = order[(box.area(inside) > 0)[order]]
        return inside[order], scores[order], seen[order]

    def _classified(
        self, image: Image, boxes: FloatArray, scores: Scores, seen: IntArray
    ) -> tuple[FloatArray, Scores, IntArray]:
        """What the first stage proposes, scored by both."""
        if self.classifier is None:
            return boxes, scores, seen
        shown = scores >= self.proposed
        boxes, scores, seen = boxes[shown], scores[shown], seen[shown]
        scores = _sigmoid(_logit(scores) + self.weight * self.classifier(image, boxes))
        order = np.argsort(-scores, kind="stable")
        return boxes[order], scores[order], seen[order]


def best_overlaps(boxes: FloatArray, found: Sequence[FloatArray]) -> npt.NDArray[np.floating]:
    """(N, members) the best intersection over union of each box with a box of each member."""
    return np.stack([box.iou(boxes, of_one).max(axis=1, initial=0) for of_one in found], 1)


def votes(
    best: npt.NDArray[np.floating], heights: npt.NDArray[np.floating], overlap: float
) -> npt.NDArray[np.int64]:
    """Per box, how many further members found it, less those that saw nothing there.

    Only members that see faces of that size well have a vote.
    best: see `best_overlaps`. heights: of each box in each member's input, (N, members).
    overlap: intersection over union above which a member's box is of that face.
    """
    low, high = SEEN_WELL
    able = (heights >= low) & (heights <= high)
    further = np.maximum((able & (best > overlap)).sum(axis=1) - 1, 0)
    count: npt.NDArray[np.int64] = further - (able & (best <= SAW_NOTHING)).sum(axis=1)
    return count


def _logit(scores: Scores) -> Scores:
    clipped = np.clip(scores.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def _sigmoid(logits: Scores) -> Scores:
    values: Scores = 1 / (1 + np.exp(-logits))
    return values
