"""What an attacker is shown."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.pictures import textured

from dartblur.faces import Image
from dartblur.privacy.people import Photo
from dartblur.privacy.views import Hiding, Photographer, Scene, only_inside

FACE = np.array([30, 20, 70, 74], np.float32)


def scene(tmp_path: Path, method: str, size: int, jpeg: int = 0) -> Scene:
    cv2.imwrite(str(tmp_path / "a.png"), textured(96, 100))
    take = Photographer(tmp_path, Hiding(method, jpeg=jpeg), size)
    return take(Photo("a", "a.png", True), FACE)


def inside(shown: Image, box: np.ndarray) -> np.ndarray:
    mask = np.zeros(shown.shape[:2], np.bool_)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return mask


@pytest.mark.parametrize("size", [24, 112])
def test_a_scene_is_as_large_as_asked_and_hidden_in_its_box_alone(
    tmp_path: Path, size: int
) -> None:
    made = scene(tmp_path, "gaussian-1", size)
    assert made.box[2] - made.box[0] == pytest.approx(size)
    changed = (made.clear != made.hidden).any(axis=2)
    here = inside(made.clear, made.hidden_box)
    assert changed[here].mean() > 0.8
    assert not changed[~here].any()


def test_a_hidden_photo_may_go_through_a_jpeg_file(tmp_path: Path) -> None:
    plain = scene(tmp_path, "gaussian-1", 40)
    fine, rough = (scene(tmp_path, "gaussian-1", 40, quality) for quality in (95, 20))
    for made in (fine, rough):
        assert np.array_equal(made.clear, plain.clear)
    off = [np.abs(made.hidden.astype(int) - plain.hidden).mean() for made in (fine, rough)]
    assert 0 < off[0] < off[1]
    # Other qualities are other stages, and none is what it was before there were any.
    keys = [Hiding("block", jpeg=quality).dependencies() for quality in (0, 20, 95)]
    assert keys[0] == {"method": "block"}
    assert keys[0] != keys[1] != keys[2]


def test_context_tells_nothing_of_the_box_and_inside_nothing_else(tmp_path: Path) -> None:
    made = scene(tmp_path, "context", 40)
    here = inside(made.clear, made.hidden_box)
    assert np.unique(made.hidden[here]).size == 1
    box = only_inside(made.clear, made.hidden_box)
    assert np.array_equal(box[here], made.clear[here])
    assert np.unique(box[~here]).size == 1


def test_the_face_is_found_from_the_box_that_everybody_sees(tmp_path: Path) -> None:
    made = scene(tmp_path, "block", 64)
    assert np.abs(made.shown_box - made.box).max() <= 1


def test_the_block_of_strict_takes_in_the_head(tmp_path: Path) -> None:
    made = scene(tmp_path, "block-head", 30)
    sides = made.box[2:] - made.box[:2]
    np.testing.assert_allclose(made.hidden_box[:2], (made.box[:2] - sides / 2).clip(0), atol=1)
    assert (made.hidden[inside(made.hidden, made.hidden_box)].mean(axis=1) < 255).all()
    assert not np.array_equal(made.hidden_box, scene(tmp_path, "block", 30).hidden_box)
