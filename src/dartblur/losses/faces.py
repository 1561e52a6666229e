"""Statistics of single faces in a batch: what two pictures of a face have in common."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

_MOST = 12288
"""Samples of a batch that enter a covariance: more tell hardly more, and cost time."""


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


def covariances(features: Tensor, pixel: Tensor, owner: Tensor, faces: int, side: int) -> Tensor:
    """How the channels of features, (B, C, h, w), vary together within each face, (faces, C, C).

    pixel: (S,), index of a face pixel among B · side². owner: (S,), the face that it lies in.
    """
    step = 1 + len(pixel) // _MOST
    pixel, owner = pixel[::step], owner[::step]
    b, channels, h, w = features.shape
    picture, y, x = pixel // side**2, pixel // side % side, pixel % side
    at = (picture * h + y * h // side) * w + x * w // side
    seen = features.permute(0, 2, 3, 1).reshape(b * h * w, channels)[at]
    count = seen.new_zeros(faces).index_add(0, owner, seen.new_ones(len(owner))).clamp(min=1)
    mean = seen.new_zeros(faces, channels).index_add(0, owner, seen) / count[:, None]
    apart = seen - mean[owner]
    products = (apart[:, :, None] * apart[:, None]).flatten(1)
    summed = products.new_zeros(faces, channels**2).index_add(0, owner, products)
    return (summed / count[:, None]).view(faces, channels, channels)


def covariance_distance(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean over faces of the squared distance of covariances, as a share of those wanted."""
    apart = (made - wanted).square().sum((1, 2))
    size = wanted.square().sum((1, 2))
    return (apart / (size + 0.1 * size.mean()).clamp(min=1e-6)).mean()


def prior_distance(made: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    """Mean smooth L1 distance of cell means, (N, C), each by its weight up to one pixel."""
    apart = functional.smooth_l1_loss(made, wanted, reduction="none").mean(1)
    weights = weights.clamp(max=1)
    return (apart * weights).sum() / weights.sum().clamp(min=1)
