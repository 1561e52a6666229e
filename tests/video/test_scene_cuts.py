"""Scene cuts are found where they are, and nowhere else."""

import numpy as np
import pytest
from tests.video.films import random_frame

from dartblur.video.scene_cuts import SceneCutDetector, downscaled_luma


def test_cuts_are_found_and_flashes_motion_and_fades_are_not() -> None:
    dice = np.random.default_rng(0)
    one, other = (np.clip(dice.normal(m, 0.1, (18, 32)), 0, 1) for m in (0.3, 0.7))
    finder = SceneCutDetector()
    assert [finder.step(s.astype(np.float32)) for s in (one, one, other, other, one)] == [
        False,
        False,
        True,
        False,
        True,
    ]
    moving = SceneCutDetector()
    assert not any(moving.step(np.roll(one, i, 1).astype(np.float32)) for i in range(20))
    fading = SceneCutDetector()
    assert not any(
        fading.step((one * (1 - i / 20) + other * i / 20).astype(np.float32)) for i in range(21)
    )


@pytest.mark.parametrize("size", [(2, 2), (16, 16), (101, 67), (1920, 1080)])
def test_luma_of_frames_of_any_size(size: tuple[int, int]) -> None:
    luma = downscaled_luma(random_frame("yuv420p10le", *size))
    assert luma.shape == (18, 32)
    assert 0 <= luma.min() <= luma.max() <= 1
