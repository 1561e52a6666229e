"""The review loss, worked out by hand."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from dartblur.losses.review import review_loss


@pytest.mark.parametrize(
    ("change", "margin", "expected"),
    [
        # |c| − 0.5 beyond 1, c² / 2 within: (9.5 + 29.5 + 0 + 0.125) / 4 = 9.78125
        ([10.0, -30.0, 0.0, 0.5], 0.0, 9.78125),
        ([10.0, -30.0, 0.0, 0.5], 9.0, 0.78125),
        ([10.0, -30.0, 0.0, 0.5], 20.0, 0.0),
        ([], 20.0, 0.0),
    ],
)
def test_golden(change: list[float], margin: float, expected: float) -> None:
    assert float(review_loss(torch.tensor(change), margin)) == pytest.approx(expected)


def test_within_the_margin_nothing_pulls() -> None:
    change = torch.full((4, 3), 5.0, requires_grad=True)
    review_loss(change, 20.0).backward()
    assert change.grad is not None
    assert not change.grad.any()
