"""The one trainer of detectors: its schedule and its data."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from dartblur.datasets.labelled import LabelledImage
from dartblur.faces import Faces
from dartblur.training.detector import Schedule, examples_of


def test_the_rate_warms_up_and_falls_to_nothing() -> None:
    schedule = Schedule(0.1, 100, warm_up=10)
    assert schedule.at(0) == pytest.approx(0.01)
    assert schedule.at(9) < 0.1
    assert schedule.at(50) == pytest.approx(0.05)
    assert schedule.at(100) == schedule.at(200) == pytest.approx(0)


def test_examples_depend_on_the_seed_alone_and_hold_faces() -> None:
    rng = np.random.default_rng(0)
    face = Faces(np.array([[20, 20, 40, 44]], np.float32))
    image = rng.integers(0, 256, (80, 90, 3), np.uint8)
    pictures = [
        LabelledImage("a", image, face, face),
        LabelledImage("b", image, Faces.empty(), face),
    ]

    def drawn(seed: int) -> list[torch.Tensor]:
        return [images for images, _ in islice(examples_of(pictures, 48, 3, seed), 2)]

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    # The picture without a face is never drawn.
    for _, targets in islice(examples_of(pictures, 48, 3, 1), 5):
        assert targets.real.any(1).all()
