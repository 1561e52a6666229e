"""Statistics of single faces, worked out by hand."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from dartblur.losses.faces import cell_means, covariance_distance, covariances, prior_distance


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


def test_covariances_are_those_of_numpy_in_each_face_alone() -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 3, 4, 4)
    first = torch.tensor([0, 1, 4, 5]) * 2 % 8 + torch.tensor([0, 0, 16, 16])  # rows 0 and 2
    pixel = torch.cat([first, 64 + first])
    owner = torch.tensor([0] * 4 + [1] * 4)
    made = covariances(features, pixel, owner, faces=2, side=8)
    for face in (0, 1):
        at = [(p // 8 // 2, p % 8 // 2) for p in first.tolist()]
        seen = torch.stack([features[face, :, y, x] for y, x in at], 1)
        torch.testing.assert_close(made[face], torch.cov(seen, correction=0))


def test_texture_is_told_from_its_absence_wherever_it_lies() -> None:
    torch.manual_seed(0)
    pixel, owner = torch.arange(64), torch.zeros(64, dtype=torch.int64)
    noise = torch.randn(1, 2, 8, 8)
    moved, flat = noise.roll(3, dims=3), torch.zeros_like(noise)
    one, other, none = (covariances(x, pixel, owner, 1, 8) for x in (noise, moved, flat))
    assert float(covariance_distance(other, one)) < 1e-6
    assert float(covariance_distance(none, one)) > 0.8
