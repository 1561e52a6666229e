"""Scales and tiles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dartblur.detectors import tiling
from dartblur.detectors.tiling import resize, scale_for, tiles


@pytest.mark.parametrize(
    ("zoom", "own_size", "height", "width", "scale"),
    [
        (1, 0, 480, 640, 1),
        (2, 0, 480, 640, 2),
        (1, 0, 1280, 1280, 0.5),
        (2, 0, 2560, 2560, 0.5),
        (2, 16_000_000, 3000, 4000, 1),
        (2, 16_000_000, 8000, 8000, 0.5),
        (0.5, 0, 100, 100, 0.5),
        (2, 16_000_000, 960, 960, 4 / 3),
    ],
)
def test_the_scale_follows_the_size_of_the_picture(
    zoom: float, own_size: int, height: int, width: int, scale: float
) -> None:
    assert scale_for(zoom, own_size, height, width) == pytest.approx(scale)


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.sampled_from([0.5, 1.0, 2.0]))
def test_the_area_that_is_looked_at_is_bounded(height: int, width: int, zoom: float) -> None:
    own_size = 4_000_000
    scale = scale_for(zoom, own_size, height, width)
    bound = max(zoom**2 * tiling.ZOOM_1_AREA, own_size)
    assert height * width * scale**2 <= bound * 1.0001
    assert scale <= max(1, zoom)


def test_a_picture_is_stretched_to_whole_cells_not_padded() -> None:
    image = np.zeros((50, 70, 3), np.uint8)
    image[:25] = 200
    resized = resize(image, 1)
    assert resized.pixels.shape == (64, 96, 3)
    assert (resized.pixels[:31] == 200).all()
    assert (resized.pixels[33:] == 0).all()
    assert (resized.x, resized.y) == pytest.approx((96 / 70, 64 / 50))


def test_an_enlarged_picture_keeps_its_shape_and_is_padded_with_its_edge() -> None:
    image = np.zeros((50, 70, 3), np.uint8)
    image[:, -1] = image[-1] = 200
    resized = resize(image, 2)
    assert resized.pixels.shape == (128, 160, 3)
    assert (resized.x, resized.y) == (2, 2)
    assert (resized.pixels[:97, :137] == 0).all()
    assert (resized.pixels[100:] == 200).all()
    assert (resized.pixels[:, 140:] == 200).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (7, 2)])
@pytest.mark.parametrize("scale", [1e-3, 0.3, 1, 3])
def test_a_resized_picture_is_never_empty(shape: tuple[int, int], scale: float) -> None:
    height, width = resize(np.zeros((*shape, 3), np.uint8), scale).pixels.shape[:2]
    assert height >= 32
    assert width >= 32
    assert height % 32 == width % 32 == 0


def test_a_picture_that_fits_is_left_as_it_is() -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    assert resize(image, 1).pixels is image


@settings(max_examples=30)
@given(st.integers(1, 75), st.integers(1, 75))
def test_tiles_cover_the_picture_and_share_it_out(rows: int, columns: int) -> None:
    image = np.zeros((32 * rows, 32 * columns, 3), np.uint8)
    # Every eighth pixel stands for its neighbours.
    y, x = np.mgrid[4 : 32 * rows : 8, 4 : 32 * columns : 8]
    owners = np.zeros(y.shape, int)
    shapes = set()
    for tile in tiles(image):
        height, width = tile.pixels.shape[:2]
        shapes.add((height, width))
        assert height % 32 == 0
        assert width % 32 == 0
        assert max(height, width) <= tiling.TILE
        assert np.shares_memory(tile.pixels, image)
        x1, y1, x2, y2 = tile.core
        core = (x >= x1) & (x < x2) & (y >= y1) & (y < y2)
        inside = (x >= tile.left) & (x < tile.left + width)
        inside &= (y >= tile.top) & (y < tile.top + height)
        assert not (core & ~inside).any()
        owners += core
    assert owners.min() >= 1
    assert len(shapes) == 1


def test_a_face_as_large_as_the_overlap_lies_whole_in_its_tile() -> None:
    image = np.zeros((64, 1920, 3), np.uint8)
    half = tiling.OVERLAP / 2 - tiling.SLACK
    for tile in tiles(image):
        low, high = tile.core[0], tile.core[2]
        if np.isfinite(low):
            assert low - half >= tile.left
        if np.isfinite(high):
            assert high + half <= tile.left + tile.pixels.shape[1]
