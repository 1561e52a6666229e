"""The second stage of a detector: does this crop show a face?"""

from __future__ import annotations

from math import ceil

import torch
from torch import Tensor, nn

SIDE = 56
"""Of a crop, in pixels."""
# Heights of faces in doublings of 32 pixels: beyond these none were learned from.
_LEAST, _MOST = -3.0, 3.0


class BoxClassifier(nn.Module):
    """Crops and the heights of their boxes → a logit each. width: channels of the first layer."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _layer(3, width, 2),
            _layer(width, 2 * width, 2),
            _layer(2 * width, 2 * width, 1),
            _layer(2 * width, 4 * width, 2),
            _layer(4 * width, 4 * width, 1),
            _layer(4 * width, 8 * width, 2),
            nn.Flatten(),
            nn.Dropout(0.2),
        )
        cells = ceil(SIDE / 16) ** 2
        self.head = nn.Sequential(
            nn.Linear(8 * width * cells + 1, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0)
        )

    def forward(self, crops: Tensor, heights: Tensor) -> Tensor:
        """(N,) logits that it is a face.

        crops: (N, 3, 56, 56) of 0 to 255. heights: (N,) of their boxes, in pixels of the picture:
        how sharp a crop can be.
        """
        size = torch.log2(heights / 32).clamp(_LEAST, _MOST)
        features = self.features((crops - 128) / 64)
        logits: Tensor = self.head(torch.cat([features, size[:, None]], 1))
        return logits


def _layer(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
