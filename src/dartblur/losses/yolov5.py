"""YOLOv5's assignment of faces to anchors, and its loss: CIoU + objectness + class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from dartblur.losses.multibox import Targets
from dartblur.nets.yolov5 import ANCHORS, STRIDES, Raw, decode

_LARGEST_RATIO = 4.0
_AROUND = ((0, 0), (-1, 0), (0, -1), (1, 0), (0, 1))
_NOMINAL_SIDE = 640.0


class Assigned(NamedTuple):
    """Which anchor of which cell ought to predict which box, at one level: P pairs."""

    picture: Tensor  # (P,) int64
    anchor: Tensor  # (P,) int64
    row: Tensor  # (P,) int64
    column: Tensor  # (P,) int64
    boxes: Tensor  # (P, 4) centre, from the cell's own corner, and sides, in cells


@dataclass(frozen=True)
class YoloLoss:
    """box × (1 − CIoU) + objectness + class, each a mean over a level, summed over levels.

    objectness: target is the CIoU that the box reaches; its weight is for pictures of 640 × 640
    pixels and falls with their area. balance: of the levels in objectness. Anchors of ignored faces
    are left out of it. smoothing: label smoothing of the class.
    """

    box: float = 0.05
    objectness: float = 1.0
    kind: float = 0.5 / 80
    balance: tuple[float, float, float] = (4.0, 1.0, 0.4)
    smoothing: float = 0.0

    def __call__(self, raw: Raw, targets: Targets) -> Tensor:
        """A scalar; targets as `losses.multibox.pad` makes them."""
        faces = targets._replace(real=targets.real & ~targets.ignore)
        ignored = targets._replace(real=targets.real & targets.ignore)
        total = raw[0].new_zeros(())
        rows, columns = raw[0].shape[2:4]
        share = rows * columns * STRIDES[0] ** 2 / _NOMINAL_SIDE**2
        for level, stride, sizes, weight in zip(raw, STRIDES, ANCHORS, self.balance, strict=True):
            anchors = level.new_tensor(sizes) / stride
            shape = (level.shape[2], level.shape[3])
            positive = assign(faces, anchors, stride, shape)
            neutral = assign(ignored, anchors, stride, shape)
            box, wanted, kind = _of_positive(level, positive, anchors, self.smoothing)
            counted = torch.ones_like(wanted).index_put(neutral[:4], wanted.new_zeros(()))
            counted = counted.index_put(positive[:4], wanted.new_ones(()))
            cost = functional.binary_cross_entropy_with_logits(level[..., 4], wanted, counted)
            total = total + self.box * box + self.kind * kind
            total = total + self.objectness * share * weight * cost
        return total


def assign(targets: Targets, anchors: Tensor, stride: int, shape: tuple[int, int]) -> Assigned:
    """Gives each face its anchors at one level.

    An anchor suits a face where neither side is 4 times the other's or more. The cell that holds
    the face's middle gets it, and the nearest neighbour beside it and above or below it.
    anchors: (3, 2) width and height in cells. shape: rows, columns.
    """
    low, high = targets.boxes[..., :2] / stride, targets.boxes[..., 2:] / stride
    centre, side = (low + high) / 2, high - low  # (B, M, 2)
    ratio = side[:, :, None] / anchors  # (B, M, 3, 2)
    suits = torch.maximum(ratio, 1 / ratio).amax(-1) < _LARGEST_RATIO
    limit = centre.new_tensor([shape[1], shape[0]])
    cell = torch.minimum(centre.floor().clamp(min=0), limit - 1)
    part = centre - cell
    before, after = (part < 0.5) & (cell > 0), (part > 0.5) & (cell < limit - 1)  # (B, M, 2)
    own = torch.ones_like(before[..., :1])
    near = torch.cat([own, before, after], -1)  # (B, M, 5), in the order of _AROUND
    chosen = suits[:, :, :, None] & near[:, :, None] & targets.real[:, :, None, None]
    picture, face, anchor, step = chosen.nonzero(as_tuple=True)
    place = cell[picture, face] + cell.new_tensor(_AROUND)[step]
    boxes = torch.cat([centre[picture, face] - place, side[picture, face]], -1)
    return Assigned(picture, anchor, place[:, 1].long(), place[:, 0].long(), boxes)


def complete_iou(a: Tensor, b: Tensor) -> Tensor:
    """CIoU of pairs, (P,): overlap less the distance of middles less the difference of shape.

    a, b: (P, 4) centre and sides, sides positive.
    """
    a_low, a_high = a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2
    b_low, b_high = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    shared = (torch.minimum(a_high, b_high) - torch.maximum(a_low, b_low)).clamp(min=0).prod(1)
    iou = shared / (a[:, 2:].prod(1) + b[:, 2:].prod(1) - shared).clamp(min=1e-9)
    around = (torch.maximum(a_high, b_high) - torch.minimum(a_low, b_low)).square().sum(1)
    apart = (a[:, :2] - b[:, :2]).square().sum(1) / around.clamp(min=1e-9)
    slant = torch.atan2(a[:, 2], a[:, 3]) - torch.atan2(b[:, 2], b[:, 3])
    shape = (2 / math.pi * slant).square()
    with torch.no_grad():
        weight = shape / (1 - iou + shape).clamp(min=1e-9)
    return iou - apart - weight * shape


def _of_positive(
    level: Tensor, at: Assigned, anchors: Tensor, smoothing: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Box loss, the wanted objectness of every anchor of a level, and class loss."""
    wanted = torch.zeros_like(level[..., 4])
    if len(at.picture) == 0:
        return level.new_zeros(()), wanted, level.new_zeros(())
    values = level[at[:4]]  # (P, 6)
    overlap = complete_iou(torch.cat(decode(values, anchors[at.anchor]), -1), at.boxes)
    flat = torch.zeros_like(wanted).flatten()
    _, _, rows, columns = wanted.shape
    index = ((at.picture * 3 + at.anchor) * rows + at.row) * columns + at.column
    # Where two faces share an anchor, its objectness is that of the one that it fits better.
    reached = overlap.detach().clamp(min=0).to(flat.dtype)
    wanted = flat.scatter_reduce(0, index, reached, "amax").view_as(wanted)
    # With one class every wanted value is 1: -log sigmoid is all of the cross-entropy, but for what
    # smoothing takes from it.
    kind = -functional.logsigmoid(values[:, 5:]).mean()
    if smoothing:
        kind = (1 - smoothing / 2) * kind - smoothing / 2 * functional.logsigmoid(
            -values[:, 5:]
        ).mean()
    return (1 - overlap).mean(), wanted, kind
