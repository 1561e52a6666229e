"""Decoding of RetinaFace's maps, with numbers worked by hand."""

import numpy as np

from dartblur.detectors.retinaface import decode, from_priors


def maps(height: int = 64, width: int = 96) -> dict[str, np.ndarray]:
    given = {}
    for stride in (8, 16, 32):
        cells = (height // stride, width // stride)
        given[f"score{stride}"] = np.zeros((1, 2, *cells), np.float32)
        given[f"box{stride}"] = np.zeros((1, 8, *cells), np.float32)
    return given


def test_a_prior_without_correction_is_the_box() -> None:
    given = maps()
    given["score16"][0, 1, 2, 3] = 0.5  # centre (3.5, 2.5) * 16, side 128
    boxes, scores = decode(given, 0, 0.4)
    np.testing.assert_allclose(boxes, [[56 - 64, 40 - 64, 56 + 64, 40 + 64]])
    np.testing.assert_array_equal(scores, np.float32([0.5]))


def test_the_second_prior_reads_the_second_four_values() -> None:
    given = maps()
    given["score8"][0, :, 1, 1] = [0.6, 0.7]  # centre 12, sides 16 and 32
    given["box8"][0, 4:, 1, 1] = [1, 2, 0, 0]  # moved by 0.1 * 32 and 0.2 * 32
    boxes, _ = decode(given, 0, 0.5)
    np.testing.assert_allclose(boxes[0], [4, 4, 20, 20], rtol=1e-6)
    np.testing.assert_allclose(boxes[1], [-0.8, 2.4, 31.2, 34.4], rtol=1e-5)


def test_sizes_are_exponents() -> None:
    values = np.array([[0, 0, 5 * np.log(2), -5 * np.log(2)]], np.float32)
    boxes = from_priors(values, np.array([[100.0, 50.0]]), np.array([64]))
    np.testing.assert_allclose(boxes, [[100 - 64, 50 - 16, 100 + 64, 50 + 16]], rtol=1e-6)


def test_every_stride_is_read() -> None:
    given = maps()
    for stride in (8, 16, 32):
        given[f"score{stride}"][0, 0, 0, 0] = 0.9
    boxes, _ = decode(given, 0, 0.5)
    np.testing.assert_allclose(boxes[:, 2] - boxes[:, 0], [16, 64, 256])


def test_nothing_above_the_floor_is_no_box() -> None:
    boxes, scores = decode(maps(), 0, 0.5)
    assert (boxes.shape, scores.shape) == ((0, 4), (0,))
