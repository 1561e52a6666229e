"""A film of a face: it moves a little from frame to frame, each of which is hidden by itself.

Cells and blurs fall elsewhere on the face in every frame and noise is another, so that the mean of
frames that were laid on each other tells more than one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np

from dartblur.faces import FloatArray
from dartblur.privacy.people import Photo
from dartblur.privacy.recognizers import Recognizer, of_length_1
from dartblur.privacy.views import Photographer, Scene
from dartblur.privacy.work import Embed, Undo

FRAMES = 8
# Standard deviations of how a head moves and a detector's box wobbles: shares of the face's width,
# of its size, degrees, shares of the box's sides.
_SHIFT, _SCALE, _TURN, _WOBBLE = 0.04, 0.03, 3.0, 0.02


class Frame(NamedTuple):
    """back: (2, 3), from where a pixel lies in the scene to where it lies in the first frame's."""

    scene: Scene
    back: FloatArray


def filmed(take: Photographer, photo: Photo, box: FloatArray) -> Iterator[Frame]:
    """The photo as the first frame, and the face in it moved in the others, the same every time.

    box: (4,), of the face in the photo as it is.
    """
    clear, box = take.sized(photo, box)
    yield Frame(take.hidden(clear, box), np.eye(2, 3, dtype=np.float32))
    # The same for all photos: who is on one tells nothing of how it moves.
    rng = np.random.default_rng(0)
    sides, middle = box[2:] - box[:2], (box[:2] + box[2:]) / 2
    for _ in range(FRAMES - 1):
        scale, turn = np.exp(rng.normal(0, _SCALE)), rng.normal(0, _TURN)
        move = cv2.getRotationMatrix2D(middle.astype(float).tolist(), turn, scale)
        move[:, 2] += rng.normal(0, _SHIFT, 2) * sides[0]
        moved = cv2.warpAffine(
            clear, move, clear.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        where = move @ np.append(middle, 1)
        there = np.concatenate([where - scale * sides / 2, where + scale * sides / 2])
        there += rng.normal(0, _WOBBLE, 4) * np.tile(sides, 2)
        scene = take.hidden(np.asarray(moved, np.uint8), there.astype(np.float32))
        yield Frame(scene, cv2.invertAffineTransform(move).astype(np.float32))


def fused(frames: Sequence[Frame]) -> Scene:
    """The first frame's scene, with the mean of all frames in its hidden box."""
    first = frames[0].scene
    height, width = first.hidden.shape[:2]
    laid = [
        cv2.warpAffine(
            frame.scene.hidden.astype(np.float32), frame.back, (width, height),
            flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE,
        )
        for frame in frames
    ]  # fmt: skip
    x1, y1, x2, y2 = (int(v) for v in first.hidden_box)
    shown = first.hidden.copy()
    mean = np.mean(laid, axis=0)[y1:y2, x1:x2]
    shown[y1:y2, x1:x2] = np.rint(mean).clip(0, 255).astype(np.uint8)
    return first._replace(hidden=shown)


@dataclass(frozen=True)
class EmbedFilm(Embed):
    """What a recognizer says of every face that was filmed, see `filmed`, with the motion known.

    averaged: the mean of what it says of each frame, in place of what it says of the mean frame.
    """

    averaged: bool = False

    def _looked(
        self, take: Photographer, photo: Photo, box: FloatArray, recognizer: Recognizer,
        undo: Undo | None,
    ) -> FloatArray:  # fmt: skip
        frames = list(filmed(take, photo, box))
        if not self.averaged:
            return self._vector(fused(frames), recognizer, undo)
        each = [self._vector(frame.scene, recognizer, undo) for frame in frames]
        return of_length_1(np.mean(each, axis=0))

    def dependencies(self) -> dict[str, Any]:
        """See `Work`."""
        return super().dependencies() | {"frames": FRAMES}

    def cost(self) -> float:
        """See `Work`."""
        return FRAMES * super().cost()
