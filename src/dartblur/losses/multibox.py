"""The detection loss of RetinaFace and the single-shot family, for a whole batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from dartblur.faces import Faces
from dartblur.nets.anchors import corners, encode


class Targets(NamedTuple):
    """Faces of a batch, padded to the picture with the most."""

    boxes: Tensor  # (B, M, 4) x1 y1 x2 y2 in pixels
    real: Tensor  # (B, M) bool: False in the padding
    ignore: Tensor  # (B, M) bool: neither a face nor background


class Matched(NamedTuple):
    """What each anchor ought to say."""

    positive: Tensor  # (B, A) bool
    neutral: Tensor  # (B, A) bool: left out of the negatives
    offsets: Tensor  # (B, A, 4), of meaning where positive


@dataclass(frozen=True)
class MultiBox:
    """Matching and weights of the loss.

    matched: an anchor is positive from this intersection over union; each face's best anchor is
    positive from `rescued` on. negatives: hardest background anchors kept for each positive one,
    per picture (a picture without any keeps as many as for one). smoothing: label smoothing.
    box_weight: the weight of box regression beside classification.
    """

    matched: float = 0.35
    rescued: float = 0.2
    negatives: int = 7
    smoothing: float = 0.0
    box_weight: float = 2.0

    def match(self, priors: Tensor, targets: Targets) -> Matched:
        """Gives each anchor its face: (A, 4) anchors as centre and sides, B × M targets."""
        overlap = _iou(corners(priors), targets.boxes)  # (B, A, M)
        overlap = overlap * targets.real[:, None]
        faces = overlap.masked_fill(targets.ignore[:, None], 0)
        if faces.shape[2] == 0:
            none = torch.zeros(faces.shape[:2], dtype=torch.bool, device=priors.device)
            return Matched(none, none, priors.new_zeros(*faces.shape[:2], 4))
        best, face = faces.max(2)  # (B, A)
        rescued = _rescued(faces, self.rescued)  # (B, A, M)
        face = torch.where(rescued.any(2), rescued.long().argmax(2), face)
        positive = (best >= self.matched) | rescued.any(2)
        ignored = overlap.masked_fill(~targets.ignore[:, None], 0).amax(2) >= self.matched
        chosen = targets.boxes.gather(1, face[..., None].expand(-1, -1, 4))
        return Matched(positive, ignored & ~positive, encode(chosen, priors))

    def __call__(self, logits: Tensor, offsets: Tensor, matched: Matched) -> Tensor:
        """Classification + box_weight × regression, over the number of positive anchors."""
        positive = matched.positive
        count = positive.sum().clamp(min=1)
        regression = functional.smooth_l1_loss(offsets, matched.offsets, reduction="none").sum(2)
        regression = torch.where(positive, regression, 0).sum()
        ranked = functional.cross_entropy(
            logits.detach().transpose(1, 2), positive.long(), reduction="none"
        )
        ranked = ranked.masked_fill(positive | matched.neutral, -1)
        kept = positive | self._hardest(ranked, positive)
        cost = functional.cross_entropy(
            logits.transpose(1, 2),
            positive.long(),
            reduction="none",
            label_smoothing=self.smoothing,
        )
        classification = torch.where(kept, cost, 0).sum()
        return (classification + self.box_weight * regression) / count

    def _hardest(self, ranked: Tensor, positive: Tensor) -> Tensor:
        budget = self.negatives * positive.sum(1, keepdim=True).clamp(min=1)  # (B, 1)
        most = min(int(budget.max()), ranked.shape[1])
        value, index = ranked.topk(most, dim=1)
        keep = (torch.arange(most, device=ranked.device)[None] < budget) & (value >= 0)
        return torch.zeros_like(positive).scatter(1, index, keep)


def pad(faces: Sequence[Faces]) -> Targets:
    """Faces of B pictures as one padded batch."""
    most = max((len(f) for f in faces), default=0)
    boxes = torch.zeros(len(faces), most, 4)
    real = torch.zeros(len(faces), most, dtype=torch.bool)
    ignore = torch.zeros(len(faces), most, dtype=torch.bool)
    for i, f in enumerate(faces):
        boxes[i, : len(f)] = torch.tensor(f.boxes)
        real[i, : len(f)] = True
        ignore[i, : len(f)] = torch.tensor(f.ignore)
    return Targets(boxes, real, ignore)


def _iou(a: Tensor, b: Tensor) -> Tensor:
    low = torch.maximum(a[None, :, None, :2], b[:, None, :, :2])
    high = torch.minimum(a[None, :, None, 2:], b[:, None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)  # (B, A, M)
    area_a = (a[:, 2:] - a[:, :2]).prod(-1)[None, :, None]
    area_b = (b[..., 2:] - b[..., :2]).prod(-1)[:, None]
    return shared / (area_a + area_b - shared).clamp(min=1e-9)


def _rescued(faces: Tensor, least: float) -> Tensor:
    """True at the one best anchor of each face that overlaps it by `least`: (B, A, M)."""
    best, anchor = faces.max(1)  # (B, M)
    return torch.zeros_like(faces, dtype=torch.bool).scatter(
        1, anchor[:, None], (best >= least)[:, None]
    )
