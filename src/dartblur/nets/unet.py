"""The paper's generator: a U-Net on the whole frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_DOWN = (32, 64, 128, 256, 512)
# Level 1 is given 96, which makes 128 together with its skip.
_UP = (256, 128, 64, 96)
_HALF = 127.5
_SLOPE = 0.01


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
    def __init__(self, inputs: int, middle: int, outputs: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(inputs, 4 * middle, 3, padding=1)
        self.second = nn.Conv2d(middle, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.leaky_relu(self.spread(x), _SLOPE)
        out: Tensor = self.second(functional.pixel_shuffle(x, 2))
        return out


class FrameGenerator(nn.Module):
    """g~(h(x, b), b): five levels down, five up; the paper's 12,653,187 parameters at `width` 1.

    Skips are added at 1/16 and 1/8 and concatenated at 1/4 and 1/2. width: scales every level.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        down = tuple(max(4, round(width * w)) for w in _DOWN)
        # 1/16 and 1/8 must fit the skips that they are added to.
        up = (down[3], down[2], *(max(4, round(width * w)) for w in _UP[2:]))
        self.down = nn.ModuleList(_Down(i, o) for i, o in zip((4, *down[:-1]), down, strict=True))
        inputs = (down[4], up[0], up[1], up[2] + down[1])
        self.up = nn.ModuleList(_Up(i, o, o) for i, o in zip(inputs, up, strict=True))
        self.last = _Up(up[3] + down[0], up[3], 3)

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
        for level, (up, skip) in enumerate(zip(self.up, skips[-2::-1], strict=True)):
            x = functional.leaky_relu(up(x), _SLOPE)
            x = x + skip if level < 2 else torch.cat([x, skip], 1)
        out = torch.tanh(self.last(x) + scaled)
        return (out[..., :height, :width] + 1) * _HALF
