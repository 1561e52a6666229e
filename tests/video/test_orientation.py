"""The way from a coded frame to an upright picture, and back."""

from itertools import product

import numpy as np
import pytest

from dartblur.video.orientation import Orientation, orientation_of


@pytest.mark.parametrize(
    ("matrix", "orientation"),
    [
        (None, Orientation()),
        ((65536, 0, 0, 0, 65536, 0, 0, 0, 1), Orientation()),
        ((0, 65536, 0, -65536, 0, 0, 0, 0, 1), Orientation(True, True, False)),
        ((-65536, 0, 0, 0, -65536, 0, 0, 0, 1), Orientation(False, True, True)),
        ((0, -65536, 0, 65536, 0, 0, 0, 0, 1), Orientation(True, False, True)),
        ((-65536, 0, 0, 0, 65536, 0, 0, 0, 1), Orientation(False, True, False)),
    ],
)
def test_display_matrices(matrix: tuple[int, ...] | None, orientation: Orientation) -> None:
    assert orientation_of(matrix) == orientation


@pytest.mark.parametrize(
    "orientation", [Orientation(*flags) for flags in product((False, True), repeat=3)]
)
def test_there_and_back(orientation: Orientation) -> None:
    image = np.random.default_rng(0).integers(0, 255, (7, 5, 3)).astype(np.uint8)
    np.testing.assert_array_equal(orientation.coded(orientation.upright(image)), image)


@pytest.mark.parametrize("flags", list(product((False, True), repeat=3)), ids=str)
def test_boxes_there_and_back(flags: tuple[bool, bool, bool]) -> None:
    orientation, coded = Orientation(*flags), np.array([[1, 2, 4, 3], [0, 0, 5, 7]])
    height, width = (5, 7) if orientation.swap else (7, 5)
    upright = orientation.boxes_to_upright(coded, height, width)
    assert (upright >= 0).all()
    assert (upright <= [width, height, width, height]).all()
    np.testing.assert_array_equal(orientation.boxes_to_coded(upright, height, width), coded)
