"""Statistics of single faces, worked out by hand."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from dartblur.losses.faces import cell_means, prior_distance


def test_means_of_cells_overlap_and_keep_faces_apart() -> None:
    # Two faces of 2 cells a side. The value 6 lies half way between two nodes of the first row.
    values = torch.tensor([[2.0], [6.0], [9.0]])
    owner = torch.tensor([0, 0, 1])
    place = torch.tensor([[0.0, 0.0], [0.5, 0.0], [1.0, 2.0]])
    means, weights = cell_means(values, owner, place, faces=2, cells=2)
    assert weights.tolist() == [1.5, 0.5, 0, 0, 0, 0, 0, 0, 0] + [0.0] * 7 + [1.0, 0.0]
    assert means[:2, 0].tolist() == pytest.approx([5 / 1.5, 6.0])
    assert means[16, 0] == 9


def test_cells_that_nothing_lies_in_do_not_count() -> None:
    made, wanted = (
        torch.tensor([[3.5, 2.0], [100.0, 100.0]]),
        torch.tensor([[0.5, 0.0], [0.0, 0.0]]),
    )
    distance = prior_distance(made, wanted, torch.tensor([9.0, 0.0]))
    assert float(distance) == pytest.approx((2.5 + 1.5) / 2)
