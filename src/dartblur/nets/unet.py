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
_TILE = 20
"""Side of the squares in which the last level is computed if need be, in cells of its input."""
_REACH = 2
"""Cells around a square on which its pixels depend: two convolutions, the second at half a cell."""


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

    def forward(self, x: Tensor, known: Tensor | None = None) -> Tensor:
        """Twice the size. known: what is zero there, (B, 1, 2 H, 2 W), lies beyond the frame."""
        x = functional.pixel_shuffle(functional.leaky_relu(self.spread(x), _SLOPE), 2)
        out: Tensor = self.second(x if known is None else x * known)
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

    def forward(self, blurred: Tensor, mask: Tensor, *, only_inside: bool = False) -> Tensor:
        """The generated picture, (B, 3, H, W) on the 0 to 255 scale.

        blurred: (B, 3, H, W) on that scale, any size. mask: (B, 1, H, W), 1 inside a box.
        only_inside: the same picture inside the mask, and something else outside of it; the last
        level, half of the work, is then computed around the mask alone.
        """
        height, width = blurred.shape[-2:]
        # To multiples of 32; of -height % 32 the exporter would not see that they can be halved.
        edges = (0, 32 * ((width + 31) // 32) - width, 0, 32 * ((height + 31) // 32) - height)
        scaled = functional.pad(blurred / _HALF - 1, edges, mode="replicate")
        x = torch.cat([scaled, functional.pad(mask, edges)], 1)
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
        for level, (up, skip) in enumerate(zip(self.up, skips[-2::-1], strict=True)):
            x = functional.leaky_relu(up(x), _SLOPE)
            x = x + skip if level < 2 else torch.cat([x, skip], 1)
        last = _near(self.last, x, functional.pad(mask, edges)) if only_inside else self.last(x)
        out = torch.tanh(last + scaled)
        return (out[..., :height, :width] + 1) * _HALF


def _near(level: _Up, x: Tensor, mask: Tensor) -> Tensor:
    """`level(x)` in the squares of the frame that touch the mask, and zero elsewhere.

    x: (B, C, H, W). mask: (B, 1, 2 H, 2 W).
    """
    batch, _, height, width = x.shape
    edges = (_REACH, _REACH - width % -_TILE, _REACH, _REACH - height % -_TILE)
    touched = functional.max_pool2d(mask, 2 * _TILE, ceil_mode=True)[:, 0] > 0
    if not touched.any():
        touched[0, 0, 0] = True  # PyTorch has no gradient of a pixel shuffle of nothing.
    known = functional.pad(x.new_ones(batch, 1, height, width), edges)
    known = functional.interpolate(_parts(known, touched), scale_factor=2)
    painted = level(_parts(functional.pad(x, edges), touched), known)
    painted = painted[..., 2 * _REACH : -2 * _REACH, 2 * _REACH : -2 * _REACH]
    rows, columns = touched.shape[1:]
    out: Tensor = painted.new_zeros(batch, rows, columns, *painted.shape[1:])
    out = out.index_put(touched.nonzero(as_tuple=True), painted)
    out = out.permute(0, 3, 1, 4, 2, 5).reshape(batch, -1, rows * 2 * _TILE, columns * 2 * _TILE)
    return out[..., : 2 * height, : 2 * width]


def _parts(x: Tensor, chosen: Tensor) -> Tensor:
    """Overlapping squares of x, (B, C, H, W), where `chosen`, (B, rows, columns): (N, C, S, S)."""
    side = _TILE + 2 * _REACH
    squares = x.unfold(2, side, _TILE).unfold(3, side, _TILE).permute(0, 2, 3, 1, 4, 5)
    return squares[chosen].contiguous(memory_format=torch.channels_last)
