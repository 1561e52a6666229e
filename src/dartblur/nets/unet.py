"""The paper's generator: a U-Net on the whole frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_WIDTHS = (32, 64, 128, 256, 512)
_HALF = 127.5
_SLOPE = 0.2


class _Down(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.leaky_relu(self.first(x), _SLOPE)
        x = functional.leaky_relu(self.second(x), _SLOPE)
        return functional.max_pool2d(x, 2)


class _Up(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(inputs, 4 * outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.leaky_relu(self.spread(x), _SLOPE)
        out: Tensor = self.second(functional.pixel_shuffle(x, 2))
        return out


class FrameGenerator(nn.Module):
    """g~(h(x, b), b): five levels down, five up; the paper's at `width` 1, narrower below.

    Skips are added at 1/16 and 1/8 and concatenated at 1/4 and 1/2.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        widths = tuple(max(4, round(width * w)) for w in _WIDTHS)
        inputs = (4, *widths[:-1])
        self.down = nn.ModuleList(_Down(i, o) for i, o in zip(inputs, widths, strict=True))
        a, b, c, d, e = widths
        self.up = nn.ModuleList([_Up(e, d), _Up(d, c), _Up(c, b), _Up(2 * b, a), _Up(2 * a, 3)])

    def forward(self, blurred: Tensor, mask: Tensor) -> Tensor:
        """The generated picture, (B, 3, H, W) on the 0 to 255 scale.

        blurred: (B, 3, H, W) on that scale, any size. mask: (B, 1, H, W), 1 inside a box.
        """
        height, width = blurred.shape[-2:]
        edges = (0, -width % 32, 0, -height % 32)
        scaled = functional.pad(blurred / _HALF - 1, edges, mode="replicate")
        x = torch.cat([scaled, functional.pad(mask, edges)], 1)
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = self.up[0](x) + skips[3]
        x = self.up[1](x) + skips[2]
        x = torch.cat([self.up[2](x), skips[1]], 1)
        x = torch.cat([self.up[3](x), skips[0]], 1)
        out = torch.tanh(self.up[4](x) + scaled)
        return (out[..., :height, :width] + 1) * _HALF
