"""Recognizers that are installed look where they say, and say the same of the same face."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dartblur.errors import InputError, UsageError
from dartblur.privacy.recognizers import RECOGNIZERS, Dlib, Recognizer

ASTRONAUT = Path(__file__).parents[2] / "examples" / "astronaut.jpg"


@pytest.fixture(scope="module", params=list(RECOGNIZERS))
def recognizer(request: pytest.FixtureRequest) -> Recognizer:
    try:
        return RECOGNIZERS[str(request.param)]()
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return cv2.imread(str(ASTRONAUT), cv2.IMREAD_COLOR_RGB)


def square_of(recognizer: Recognizer, image: np.ndarray, box: np.ndarray) -> np.ndarray:
    size = (recognizer.side, recognizer.side)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, recognizer.align(image, box), size, flags=how)


def test_a_face_is_its_own_nearest(recognizer: Recognizer, photo: np.ndarray) -> None:
    height, width = photo.shape[:2]
    box = np.array([0.4, 0.13, 0.56, 0.35], np.float32) * [width, height, width, height]
    face = recognizer.embed(square_of(recognizer, photo, box))
    assert np.linalg.norm(face) == pytest.approx(1, abs=1e-5)
    darker = recognizer.embed(square_of(recognizer, (photo * 0.8).astype(np.uint8), box))
    elsewhere = recognizer.embed(square_of(recognizer, photo, box + 0.3 * width))
    assert face @ darker > max(0.9, face @ elsewhere + 0.05)


def test_dlibs_square_is_the_one_of_its_own_code(photo: np.ndarray) -> None:
    dlib = pytest.importorskip("dlib")
    recognizer = Dlib()
    height, width = photo.shape[:2]
    box = np.array([0.4, 0.13, 0.56, 0.35], np.float32) * [width, height, width, height]
    shape = recognizer._landmarks(photo, dlib.rectangle(*(int(v) for v in np.rint(box))))
    theirs = dlib.get_face_chip(photo, shape, recognizer.side, 0.25)
    ours = square_of(recognizer, photo, box)
    assert np.abs(theirs.astype(int) - ours).mean() < 6


def test_dlibs_network_says_what_its_own_code_says(photo: np.ndarray) -> None:
    dlib = pytest.importorskip("dlib")
    models = pytest.importorskip("face_recognition_models")
    theirs = dlib.face_recognition_model_v1(models.face_recognition_model_location())
    for crop in (photo[20:200, 150:300], photo[:90, :90]):
        square = np.ascontiguousarray(cv2.resize(crop, (150, 150)))
        expected = np.array(theirs.compute_face_descriptor(square))
        expected /= np.linalg.norm(expected)
        np.testing.assert_allclose(Dlib().embed(square), expected, atol=1e-6)


def test_another_network_than_dlibs_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from dartblur.privacy.dlib_network import read_network

    (tmp_path / "other.dat").write_bytes(b"\1\2" * 1000)
    with pytest.raises(InputError, match=r"other\.dat: does not hold dlib's network"):
        read_network(tmp_path / "other.dat")
