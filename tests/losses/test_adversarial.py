"""The hinge loss, worked out by hand."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from torch import Tensor

from dartblur.losses.adversarial import discriminator_loss, generator_loss


def first_place(size: tuple[int, int]) -> Tensor:
    weights = torch.zeros(1, 1, *size)
    weights[0, 0, 0, 0] = 1
    return weights


def level(value: float, side: int) -> Tensor:
    says = torch.full((1, 1, side, side), 77.0)
    says[0, 0, 0, 0] = value
    return says


def test_levels_count_alike_and_places_by_their_weight() -> None:
    made = [level(0.5, 4), level(-3.0, 2)]
    real = [level(2.0, 4), level(0.25, 2)]
    assert float(generator_loss(made, first_place)) == pytest.approx((-0.5 + 3) / 2)
    # 1.5 + 0 on the fine level, 0 + 0.75 on the coarse one: what is told apart by 1 costs nothing.
    assert float(discriminator_loss(made, real, first_place)) == pytest.approx((1.5 + 0.75) / 2)


def test_a_discriminator_that_says_nothing_has_a_loss_of_two() -> None:
    nothing = [torch.zeros(1, 1, 3, 3)]
    assert float(discriminator_loss(nothing, nothing, first_place)) == 2
