"""Anchors of RetinaFace and the code between boxes and offsets."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

STRIDES = (8, 16, 32)
SIZES = ((16, 32), (64, 128), (256, 512))
_VARIANCES = (0.1, 0.2)


@functools.lru_cache(maxsize=32)
def anchors(
    shapes: tuple[tuple[int, int], ...],
    strides: tuple[int, ...] = STRIDES,
    sizes: tuple[tuple[int, ...], ...] = SIZES,
) -> Tensor:
    """(A, 4) float: centre x, centre y, width, height in pixels, level by level, row by row.

    shapes: rows and columns of each level. strides, sizes: of its anchors, in pixels.
    """
    levels = []
    for stride, sides, (rows, columns) in zip(strides, sizes, shapes, strict=True):
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        centre = (torch.stack([x, y], -1) + 0.5) * stride  # (rows, columns, 2)
        centre = centre[:, :, None].expand(rows, columns, len(sides), 2)
        side = torch.tensor(sides, dtype=torch.float32)[:, None].expand(
            rows, columns, len(sides), 2
        )
        levels.append(torch.cat([centre, side], -1).reshape(-1, 4))
    return torch.cat(levels)


def corners(boxes: Tensor) -> Tensor:
    """(..., 4) centre and sides → x1 y1 x2 y2."""
    return torch.cat([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], -1)


def encode(boxes: Tensor, priors: Tensor) -> Tensor:
    """Offsets that turn anchors into boxes: (..., A, 4) x1 y1 x2 y2 → (..., A, 4)."""
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    side = (boxes[..., 2:] - boxes[..., :2]).clamp(min=1e-3)
    shift = (centre - priors[:, :2]) / (_VARIANCES[0] * priors[:, 2:])
    return torch.cat([shift, torch.log(side / priors[:, 2:]) / _VARIANCES[1]], -1)


def decode(offsets: Tensor, priors: Tensor) -> Tensor:
    """Boxes x1 y1 x2 y2 in pixels, (..., A, 4): the inverse of `encode`."""
    centre = priors[:, :2] + offsets[..., :2] * _VARIANCES[0] * priors[:, 2:]
    side = priors[:, 2:] * torch.exp(offsets[..., 2:] * _VARIANCES[1])
    return corners(torch.cat([centre, side], -1))
