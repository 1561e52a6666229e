"""One picture, for those who write Python; `dartblur.video.api` does films."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any, overload

import numpy.typing as npt
from PIL import Image as Pillow

from dartblur.anonymizers import DEFAULT_METHOD
from dartblur.detectors import DEFAULT as DEFAULT_DETECTOR
from dartblur.errors import UsageError
from dartblur.faces import Faces, Image
from dartblur.images import read_picture
from dartblur.images.arrays import InMemory
from dartblur.pipeline import Pipeline, make_pipeline
from dartblur.video import is_video


@overload
def anonymize(
    image: InMemory,
    method: str = ...,
    detector: str = ...,
    *,
    boxes: Faces | npt.ArrayLike | None = ...,
) -> InMemory: ...


@overload
def anonymize(
    image: str | os.PathLike[str],
    method: str = ...,
    detector: str = ...,
    *,
    boxes: Faces | npt.ArrayLike | None = ...,
) -> Image: ...


def anonymize(
    image: Any,
    method: str = DEFAULT_METHOD,
    detector: str = DEFAULT_DETECTOR,
    *,
    boxes: Faces | npt.ArrayLike | None = None,
) -> npt.NDArray[Any] | Pillow.Image:
    """A new picture with every face hidden, of the kind that went in.

    image: an array (H, W) or (H, W, C) uint8 or uint16, upright, with C = 1 grey, 2 grey and alpha,
    3 RGB, 4 RGB and alpha; a picture of Pillow's, which comes back upright, in its mode (with
    alpha where it had a transparent colour) and without its metadata; or the path of a picture, of
    which the upright (H, W, 3) uint8 RGB comes back. It is left alone, and so is every pixel
    outside the boxes.
    boxes: faces to hide instead of detected ones, as they are: (N, 4) x1 y1 x2 y2 in pixels of the
    upright picture.

    Example:
        >>> safe = dartblur.anonymize(image)

    Raises:
        UsageError: a name is unknown. ValueError: image is of another kind, or a box of `boxes`
            covers no pixel. PictureError: the file cannot be read.
    """
    if isinstance(image, str | os.PathLike):
        path = Path(image)
        if is_video(path):
            raise UsageError(f"{path}: is a film: dartblur.anonymize_video hides its faces")
        return _pipeline(method, detector).anonymize(read_picture(path), boxes).rgb
    safe: npt.NDArray[Any] | Pillow.Image = _pipeline(method, detector)(image, boxes)
    return safe


# Loading a network takes longer than most pictures do.
@lru_cache(maxsize=4)
def _pipeline(method: str, detector: str) -> Pipeline:
    return make_pipeline(method, detector)
