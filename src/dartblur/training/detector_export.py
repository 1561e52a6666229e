"""A trained detector as ONNX, in the form of the networks that ship with the package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from dartblur.nets.base import DetectorNet
from dartblur.nets.retinaface_p2 import ALL_STRIDES, RetinaFaceP2
from dartblur.training.export import traced, write


class ScoreAndBoxMaps(nn.Module):
    """(N, H, W, 3) uint8 RGB → for each stride the score and the box values of every anchor."""

    def __init__(self, net: RetinaFaceP2) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Score and box values of each level, finest first."""
        pyramid = self.net.neck(self.net.taps(image.permute(0, 3, 1, 2).float()))
        maps: list[Tensor] = []
        for (score, box), level in zip(self.net.predictors(), pyramid, strict=True):
            maps += [score(level).unflatten(1, (-1, 2)).softmax(2)[:, :, 1], box(level)]
        return tuple(maps)


def export_detector(net: DetectorNet, target: Path, told: Mapping[str, str]) -> None:
    """Writes a detector: `image` → `score{s}` and `box{s}`, see `detectors.retinaface.decode`.

    told: what goes into the file's metadata.

    Raises:
        TrainingError: the file cannot be written.
    """
    assert isinstance(net, RetinaFaceP2)
    names = [f"{kind}{stride}" for stride in ALL_STRIDES for kind in ("score", "box")]
    example = {"image": torch.zeros(2, 96, 160, 3, dtype=torch.uint8)}
    # Sides are multiples of 32, as for every network that is run.
    sides = {1: 32 * torch.export.Dim("rows", min=1), 2: 32 * torch.export.Dim("columns", min=1)}
    shapes = {"image": {0: torch.export.Dim("images", min=1), **sides}}
    write(traced(ScoreAndBoxMaps(net), example, names, shapes), target, dict(told))
