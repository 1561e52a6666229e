import cv2
import numpy as np
import pytest
from tests.pictures import textured

from dartblur.anonymizers import Gaussian
from dartblur.errors import UsageError
from dartblur.faces import Faces


def one(x1: int, y1: int, x2: int, y2: int) -> Faces:
    return Faces(np.array([[x1, y1, x2, y2]], np.float32))


@pytest.mark.parametrize("size", [(4, 4), (5, 9), (16, 16), (31, 44), (100, 61), (510, 300)])
def test_the_kernel_is_half_the_face_and_sigma_is_automatic(size: tuple[int, int]) -> None:
    width, height = size
    image = textured(height + 20, width + 20)
    out = Gaussian()(image, one(7, 9, 7 + width, 9 + height))
    crop = image[9 : 9 + height, 7 : 7 + width]
    kernel = (max((width // 2) | 1, 3), max((height // 2) | 1, 3))
    np.testing.assert_array_equal(
        out[9 : 9 + height, 7 : 7 + width], cv2.GaussianBlur(crop, kernel, 0)
    )


@pytest.mark.parametrize(("strength", "kernel"), [(0.75, 15), (1, 21), (2, 41), (1.5, 31)])
def test_strength_scales_the_kernel(strength: float, kernel: int) -> None:
    image = textured(60, 60)
    out = Gaussian(strength)(image, one(10, 10, 50, 50))
    expected = cv2.GaussianBlur(image[10:50, 10:50], (kernel, kernel), 0)
    np.testing.assert_array_equal(out[10:50, 10:50], expected)


def test_more_strength_leaves_less_detail() -> None:
    image = textured(200, 200)
    left = [
        np.abs(np.diff(Gaussian(s)(image, one(0, 0, 200, 200)).astype(float), axis=1)).mean()
        for s in (0.75, 1, 2, 4)
    ]
    assert left == sorted(left, reverse=True)
    assert left[3] < left[0] / 2


@pytest.mark.parametrize("size", [600, 800])
def test_a_large_face_is_blurred_as_the_full_kernel_would(size: int) -> None:
    tile = cv2.resize(textured(60, 60), (size, size), interpolation=cv2.INTER_CUBIC)
    out = Gaussian()(tile, one(0, 0, size, size))
    exact = cv2.GaussianBlur(tile, ((size // 2) | 1,) * 2, 0)
    assert np.abs(out.astype(int) - exact).max() <= 8


@pytest.mark.parametrize("strength", [0, -1, 1e-9, 0.5, 0.74, float("nan"), float("inf")])
def test_a_strength_that_hides_nothing_is_refused(strength: float) -> None:
    with pytest.raises(UsageError, match="strength"):
        Gaussian(strength)


@pytest.mark.parametrize("strength", [0.75, 1e9])
def test_any_strength_that_is_taken_hides(strength: float) -> None:
    image = textured(60, 60)
    out = Gaussian(strength)(image, one(10, 10, 50, 50))
    assert (out != image).any(axis=2)[10:50, 10:50].mean() > 0.9
