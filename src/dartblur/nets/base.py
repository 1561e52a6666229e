"""What every detector that trains is made of, and how its candidates become faces."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from dartblur import boxes as boxlib
from dartblur.faces import Faces, Image

Raw = Any
"""What the heads of a network say, in its own form: for its loss and its `candidates`."""


class Candidates(NamedTuple):
    """What a detector sees in B pictures, before non-maximum suppression."""

    boxes: Tensor  # (B, A, 4) x1 y1 x2 y2 in pixels
    scores: Tensor  # (B, A) in [0, 1]


class DetectorNet(nn.Module, ABC):
    """A backbone, a neck and heads, one after another, so that a loss can look between them."""

    @abstractmethod
    def taps(self, images: Tensor) -> list[Tensor]:
        """The backbone's features, finest first.

        images: (B, 3, H, W) float RGB on the 0 to 255 scale, of any size.
        """

    @abstractmethod
    def neck(self, taps: list[Tensor]) -> list[Tensor]:
        """The features that the heads read, finest first."""

    @abstractmethod
    def heads(self, pyramid: list[Tensor]) -> Raw:
        """What the heads say."""

    @abstractmethod
    def candidates(self, raw: Raw) -> Candidates:
        """Every box with its score."""

    @abstractmethod
    def blocks(self) -> list[str]:
        """Names of the backbone's blocks, as parameters begin with them, finest first."""

    def forward(self, images: Tensor) -> Raw:
        """images: as for `taps`."""
        return self.heads(self.neck(self.taps(images)))


@torch.no_grad()
def faces_among(
    candidates: Candidates, threshold: float, overlap: float, most: int | None = 3000
) -> list[Faces]:
    """The faces of each picture, best score first.

    threshold: least score. overlap: of non-maximum suppression. most: candidates that enter it,
    None for all.
    """
    found = []
    for boxes, scores in zip(candidates.boxes, candidates.scores, strict=True):
        best, index = scores.topk(min(most or len(scores), len(scores)))
        index = index[best >= threshold]
        b = boxes[index].double().cpu().numpy()
        s = scores[index].double().cpu().numpy()
        kept = boxlib.nms(b, s, overlap)
        found.append(Faces(b[kept], np.clip(s[kept], 0, 1)))
    return found


def to_tensor(images: Sequence[Image]) -> Tensor:
    """(H, W, 3) uint8 pictures of one size → (B, 3, H, W) float, channels last in memory."""
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return stacked.float().contiguous(memory_format=torch.channels_last)
