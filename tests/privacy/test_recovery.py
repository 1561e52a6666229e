"""The network paints back what a blur left, goes on where it stopped, and keeps to boxes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.pictures import textured

torch = pytest.importorskip("torch", reason="comes with the extra train")

from dartblur.privacy.config import Recovery
from dartblur.privacy.recovery import Restorer, pair, train
from dartblur.privacy.views import Scene

BOX = np.array([10, 8, 50, 56])
SETTINGS = Recovery(rounds=30, batch=2, width=0.05, side=32, learning_rate=0.01)


def scene() -> Scene:
    """Contrast is halved in the box: easy to undo."""
    clear = cv2.GaussianBlur(textured(64, 60), (0, 0), 3)
    hidden = clear.copy()
    hidden[8:56, 10:50] = clear[8:56, 10:50] // 2
    return Scene(clear, hidden, BOX.astype(np.float32), BOX)


def test_what_is_learned_is_undone_in_the_box_alone(tmp_path: Path) -> None:
    it = scene()
    train([pair(it, 32)], SETTINGS, 0, 30, None, tmp_path / "network")
    restored = Restorer(tmp_path / "network")(it.hidden, BOX)
    inside = np.zeros(it.clear.shape[:2], np.bool_)
    inside[8:56, 10:50] = True
    assert np.array_equal(restored[~inside], it.hidden[~inside])
    before, after = (
        np.abs(p[inside].astype(int) - it.clear[inside]) for p in (it.hidden, restored)
    )
    assert after.mean() < 0.5 * before.mean()


def test_a_training_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    pairs = [pair(scene(), 32)]
    train(pairs, SETTINGS, 0, 4, None, tmp_path / "whole")
    train(pairs, SETTINGS, 0, 2, None, tmp_path / "first")
    train(pairs, SETTINGS, 0, 4, tmp_path / "first", tmp_path / "second")
    whole, second = (
        torch.load(tmp_path / name, weights_only=True)["network"] for name in ("whole", "second")
    )
    assert all(torch.equal(whole[name], second[name]) for name in whole)


def test_the_mask_is_where_the_box_lies(tmp_path: Path) -> None:
    it = scene()
    hidden, clear, mask = pair(it, 64)
    changed = (hidden != clear).any(0)
    assert (changed & ~mask[0]).float().mean() < 0.05
    assert mask.float().mean() == pytest.approx((0.75) ** 2, abs=0.05)
