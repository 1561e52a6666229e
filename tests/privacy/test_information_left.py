"""The benchmark that counts what a blur leaves: its transform loses nothing, its bits are right."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.information_left import BLURS, ROUNDING, coefficients, left


def test_the_transform_keeps_all_of_a_face_and_no_more() -> None:
    crop = np.random.default_rng(0).normal(128, 40, (24, 18, 3))
    assert np.square(coefficients(crop)).sum() == pytest.approx(np.square(crop).sum())


def test_bits_are_those_of_gaussian_channels() -> None:
    variances = ROUNDING * np.array([15.0, 3.0, 0.0])
    assert left(variances, ROUNDING) == (2, pytest.approx(2 + 1))
    # A level of noise as large as the signal leaves half a bit.
    assert left(np.array([4.0]), 4.0) == (0, pytest.approx(0.5))


def test_a_stronger_blur_leaves_less() -> None:
    rng = np.random.default_rng(0)
    crops = [rng.normal(128, 40, (40, 32, 3)) for _ in range(12)]
    bits = {}
    for name, (blur, noise) in BLURS.items():
        found = np.stack([coefficients(blur(crop)) for crop in crops])
        bits[name] = left(found.var(axis=0), noise)[1]
    order = ("clear", "gaussian-1", "gaussian-1.5", "gaussian-2", "gaussian-3")
    assert [bits[name] for name in order] == sorted((bits[name] for name in order), reverse=True)
    assert bits["pixelate-8-noise"] < bits["pixelate-6"] < bits["pixelate-8"] < bits["clear"]
