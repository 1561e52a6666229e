"""The network paints back what a blur left, goes on where it stopped, and keeps to boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.pictures import textured

torch = pytest.importorskip("torch", reason="comes with the extra train")
from tests.privacy.brightness import Brightness

from dartblur.privacy.config import Recovery
from dartblur.privacy.recovery import Identity, Restorer, look, pair, train
from dartblur.privacy.views import Scene
from dartblur.privacy.work import square_of

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


def means(squares: torch.Tensor) -> torch.Tensor:
    """The network of `Brightness`."""
    return torch.nn.functional.normalize(squares.mean((1, 2)))


def tinted(shift: int) -> Scene:
    """Faces that differ by colour, which is hidden."""
    it = scene()
    clear = np.roll(it.clear, shift, axis=2) // (2, 1, 1) + np.uint8(10)
    hidden = clear.copy()
    hidden[8:56, 10:50] = 128
    return it._replace(clear=clear.astype(np.uint8), hidden=hidden.astype(np.uint8))


def test_a_recognizer_looks_at_what_is_painted_where_it_lies() -> None:
    it = scene()
    [window] = [pair(it, 64)]
    eye = look(it, 64, Brightness(), np.ones(3, np.float32))
    grid = torch.nn.functional.affine_grid(eye.place[None], [1, 3, 24, 24], align_corners=False)
    seen = torch.nn.functional.grid_sample(window.hidden[None].float(), grid, align_corners=False)
    assert (seen[0] - eye.square).abs().mean() < 3
    moved = torch.nn.functional.grid_sample(
        window.hidden[None].float(), grid + 0.1, align_corners=False
    )
    assert (moved[0] - eye.square).abs().mean() > 6


def test_its_loss_is_nothing_where_the_clear_face_is_painted() -> None:
    scenes = [tinted(shift) for shift in range(3)]
    recognizer = Brightness()
    looks = []
    for it in scenes:
        place = recognizer.align(it.clear, it.box)
        vector = recognizer.embed(square_of(it.clear, place, recognizer))
        looks.append(look(it, 64, recognizer, vector))
    loss = Identity(means, looks)
    pairs = [pair(it, 64) for it in scenes]
    mask = torch.stack([each.mask for each in pairs])
    clear, hidden = (torch.stack([each[k] for each in pairs]).float() for k in (1, 0))
    assert loss(clear, mask, [0, 1, 2]) < 0.01
    assert loss(hidden, mask, [0, 1, 2]) > 0.3
    assert loss(clear, mask, [1, 2, 0]) > 0.3
    hidden.requires_grad_()
    loss(hidden, mask, [0, 1, 2]).backward()
    assert hidden.grad is not None
    assert (hidden.grad.abs().sum(1, keepdim=True) > 0)[~mask].float().mean() < 0.1


def test_it_trains_with_a_recognizer_s_loss_and_goes_on(tmp_path: Path) -> None:
    scenes = [tinted(shift) for shift in range(3)]
    recognizer = Brightness()
    vectors = [
        recognizer.embed(square_of(it.clear, recognizer.align(it.clear, it.box), recognizer))
        for it in scenes
    ]
    loss = Identity(
        means, [look(it, 32, recognizer, v) for it, v in zip(scenes, vectors, strict=True)]
    )
    pairs, settings = [pair(it, 32) for it in scenes], replace(SETTINGS, identity=1.0)
    for name, until, before in (("whole", 4, None), ("first", 2, None), ("second", 4, "first")):
        begun = tmp_path / before if before else None
        train(pairs, settings, 0, until, begun, tmp_path / name, loss)
    train(pairs, settings, 0, 4, None, tmp_path / "without")
    whole, second, without = (
        torch.load(tmp_path / name, weights_only=True)["network"]
        for name in ("whole", "second", "without")
    )
    assert all(torch.equal(whole[name], second[name]) for name in whole)
    assert any(not torch.equal(whole[name], without[name]) for name in whole)
