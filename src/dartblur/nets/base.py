"""What every detector that trains is made of, and how its candidates become faces."""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from dartblur import boxes as boxlib
from dartblur.faces import Faces

Raw = TypeVar("Raw")


class Candidates(NamedTuple):
    """What a detector sees in B pictures, before non-maximum suppression."""

    boxes: Tensor  # (B, A, 4) x1 y1 x2 y2 in pixels
    scores: Tensor  # (B, A) in [0, 1]


class TrainableDetector(Protocol[Raw]):
    """A network (an `nn.Module`) whose raw output goes both to its loss and to `candidates`."""

    def __call__(self, images: Tensor) -> Raw:
        """images: (B, 3, H, W) float RGB on the 0 to 255 scale, of any size."""
        ...

    def candidates(self, raw: Raw) -> Candidates:
        """Every box with its score."""
        ...


@torch.no_grad()
def faces_among(
    candidates: Candidates, threshold: float, overlap: float, most: int = 3000
) -> list[Faces]:
    """The faces of each picture, best score first.

    threshold: least score. overlap: of non-maximum suppression. most: candidates that enter it.
    """
    found = []
    for boxes, scores in zip(candidates.boxes, candidates.scores, strict=True):
        best, index = scores.topk(min(most, len(scores)))
        index = index[best >= threshold]
        b = boxes[index].double().cpu().numpy()
        s = scores[index].double().cpu().numpy()
        kept = boxlib.nms(b, s, overlap)
        found.append(Faces(b[kept], np.clip(s[kept], 0, 1)))
    return found
