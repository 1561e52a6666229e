"""What is known is undone as far as 8 bits, blended borders and noise allow."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.pictures import textured

from dartblur.anonymizers import Dartblur, MethodSettings, make_anonymizer
from dartblur.faces import Faces
from dartblur.privacy.inversion import _blur_matrix, inversion_of, unpainted
from dartblur.privacy.views import Hiding

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


@pytest.mark.parametrize("method", ["gaussian-1", "gaussian-2", "dartblur"])
def test_undone_is_nearer_to_the_clear_picture(method: str) -> None:
    image = cv2.GaussianBlur(textured(110, 110), (0, 0), 4)
    hide = Hiding(method).anonymizer()
    assert hide is not None
    hidden = hide(image, Faces(BOX[None].astype(np.float32)))
    inversion = inversion_of(hide)
    assert inversion is not None
    undone = inversion(hidden, BOX, inversion.dampings[0])
    middle = np.s_[40:62, 42:62]

    def error(picture: np.ndarray) -> float:
        return float(np.square(picture[middle].astype(float) - image[middle]).mean())

    assert error(undone) < 0.7 * error(hidden)
    outside = np.ones(image.shape[:2], np.bool_)
    outside[12:90, 20:84] = False
    assert np.array_equal(undone[outside], hidden[outside])


def test_a_generator_is_undone_to_the_blur_that_it_painted_on() -> None:
    image = cv2.GaussianBlur(textured(110, 110), (0, 0), 4)
    face = Faces(BOX[None].astype(np.float32))
    # The others paint with noise, which is not known.
    generator = make_anonymizer("dartblur", MethodSettings(generator="compact"))
    assert isinstance(generator, Dartblur)
    blurred = generator.metadata.blur(image, face)
    painted = generator(image, face)
    inside = np.s_[12:90, 20:84]

    def error(picture: np.ndarray) -> float:
        return float(np.abs(picture[inside].astype(float) - blurred[inside]).mean())

    found = unpainted(painted, BOX, generator)
    assert error(found) < 0.2 * error(painted)
    found[inside] = painted[inside]
    assert np.array_equal(found, painted)


@pytest.mark.parametrize("method", ["block", "context", "pixelate-8"])
def test_what_has_no_kernel_is_not_undone(method: str) -> None:
    assert inversion_of(Hiding(method).anonymizer()) is None
