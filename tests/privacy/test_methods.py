"""A blur whose kernel is known is undone as far as 8 bits and blended borders allow."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.pictures import textured

from dartblur.anonymizers import MethodSettings, make_anonymizer
from dartblur.faces import Faces
from dartblur.privacy.methods import DAMPINGS, METHODS, UNDO, _blur_matrix

BOX = np.array([20, 12, 84, 90])


@pytest.mark.parametrize("strength", [1.0, 2.0])
@pytest.mark.parametrize("side", [9, 64])
def test_the_matrix_is_what_the_anonymizer_does(strength: float, side: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    face = Faces(np.array([[0, 0, side, side]], np.float32))
    plain = make_anonymizer("gaussian", MethodSettings(strength=strength, blended=False))
    a = _blur_matrix(side, strength)
    expected = np.einsum("ij,jkc,lk->ilc", a, image, a)
    assert np.abs(plain(image, face) - expected).max() <= 2  # its kernel is in whole 256ths


@pytest.mark.parametrize("method", ["gaussian-1", "gaussian-2"])
def test_undone_is_nearer_to_the_clear_picture(method: str) -> None:
    image = cv2.GaussianBlur(textured(110, 110), (0, 0), 4)
    hidden = METHODS[method]()(image, Faces(BOX[None].astype(np.float32)))
    undone = UNDO[method](hidden, BOX, damping=DAMPINGS[0])
    middle = np.s_[40:62, 42:62]

    def error(picture: np.ndarray) -> float:
        return float(np.square(picture[middle].astype(float) - image[middle]).mean())

    assert error(undone) < 0.7 * error(hidden)
    outside = np.ones(image.shape[:2], np.bool_)
    outside[12:90, 20:84] = False
    assert np.array_equal(undone[outside], hidden[outside])
