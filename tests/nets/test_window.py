"""The compact generator."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from dartblur.anonymizers.windows import WindowGeometry
from dartblur.nets.window import WindowGenerator

SEEDS = torch.arange(1, 9)


def test_it_is_small() -> None:
    assert sum(p.numel() for p in WindowGenerator().parameters()) < 1_000_000


@pytest.mark.parametrize("channels", [1, 3])
def test_it_starts_as_no_change(channels: int) -> None:
    net = WindowGenerator(size=16, width=4, channels=channels)
    change = net(torch.rand(5, 3, 16, 16) * 255, torch.zeros(5), SEEDS[:5])
    assert change.shape == (5, channels, 16, 16)
    assert not change.any()


def test_its_change_is_limited() -> None:
    net = WindowGenerator(size=16, width=4, limit=10.0)
    torch.nn.init.normal_(net.last.weight, std=50)
    assert net(torch.rand(2, 3, 16, 16) * 255, torch.zeros(2), SEEDS[:2]).abs().max() <= 10


def test_it_knows_the_size_of_the_face() -> None:
    torch.manual_seed(0)
    net = WindowGenerator(size=16, width=4)
    torch.nn.init.normal_(net.last.weight, std=0.1)
    window = torch.rand(1, 3, 16, 16) * 255
    small, large = (net(window, torch.tensor([size]), SEEDS[:1]) for size in (-1.0, 2.0))
    assert not torch.equal(small, large)


def test_a_size_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ValueError, match="12"):
        WindowGenerator(size=12)


@pytest.mark.parametrize("wrong", [{"rim": -1.0}, {"noise": -1}])
def test_what_cannot_be_negative_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"rim .* noise"):
        WindowGenerator(**wrong)


def test_details_begin_as_nothing_and_are_for_large_faces_alone() -> None:
    torch.manual_seed(0)
    net = WindowGenerator(size=16, width=4, detail=2)
    torch.nn.init.normal_(net.last.weight, std=0.1)
    window = torch.rand(1, 3, 16, 16) * 255
    small, large = torch.tensor([-0.5]), torch.tensor([0.5])
    before = [net(window, size, SEEDS[:1]) for size in (small, large)]
    assert before[0].shape == (1, 1, 32, 32)
    assert net.detail is not None
    torch.nn.init.normal_(net.detail.last.weight, std=1.0)
    after = [net(window, size, SEEDS[:1]) for size in (small, large)]
    assert torch.equal(before[0], after[0])
    assert (before[1] - after[1]).abs().max() > 0.1


def _painting(rim: float = 0.0) -> WindowGenerator:
    torch.manual_seed(0)
    net = WindowGenerator(size=24, width=4, detail=2, limit=64.0, rim=rim)
    torch.nn.init.normal_(net.last.weight, std=0.5)
    assert net.detail is not None
    torch.nn.init.normal_(net.detail.last.weight, std=0.5)
    return net


@torch.no_grad()
def test_a_change_fades_out_at_the_edge_of_the_box() -> None:
    window, sizes = torch.rand(2, 3, 24, 24) * 255, torch.tensor([-1.0, 1.5])
    whole, faded = (_painting(rim)(window, sizes, SEEDS[:2]) for rim in (0.0, 0.25))
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
def test_noise_is_white_and_told_by_the_seed_alone() -> None:
    net = WindowGenerator(size=16, width=4, detail=2, noise=2)
    seeds = torch.tensor([1, 2**31 - 1])
    noise = net.noise_for(seeds)
    assert noise.shape == (2, 2, 32, 32)
    assert noise.mean().abs() < 0.1
    assert (noise.std() - 1).abs() < 0.1
    # Alone or in a batch, in whichever order, it is the same; another seed gets another.
    torch.testing.assert_close(net.noise_for(seeds.flip(0)).flip(0), noise, rtol=0, atol=0)
    torch.testing.assert_close(net.noise_for(seeds[1:]), noise[1:], rtol=0, atol=0)
    assert not torch.equal(noise[0], noise[1])
    beside = noise.roll(1, 3)
    assert (noise * beside).mean().abs() < 0.1


@torch.no_grad()
def test_noise_reaches_the_coarse_change_and_the_details() -> None:
    torch.manual_seed(0)
    net = WindowGenerator(size=16, width=4, detail=2, noise=1)
    torch.nn.init.normal_(net.last.weight, std=0.5)
    windows, small, large = (
        torch.rand(1, 3, 16, 16) * 255,
        torch.tensor([-1.0]),
        torch.tensor([1.0]),
    )
    before = [net(windows, size, SEEDS[:1]) for size in (small, large)]
    assert net.detail is not None
    torch.nn.init.normal_(net.detail.last.weight, std=0.5)
    net.table.neg_()
    after = [net(windows, size, SEEDS[:1]) for size in (small, large)]
    assert all((a - b).abs().max() > 0.1 for a, b in zip(before, after, strict=True))
