"""A multi-scale ensemble: networks, each at one zoom, whose boxes are fused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dartblur import boxes as box
from dartblur.detectors.fusion import Scores, fuse, suppress
from dartblur.detectors.tiling import ZOOM_1_AREA, resize, scale_for, tiles
from dartblur.faces import Faces, FloatArray, Image
from dartblur.onnx_runtime import Maps, Network

Decode = Callable[[Maps, int, float], tuple[FloatArray, FloatArray]]
# Boxes of one face in one member; looser than the final fusion, so as not to lose neighbours.
OVERLAP_WITHIN = 0.5
# Boxes below the threshold, down to this score, still help to place the ones above it.
SUPPORT = 0.14
# Height in pixels, in the largest input of a member, at which a score is taken as it is.
PLAIN_HEIGHT = 48
# The smallest boxes lose as much as one this many doublings below.
LEAST_DOUBLINGS = -2
# Heights in pixels of its input between which a member finds nearly every face that any finds; it
# has no vote on other sizes.
SEEN_WELL = (20, 256)
# A member none of whose boxes overlaps another's by more than this saw nothing there. Between this
# and `overlap` it saw the face in another place, or a neighbour: it abstains.
SAW_NOTHING = 0.05
# Side of a box as a share of the picture's (the root of the share of area) over which it is asked
# for more: faces as large as that get high scores, and smoke, cloth and signs are taken for one.
LARGE_SHARE = 0.15


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
    size_gain: what a score's logit gains for a face twice as high as `PLAIN_HEIGHT`, or more, and
        loses for each halving, `LEAST_DOUBLINGS` at most: the smaller, the more often it is none.
    vote: what a score's logit gains for each further member that found the face too, and loses for
        each that saw nothing there, of those that see a face of its size well (`SEEN_WELL`).
    share_penalty: what a score's logit loses for each doubling of a box's share of the picture
        beyond `LARGE_SHARE`.
    spread: by how many standard deviations of its members' edges a box reaches beyond their mean.
    overlap: two boxes whose intersection over union exceeds it are one face.
    """

    members: tuple[Member, ...]
    threshold: float
    size_gain: float = 0.0
    vote: float = 0.0
    share_penalty: float = 0.0
    spread: float = 0.0
    overlap: float = 0.4

    def __call__(self, images: Sequence[Image]) -> list[Faces]:
        """The faces of each picture, best score first."""
        return [self._one(image) for image in images]

    def _one(self, image: Image) -> Faces:
        if image.size == 0:
            return Faces.empty()
        least = Calibration(shift=self.size_gain).inverse(self.threshold)
        found = [member(image, min(least, SUPPORT)) for member in self.members]
        boxes, scores, deviation = fuse(
            np.concatenate([boxes for boxes, _ in found]),
            np.concatenate([scores for _, scores in found]),
            self.overlap,
        )
        height, width = image.shape[:2]
        zooms = np.array([member.factor(height, width) for member in self.members])
        heights = (boxes[:, 3] - boxes[:, 1])[:, None] * zooms
        if self.vote:
            each = votes(boxes, heights, [boxes for boxes, _ in found], self.overlap)
            scores = _sigmoid(_logit(scores) + self.vote * each)
        if self.share_penalty:
            scores = _less_if_large(scores, boxes, image.shape, self.share_penalty)
        if self.size_gain:
            scores = _by_size(scores, heights.max(axis=1), self.size_gain)
        reach = self.spread * deviation * np.array([-1, -1, 1, 1], np.float32)
        inside = box.clip(boxes + reach, height, width)
        order = np.argsort(-scores, kind="stable")
        sure = order[((scores >= self.threshold) & (box.area(inside) > 0))[order]]
        return Faces(inside[sure], np.clip(scores[sure], 0, 1))


def votes(
    boxes: FloatArray,
    heights: npt.NDArray[np.floating],
    found: Sequence[FloatArray],
    overlap: float,
) -> npt.NDArray[np.int64]:
    """Per box, how many further members found it, less those that saw nothing there.

    Only members that see faces of that size well have a vote.
    heights: of each box in each member's input, (N, members). found: each member's boxes.
    overlap: intersection over union above which a member's box is of that face.
    """
    low, high = SEEN_WELL
    able = (heights >= low) & (heights <= high)
    best = np.stack([box.iou(boxes, of_one).max(axis=1, initial=0) for of_one in found], 1)
    further = np.maximum((able & (best > overlap)).sum(axis=1) - 1, 0)
    count: npt.NDArray[np.int64] = further - (able & (best <= SAW_NOTHING)).sum(axis=1)
    return count


def _less_if_large(
    scores: Scores, boxes: FloatArray, shape: tuple[int, ...], penalty: float
) -> Scores:
    height, width = shape[:2]
    shares = np.sqrt(box.area(box.clip(boxes, height, width)) / (height * width))
    doublings = np.log2(np.maximum(shares, LARGE_SHARE) / LARGE_SHARE)
    return _sigmoid(_logit(scores) - penalty * doublings)


def _by_size(scores: Scores, heights: npt.NDArray[np.floating], gain: float) -> Scores:
    doublings = np.log2(np.maximum(heights, 1) / PLAIN_HEIGHT)
    return _sigmoid(_logit(scores) + gain * np.clip(doublings, LEAST_DOUBLINGS, 1))


def _logit(scores: Scores) -> Scores:
    clipped = np.clip(scores.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def _sigmoid(logits: Scores) -> Scores:
    values: Scores = 1 / (1 + np.exp(-logits))
    return values
