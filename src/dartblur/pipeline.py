"""From a clear picture to a safe one."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from dartblur import boxes as boxlib
from dartblur.anonymizers import DEFAULT_METHOD, Anonymizer, MethodSettings, make_anonymizer
from dartblur.detectors import DEFAULT as DEFAULT_DETECTOR
from dartblur.detectors import Detector, make_detector
from dartblur.errors import UsageError
from dartblur.faces import Faces
from dartblur.images import Picture
from dartblur.images.arrays import InMemory, as_given, picture_of

# Measured (docs/detectors.md): it makes the detectors' boxes cover what labels call a face.
DEFAULT_MARGIN = 0.15
MAX_MARGIN = 10.0
_log = logging.getLogger("dartblur.pipeline")


@dataclass(frozen=True)
class Pipeline:
    """Finds every face and hides it; the object to keep for many pictures, by any thread.

    margin: how far each detected box is grown on every side, as a share of its width and height.
    """

    detector: Detector
    anonymizer: Anonymizer
    margin: float = DEFAULT_MARGIN

    def __call__(self, image: InMemory, boxes: Faces | npt.ArrayLike | None = None) -> InMemory:
        """A new picture with every face hidden, of the kind that went in; see `anonymize`."""
        return as_given(self.hidden(picture_of(image), boxes), image)

    def hidden(self, picture: Picture, boxes: Faces | npt.ArrayLike | None = None) -> Picture:
        """The picture with its faces hidden, or with what lies in the given boxes.

        Raises:
            ValueError: a given box covers no pixel.
        """
        faces = self.faces_of(picture) if boxes is None else given(boxes, *picture.size)
        _log.debug("%d × %d pixels: %d boxes", *picture.size[::-1], len(faces))
        return picture.hidden(self.anonymizer(picture.rgb, faces), faces)

    def faces(self, image: npt.NDArray[Any] | Pillow.Image) -> Faces:
        """The boxes to hide in a picture: the detected ones, grown by the margin and clipped to it.

        Raises:
            ValueError: image is of a kind that `anonymize` does not take.
        """
        return self.faces_of(picture_of(image))

    def faces_of(self, picture: Picture) -> Faces:
        """The boxes to hide in a picture that was read."""
        [faces] = self.detector([picture.rgb])
        return grown(faces, self.margin, *picture.size)


def given(boxes: Faces | npt.ArrayLike, height: int, width: int) -> Faces:
    """Boxes that a caller gives, checked: each covers a pixel of the picture.

    Raises:
        ValueError: one does not, or all lie within 0..1, as shares of the picture's sides do.
    """
    faces = boxes if isinstance(boxes, Faces) else Faces(np.asarray(boxes, np.float32))
    if len(faces) and (faces.boxes >= 0).all() and (faces.boxes <= 1).all():
        raise ValueError("boxes must be in pixels; these lie within 0..1, as shares of a side do")
    empty = boxlib.area(boxlib.clip(faces.boxes, height, width)) <= 0
    if empty.any():
        raise ValueError(
            f"box {faces.boxes[empty][0].tolist()} covers no pixel of the {width} × {height} "
            "picture"
        )
    return faces


def grown(faces: Faces, margin: float, height: int, width: int) -> Faces:
    """The faces in boxes grown by `margin` and clipped to the picture; those outside it go."""
    boxes = boxlib.clip(boxlib.grow(faces.boxes, margin), height, width)
    return faces.with_boxes(boxes)[boxlib.area(boxes) > 0]


def make_pipeline(
    method: str = DEFAULT_METHOD,
    detector: str = DEFAULT_DETECTOR,
    *,
    settings: MethodSettings | None = None,
    threshold: float | None = None,
    margin: float = DEFAULT_MARGIN,
    threads: int = 0,
) -> Pipeline:
    """A pipeline from the names of its parts.

    settings: of the method. threshold: the least score of a face, in [0, 1]; None is the detector's
    own. threads: that the detector may use for one picture; 0 is one a core.

    Raises:
        UsageError: a name is unknown or a value out of range.
    """
    if not 0 <= margin <= MAX_MARGIN:
        raise UsageError(f"margin must lie in [0, {MAX_MARGIN:g}], not {margin}")
    found = make_detector(detector, threshold, threads or cores())
    return Pipeline(found, make_anonymizer(method, settings), margin)


def cores() -> int:
    """How many CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
