"""Statistics of single faces in a batch: what two pictures of a face have in common."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def cell_means(
    values: Tensor, owner: Tensor, place: Tensor, faces: int, cells: int
) -> tuple[Tensor, Tensor]:
    """Means of values, (S, C), in overlapping cells of every face, and the weight of each cell.

    owner: (S,), the face that a value lies in. place: (S, 2), x and y there, in cells: 0 to
    `cells`. Returns (faces · (cells + 1)², C) and (faces · (cells + 1)²,).
    """
    side = cells + 1
    low = place.floor().clamp(0, cells - 1)
    part = place - low
    corner = (owner * side + low[:, 1].long()) * side + low[:, 0].long()
    sums = values.new_zeros(faces * side**2, values.shape[1])
    weights = values.new_zeros(faces * side**2)
    for dx in (0, 1):
        for dy in (0, 1):
            near = (part[:, 0] - (1 - dx)).abs() * (part[:, 1] - (1 - dy)).abs()
            at = corner + dy * side + dx
            sums = sums.index_add(0, at, near[:, None] * values)
            weights = weights.index_add(0, at, near)
    return sums / weights.clamp(min=1e-6)[:, None], weights


def prior_distance(made: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    """Mean smooth L1 distance of cell means, (N, C), each by its weight up to one pixel."""
    apart = functional.smooth_l1_loss(made, wanted, reduction="none").mean(1)
    weights = weights.clamp(max=1)
    return (apart * weights).sum() / weights.sum().clamp(min=1)
