"""The compact generator."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from dartblur.anonymizers.windows import WindowGeometry
from dartblur.nets.window import WindowGenerator


def test_it_is_small() -> None:
    assert sum(p.numel() for p in WindowGenerator().parameters()) < 1_000_000


@pytest.mark.parametrize("channels", [1, 3])
def test_it_starts_as_no_change(channels: int) -> None:
    net = WindowGenerator(size=16, width=4, channels=channels)
    change = net(torch.rand(5, 3, 16, 16) * 255, torch.zeros(5))
    assert change.shape == (5, channels, 16, 16)
    assert not change.any()


def test_its_change_is_limited() -> None:
    net = WindowGenerator(size=16, width=4, limit=10.0)
    torch.nn.init.normal_(net.last.weight, std=50)
    assert net(torch.rand(2, 3, 16, 16) * 255, torch.zeros(2)).abs().max() <= 10


def test_it_knows_the_size_of_the_face() -> None:
    torch.manual_seed(0)
    net = WindowGenerator(size=16, width=4)
    torch.nn.init.normal_(net.last.weight, std=0.1)
    window = torch.rand(1, 3, 16, 16) * 255
    small, large = net(window, torch.tensor([-1.0])), net(window, torch.tensor([2.0]))
    assert not torch.equal(small, large)


def test_a_size_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ValueError, match="12"):
        WindowGenerator(size=12)


@pytest.mark.parametrize("wrong", [{"softness": -0.1}, {"rim": -1.0}, {"texture": 129.0}])
def test_a_look_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"softness .* rim .* texture"):
        WindowGenerator(**wrong)


def test_details_begin_as_nothing_and_are_for_large_faces_alone() -> None:
    torch.manual_seed(0)
    net = WindowGenerator(size=16, width=4, detail=2)
    torch.nn.init.normal_(net.last.weight, std=0.1)
    window = torch.rand(1, 3, 16, 16) * 255
    small, large = torch.tensor([-0.5]), torch.tensor([0.5])
    before = [net(window, size) for size in (small, large)]
    assert before[0].shape == (1, 1, 32, 32)
    assert net.detail is not None
    torch.nn.init.normal_(net.detail.last.weight, std=1.0)
    after = [net(window, size) for size in (small, large)]
    assert torch.equal(before[0], after[0])
    assert (before[1] - after[1]).abs().max() > 0.1


def _painting(softness: float, rim: float = 0.0, texture: float = 0.0) -> WindowGenerator:
    torch.manual_seed(0)
    net = WindowGenerator(
        size=24, width=4, detail=2, limit=64.0, softness=softness, texture=texture, rim=rim
    )
    torch.nn.init.normal_(net.last.weight, std=0.5)
    assert net.detail is not None
    torch.nn.init.normal_(net.detail.last.weight, std=0.5)
    return net


@torch.no_grad()
def test_softness_is_a_gaussian_of_large_faces_alone() -> None:
    window, sizes = torch.rand(4, 3, 24, 24) * 255, torch.tensor([-0.6, 1.0, 2.5, 3.0])
    sharp, soft = _painting(0.0)(window, sizes), _painting(0.1)(window, sizes)
    torch.testing.assert_close(soft[0], sharp[0])
    # Half the softness is the same of the largest, for which it doubles.
    soft[2:] = _painting(0.05)(window, sizes)[2:]
    # A tenth of the box's side, which is three quarters of the window's 48 cells; edges apart.
    for made, before in zip(soft[1:, 0], sharp[1:, 0], strict=True):
        expected = cv2.GaussianBlur(before.numpy(), (0, 0), 0.1 * 36)
        np.testing.assert_allclose(made[18:30, 18:30], expected[18:30, 18:30], atol=0.02)
        assert made.std() < before.std() / 2


@torch.no_grad()
def test_a_change_fades_out_at_the_edge_of_the_box() -> None:
    window, sizes = torch.rand(2, 3, 24, 24) * 255, torch.tensor([-1.0, 1.5])
    whole, faded = _painting(0.0)(window, sizes), _painting(0.0, 0.25)(window, sizes)
    boxes = np.array([[0, 0, 600, 600]])
    (frame,) = WindowGeometry().region(boxes)
    edge = round(48 * -frame[0] / (frame[2] - frame[0]))
    assert not faded[..., :edge].any()
    assert not faded[..., -edge:, :].any()
    assert faded[..., edge + 1 : -edge - 1, edge + 1 : -edge - 1].any(1).float().mean() > 0.9
    # A quarter of half the window's 48 cells is 6.
    torch.testing.assert_close(
        faded[..., edge + 6 : -edge - 6, 24], whole[..., edge + 6 : -edge - 6, 24]
    )


@torch.no_grad()
def test_texture_is_what_smoothing_leaves_at_most() -> None:
    window, sizes = torch.rand(4, 3, 24, 24) * 255, torch.tensor([-0.6, 0.25, 1.0, 2.5])
    sharp, smooth = _painting(0.0)(window, sizes), _painting(0.1)(window, sizes)
    left = _painting(0.1, texture=4.0)(window, sizes) - smooth
    # The geometric mean of the limit and the texture lies half way, and it falls on at that pace.
    for fine, lost, most in zip(left, sharp - smooth, (64, 16, 4, 0.25), strict=True):
        # What is left is a difference: rounded as numbers of the limit's size are.
        assert fine.abs().max() <= most + 64 * torch.finfo(torch.float32).eps
        torch.testing.assert_close(fine, most * torch.tanh(lost / most), atol=1e-3, rtol=0)
    assert left[2].abs().max() > 3
    torch.testing.assert_close(left[0], torch.zeros_like(left[0]), atol=1e-3, rtol=0)
