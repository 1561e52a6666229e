"""The compact generator: a small U-Net on each face's own window."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_FULL = 127.5
# Keeps one update of the last layer to about one level.
_GAIN = 16.0
_FINE_CHANNELS = 16
SMALL = -0.5
"""Log size (23 pixels) up to which a change is coarse: no details, and nothing to smooth."""
# Log sizes (23 to 45 pixels) between which details fade in: below, a cell is less than a pixel.
_FADE = (SMALL, 0.5)
# Log sizes (23 to 64 pixels) between which smoothing sets in: a small face is soft as it is.
_SMOOTHED = (SMALL, 1.0)
# And those (91 to 181 pixels) in which it doubles: the larger a face, the more a person sees of it.
_DOUBLED = (1.5, 2.5)
# σ in cells that stands for no smoothing: 0 cannot be divided by.
_NONE = 0.1
# Half a box in halves of its window, but for rounding to pixels.
_BOX = 0.75


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.leaky_relu(self.first(x), 0.2)
        return functional.leaky_relu(self.second(x), 0.2)


class _Detail(nn.Module):
    """What lies between the cells: a blurred face has nothing there to see, a clear one has."""

    def __init__(self, inputs: int, outputs: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.spread = nn.Conv2d(inputs, _FINE_CHANNELS * factor**2, 3, padding=1)
        self.second = nn.Conv2d(_FINE_CHANNELS, _FINE_CHANNELS, 3, padding=1)
        self.last = nn.Conv2d(_FINE_CHANNELS, outputs, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias if self.last.bias is not None else self.last.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pixel_shuffle(functional.leaky_relu(self.spread(x), 0.2), self.factor)
        out: Tensor = self.last(functional.leaky_relu(self.second(x), 0.2))
        return out


class WindowGenerator(nn.Module):
    """Paints the change that a blurred face window needs; starts as no change at all.

    size: side of the square window in cells, a multiple of 8. width: channels of the first level.
    channels: 1 changes lightness alone, 3 changes colours. limit: the largest change on the 0 to
    255 scale. detail: cells of the change along each cell of the window; large faces need more
    than the window holds, or a detector learns that faces are smooth. softness: σ of the smoothing
    of the change at 64 pixels, as a share of the face's side, so that a large face reads as a
    blurred one; twice that at 181 pixels, and a small face is left as it is. texture: most that the
    smoothing leaves at 64 pixels of what is finer, on the 0 to 255 scale: too faint for a person to
    read a face from, and enough for a detector not to learn that large faces are smooth; it falls
    to texture² / limit at 181 pixels, where a mesh of cells would show. rim: width of the strip
    inside the box's edge in which the change fades out, as a share of half the window, so that it
    makes no seam.
    """

    grid: Tensor
    apart: Tensor
    inside: Tensor

    def __init__(
        self,
        size: int = 48,
        width: int = 24,
        channels: int = 1,
        limit: float = 128.0,
        detail: int = 1,
        softness: float = 0.0,
        texture: float = 0.0,
        rim: float = 0.0,
    ) -> None:
        super().__init__()
        if size % 8 or size <= 0:
            raise ValueError(f"size must be a positive multiple of 8, not {size}")
        if softness < 0 or rim < 0 or not 0 <= texture <= limit:
            raise ValueError(
                f"softness ({softness}) and rim ({rim}) must not be negative, "
                f"and texture ({texture}) must lie within 0 and limit ({limit})"
            )
        self.size, self.channels, self.limit = size, channels, limit
        widths = (width, 2 * width, 4 * width, 4 * width)
        self.down = nn.ModuleList(
            _Block(i, o) for i, o in zip((6, *widths[:-1]), widths, strict=True)
        )
        self.up = nn.ModuleList(_Block(widths[i + 1] + widths[i], widths[i]) for i in range(3))
        self.last = nn.Conv2d(width, channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias if self.last.bias is not None else self.last.weight)
        self.detail = _Detail(width, channels, detail) if detail > 1 else None
        line = _line(size)
        grid = torch.stack([line.expand(size, size), line[:, None].expand(size, size)])
        self.register_buffer("grid", grid[None], persistent=False)
        self.softness, self.texture, self.rim = softness, texture, rim
        fine = _line(size * detail)
        self.register_buffer("apart", (fine[:, None] - fine).square(), persistent=False)
        outwards = torch.maximum(fine.abs()[:, None], fine.abs())
        inside = ((_BOX - outwards) / max(rim, 1e-6)).clamp(0, 1)
        self.register_buffer("inside", inside, persistent=False)

    def forward(self, windows: Tensor, log_size: Tensor) -> Tensor:
        """The change to add, (N, channels, detail · size, detail · size) on the 0 to 255 scale.

        windows: (N, 3, size, size), blurred faces on the 0 to 255 scale. log_size: (N,), the binary
        logarithm of the box's mean side over 32 pixels.
        """
        return self.head(*self.trunk(windows, log_size), log_size)

    def trunk(self, windows: Tensor, log_size: Tensor) -> tuple[Tensor, Tensor]:
        """What every window needs: the change in the window's own cells, and features for more."""
        x = windows / _FULL - 1
        grid = self.grid.expand(x.shape[0], -1, -1, -1)
        side = log_size.view(-1, 1, 1, 1).expand(-1, 1, self.size, self.size)
        x = torch.cat([x, grid, side], 1)
        skips = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else functional.max_pool2d(x, 2))
            skips.append(x)
        for i in (2, 1, 0):
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self.up[i](torch.cat([x, skips[i]], 1))
        return self.last(x), x

    def head(self, begun: Tensor, features: Tensor, log_size: Tensor) -> Tensor:
        """The change of windows of any size, see `trunk`."""
        change = self._spread(begun)
        if self.detail is not None:
            change = change + _share(log_size, _FADE) * self.detail(features)
        change = self._limited(change)
        if self.softness:
            change = self._smoothed(change, log_size)
        return change * self.inside if self.rim else change

    def head_small(self, begun: Tensor, features: Tensor, log_size: Tensor) -> Tensor:
        """What `head` is for log sizes up to `SMALL`, at less cost."""
        change = self._limited(self._spread(begun))
        return change * self.inside if self.rim else change

    def _spread(self, change: Tensor) -> Tensor:
        if self.detail is None:
            return change
        factor = float(self.detail.factor)
        return functional.interpolate(change, scale_factor=factor, mode="bilinear")

    def _limited(self, change: Tensor) -> Tensor:
        return self.limit * torch.tanh(change * (_GAIN / self.limit))

    def _smoothed(self, change: Tensor, log_size: Tensor) -> Tensor:
        share = _share(log_size, _SMOOTHED) + _share(log_size, _DOUBLED)
        cell = 2 / self.apart.shape[0]
        sigma = (share * self.softness * 2 * _BOX).clamp(min=_NONE * cell)
        blur = torch.exp(-self.apart / (2 * sigma.square()))
        blur = blur / blur.sum(-1, keepdim=True)
        smooth = blur @ change @ blur.transpose(-1, -2)
        if not self.texture:
            return smooth
        most = self.limit * (self.texture / self.limit) ** share
        return smooth + most * torch.tanh((change - smooth) / most)


def _share(log_size: Tensor, between: tuple[float, float]) -> Tensor:
    """How far log sizes, (N,), lie along a range: 0 to 1, (N, 1, 1, 1)."""
    low, high = between
    return ((log_size - low) / (high - low)).clamp(0, 1).view(-1, 1, 1, 1)


def _line(cells: int) -> Tensor:
    """Middles of the cells from -1 to 1."""
    return (torch.arange(cells) + 0.5) / cells * 2 - 1
