import numpy as np
import pytest
from tests.pictures import textured

from dartblur.anonymizers import Pixelate
from dartblur.errors import UsageError
from dartblur.faces import Faces


def one(x1: int, y1: int, x2: int, y2: int) -> Faces:
    return Faces(np.array([[x1, y1, x2, y2]], np.float32))


def test_cell_means_worked_out_by_hand() -> None:
    image = np.zeros((6, 8, 3), np.uint8)
    image[1:3, 2:4, 0] = [[10, 20], [30, 40]]
    image[1:3, 4:6, 0] = [[100, 100], [100, 104]]
    image[3:5, 2:4, 0] = [[0, 0], [0, 8]]
    image[3:5, 4:6, 0] = [[255, 255], [255, 255]]
    image[..., 1] = 77
    out = Pixelate(2)(image, one(2, 1, 6, 5))
    expected = image.copy()
    expected[1:3, 2:4, 0] = 25
    expected[1:3, 4:6, 0] = 101
    expected[3:5, 2:4, 0] = 2
    expected[3:5, 4:6, 0] = 255
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("cells", [1, 4, 8])
def test_cells_lie_across_the_width_and_are_square(cells: int) -> None:
    image = textured(100, 60)
    out = Pixelate(cells)(image, one(10, 10, 50, 90))  # 40 × 80
    side = 40 // cells
    face = image[10:90, 10:50].astype(float)
    means = face.reshape(80 // side, side, cells, side, 3).mean(axis=(1, 3))
    expected = np.repeat(np.repeat(means, side, axis=0), side, axis=1)
    assert np.abs(out[10:90, 10:50] - expected).max() <= 1


@pytest.mark.parametrize("side", range(2, 24))
def test_never_fewer_source_pixels_than_cells(side: int) -> None:
    image = textured(40, 40, side)
    out = Pixelate(12)(image, one(5, 6, 5 + side, 6 + side))
    face = out[6 : 6 + side, 5 : 5 + side]
    colours = len(np.unique(face.reshape(-1, 3), axis=0))
    assert colours <= (side // 2) ** 2


@pytest.mark.parametrize("size", [(2, 60), (60, 2), (1, 30), (30, 1), (3, 3)])
def test_thin_faces(size: tuple[int, int]) -> None:
    width, height = size
    image = textured(64, 64)
    out = Pixelate(8)(image, one(2, 2, 2 + width, 2 + height))
    face = out[2 : 2 + height, 2 : 2 + width]
    colours = len(np.unique(face.reshape(-1, 3), axis=0))
    assert colours <= max(width // 2, 1) * max(height // 2, 1)


def test_noise_changes_whole_cells_and_is_the_same_in_every_run() -> None:
    image = textured(100, 100)
    face = one(10, 10, 90, 90)
    plain, noisy = (Pixelate(8, noise)(image, face).astype(int) for noise in (0.0, 20.0))
    np.testing.assert_array_equal(noisy, Pixelate(8, 20.0)(image, face))
    added = (noisy - plain)[10:90, 10:90].reshape(8, 10, 8, 10, 3)
    assert np.ptp(added, axis=(1, 3)).max() == 0
    assert 14 < added[:, 0, :, 0].std() < 26
    # One hidden pixel more or less is other noise: nobody draws it again without all of them.
    image[50, 50] ^= 1
    assert (Pixelate(8, 20.0)(image, face) != noisy).mean() > 0.5


def test_noise_brings_no_colour_into_a_picture_that_has_none() -> None:
    grey = np.repeat(textured(60, 60)[..., :1], 3, axis=2)
    out = Pixelate(6, 30.0)(grey, one(5, 5, 50, 50))
    assert np.ptp(out, axis=2).max() == 0


@pytest.mark.parametrize("noise", [-1.0, 256.0, float("nan")])
def test_noise_out_of_range_is_refused(noise: float) -> None:
    with pytest.raises(UsageError, match="noise"):
        Pixelate(8, noise)


@pytest.mark.parametrize("cells", [0, -3, 13, 100_000])
def test_no_cells_or_so_many_that_a_face_shows_are_refused(cells: int) -> None:
    with pytest.raises(UsageError, match="cells"):
        Pixelate(cells)
