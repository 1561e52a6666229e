"""Decoding of CenterFace's maps, with numbers worked by hand."""

import numpy as np

from dartblur.detectors.centerface import decode


def maps(height: int = 3, width: int = 4) -> dict[str, np.ndarray]:
    return {
        "heat": np.zeros((2, 1, height, width), np.float32),
        "size": np.zeros((2, 2, height, width), np.float32),
        "offset": np.zeros((2, 2, height, width), np.float32),
    }


def test_a_peak_becomes_a_box() -> None:
    given = maps()
    given["heat"][1, 0, 2, 1] = 0.75
    given["size"][1, :, 2, 1] = np.log([10, 5])  # height 40, width 20
    given["offset"][1, :, 2, 1] = [0.25, -0.5]  # centre (1 + 0.5 - 0.5, 2 + 0.5 + 0.25) * 4
    boxes, scores = decode(given, 1, 0.5)
    np.testing.assert_allclose(boxes, [[4 - 10, 11 - 20, 4 + 10, 11 + 20]], rtol=1e-6)
    np.testing.assert_array_equal(scores, np.float32([0.75]))
    assert boxes.dtype == np.float32


def test_each_picture_of_a_batch_has_its_own_peaks() -> None:
    given = maps()
    given["heat"][1, 0, 0, 0] = 0.9
    assert [len(decode(given, index, 0.1)[0]) for index in (0, 1)] == [0, 1]


def test_the_floor_is_inclusive() -> None:
    given = maps()
    given["heat"][0, 0] = [[0.1, 0.25, 0.5, 0.2], [0, 0, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(decode(given, 0, 0.25)[1], np.float32([0.25, 0.5]))
