"""Frames of a face that moves tell more than one of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.pictures import textured

from dartblur.privacy.film import FRAMES, filmed, fused
from dartblur.privacy.people import Photo
from dartblur.privacy.views import Hiding, Photographer

FACE = np.array([60, 40, 140, 148], np.float32)
PHOTO = Photo("a", "a.png", True)


def taken(tmp_path: Path, method: str) -> Photographer:
    # Nothing finer than a head's features.
    cv2.imwrite(str(tmp_path / "a.png"), cv2.GaussianBlur(textured(192, 200), (0, 0), 3))
    return Photographer(tmp_path, Hiding(method), 80)


def test_the_first_frame_is_the_photo_and_the_others_are_moved(tmp_path: Path) -> None:
    take = taken(tmp_path, "gaussian-1")
    frames = list(filmed(take, PHOTO, FACE))
    assert len(frames) == FRAMES
    assert np.array_equal(frames[0].scene.hidden, take(PHOTO, FACE).hidden)
    assert len({frame.scene.clear.tobytes() for frame in frames}) == FRAMES
    for frame in frames:  # each face is where it is said to be
        middle = (frame.scene.box[:2] + frame.scene.box[2:]) / 2
        back = frame.back @ np.append(middle, 1)
        np.testing.assert_allclose(back, [100, 94], atol=6)


@pytest.mark.parametrize("method", ["pixelate-8", "pixelate-8-noise"])
def test_the_mean_of_frames_is_nearer_to_the_clear_face_than_one(
    tmp_path: Path, method: str
) -> None:
    frames = list(filmed(taken(tmp_path, method), PHOTO, FACE))
    first, mean = frames[0].scene, fused(frames)
    x1, y1, x2, y2 = first.hidden_box
    here = np.s_[y1:y2, x1:x2]

    def error(shown: np.ndarray) -> float:
        return float(np.abs(shown[here].astype(float) - first.clear[here]).mean())

    assert error(mean.hidden) < 0.9 * error(first.hidden)
    outside = np.ones(first.clear.shape[:2], np.bool_)
    outside[here] = False
    assert np.array_equal(mean.hidden[outside], first.clear[outside])
