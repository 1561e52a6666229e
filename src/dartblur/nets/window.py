"""The compact generator: a small U-Net on each face's own window."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

_FULL = 127.5
# Keeps one update of the last layer to about one level.
_GAIN = 16.0
_FINE_CHANNELS = 16
SMALL = -0.5
"""Log size (23 pixels) up to which a change is coarse: no details."""
# Log sizes (23 to 45 pixels) between which details fade in: below, a cell is less than a pixel.
_FADE = (SMALL, 0.5)
# Half a box in halves of its window, but for rounding to pixels.
_BOX = 0.75
# Side of the table that noise is cut from: many more places than faces in any picture.
_TABLE = 512
# Of the table's numbers: they are kept in 8 bits, and more would only make files larger.
_NOISE_STEP = 1 / 32


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

    def __init__(self, inputs: int, outputs: int, factor: int, noise: int) -> None:
        super().__init__()
        self.factor = factor
        # Resized and then convolved: a pixel shuffle leaves a mesh on large faces.
        self.spread = nn.Conv2d(inputs + noise, _FINE_CHANNELS, 3, padding=1)
        self.second = nn.Conv2d(_FINE_CHANNELS, _FINE_CHANNELS, 3, padding=1)
        self.last = nn.Conv2d(_FINE_CHANNELS, outputs, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias if self.last.bias is not None else self.last.weight)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        x = functional.interpolate(x, scale_factor=float(self.factor), mode="bilinear")
        x = functional.leaky_relu(self.spread(torch.cat([x, noise], 1)), 0.2)
        out: Tensor = self.last(functional.leaky_relu(self.second(x), 0.2))
        return out


class WindowGenerator(nn.Module):
    """Paints the change that a blurred face window needs; starts as no change at all.

    size: side of the square window in cells, a multiple of 8. width: channels of the first level.
    channels: 1 changes lightness alone, 3 changes colours. limit: the largest change on the 0 to
    255 scale. detail: cells of the change along each cell of the window; large faces need more
    than the window holds, or a detector learns that faces are smooth. rim: width of the strip
    inside the box's edge in which the change fades out, as a share of half the window, so that it
    makes no seam. noise: channels of noise that it sees beside the face, see `noise_for`: texture
    can be made of it, which is not the person's.
    """

    grid: Tensor
    inside: Tensor
    table: Tensor

    def __init__(
        self,
        size: int = 48,
        width: int = 24,
        channels: int = 1,
        limit: float = 128.0,
        detail: int = 1,
        rim: float = 0.0,
        noise: int = 0,
    ) -> None:
        super().__init__()
        if size % 8 or size <= 0:
            raise ValueError(f"size must be a positive multiple of 8, not {size}")
        if rim < 0 or noise < 0:
            raise ValueError(f"rim ({rim}) and noise ({noise}) must not be negative")
        self.size, self.channels, self.limit = size, channels, limit
        widths = (width, 2 * width, 4 * width, 4 * width)
        self.down = nn.ModuleList(
            _Block(i, o) for i, o in zip((6 + noise, *widths[:-1]), widths, strict=True)
        )
        self.up = nn.ModuleList(_Block(widths[i + 1] + widths[i], widths[i]) for i in range(3))
        self.last = nn.Conv2d(width, channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias if self.last.bias is not None else self.last.weight)
        self.detail = _Detail(width, channels, detail, noise) if detail > 1 else None
        line = _line(size)
        grid = torch.stack([line.expand(size, size), line[:, None].expand(size, size)])
        self.register_buffer("grid", grid[None], persistent=False)
        self.rim, self.noise = rim, noise
        fine = _line(size * detail)
        outwards = torch.maximum(fine.abs()[:, None], fine.abs())
        inside = ((_BOX - outwards) / max(rim, 1e-6)).clamp(0, 1)
        self.register_buffer("inside", inside, persistent=False)
        drawn = np.random.default_rng(0).standard_normal((noise, _TABLE, _TABLE), np.float32)
        table = np.rint(drawn / _NOISE_STEP).clip(-127, 127).astype(np.int8)
        self.register_buffer("table", torch.from_numpy(table).flatten(1), persistent=False)

    def forward(self, windows: Tensor, log_size: Tensor, seed: Tensor) -> Tensor:
        """The change to add, (N, channels, detail · size, detail · size) on the 0 to 255 scale.

        windows: (N, 3, size, size), blurred faces on the 0 to 255 scale. log_size: (N,), the binary
        logarithm of the box's mean side over 32 pixels. seed: (N,) int64, not negative: of each
        face's noise, see `noise_for`.
        """
        return self.head(*self.trunk(windows, log_size, seed), log_size)

    def trunk(
        self, windows: Tensor, log_size: Tensor, seed: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What every window needs: the change in the window's own cells, features and noise."""
        noise = self.noise_for(seed)
        x = windows / _FULL - 1
        grid = self.grid.expand(x.shape[0], -1, -1, -1)
        side = log_size.view(-1, 1, 1, 1).expand(-1, 1, self.size, self.size)
        factor = noise.shape[-1] // self.size
        # Summed and scaled so that its variance is 1 again.
        cells = noise.reshape(x.shape[0], self.noise, self.size, factor, self.size, factor)
        coarse = cells.sum((3, 5)) / factor
        x = torch.cat([x, grid, side, coarse], 1)
        skips = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else functional.max_pool2d(x, 2))
            skips.append(x)
        for i in (2, 1, 0):
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self.up[i](torch.cat([x, skips[i]], 1))
        return self.last(x), x, noise

    def noise_for(self, seed: Tensor) -> Tensor:
        """White noise, (N, noise, detail · size, detail · size): a cut from one fixed table.

        seed: (N,) int64; says where it is cut, so that the same face gets the same noise on every
        machine.
        """
        side = len(self.inside)
        places = _TABLE - side
        corner = (seed % places) * _TABLE + (seed // places) % places
        steps = torch.arange(side, device=seed.device)
        at = corner[:, None] + (steps[:, None] * _TABLE + steps).flatten()
        cut = self.table[:, at].transpose(0, 1).reshape(seed.shape[0], self.noise, side, side)
        return cut.to(self.grid.dtype) * _NOISE_STEP

    def head(self, base: Tensor, features: Tensor, noise: Tensor, log_size: Tensor) -> Tensor:
        """The change of windows of any size, see `trunk`."""
        change = self._spread(base)
        if self.detail is not None:
            change = change + _share(log_size, _FADE) * self.detail(features, noise)
        change = self._limited(change)
        return change * self.inside if self.rim else change

    def head_small(self, base: Tensor, features: Tensor, noise: Tensor, log_size: Tensor) -> Tensor:
        """What `head` is for log sizes up to `SMALL`, at less cost."""
        change = self._limited(self._spread(base))
        return change * self.inside if self.rim else change

    def _spread(self, change: Tensor) -> Tensor:
        if self.detail is None:
            return change
        factor = float(self.detail.factor)
        return functional.interpolate(change, scale_factor=factor, mode="bilinear")

    def _limited(self, change: Tensor) -> Tensor:
        return self.limit * torch.tanh(change * (_GAIN / self.limit))


def _share(log_size: Tensor, between: tuple[float, float]) -> Tensor:
    """How far log sizes, (N,), lie along a range: 0 to 1, (N, 1, 1, 1)."""
    low, high = between
    return ((log_size - low) / (high - low)).clamp(0, 1).view(-1, 1, 1, 1)


def _line(cells: int) -> Tensor:
    """Middles of the cells from -1 to 1."""
    return (torch.arange(cells) + 0.5) / cells * 2 - 1
