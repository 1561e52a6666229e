"""YOLOv5 for one class, the face: CSP backbone, SPPF, PAN neck and anchors at three strides."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from dartblur.nets.base import Candidates, DetectorNet

Size = Literal["n", "s"]
STRIDES = (8, 16, 32)
ANCHORS = (
    ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
    ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
    ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
)
"""Width and height in pixels of the three anchors at each stride."""

CLASSES = 1
VALUES = 5 + CLASSES
"""x, y, width, height, objectness, class."""

Raw = list[Tensor]
"""One level each: (B, 3 anchors, rows, columns, 6), before the sigmoid."""

_MULTIPLES: dict[Size, tuple[float, float]] = {"n": (0.33, 0.25), "s": (0.33, 0.50)}
_CHANNELS = (64, 128, 256, 512, 1024)
_REPEATS = (3, 6, 9, 3)
_NECK_REPEATS = 3
_FULL = 255.0


class ConvNorm(nn.Module):
    """Convolution, batch normalization and SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        # Odd kernels keep H and W; the even one, 6, halves them.
        padding = (kernel - 1) // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, ...): new features."""
        return functional.silu(self.norm(self.conv(x)))


class Bottleneck(nn.Module):
    """1 × 1, then 3 × 3, and past both of them where `shortcut`."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.first, self.second = ConvNorm(channels, channels), ConvNorm(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, ...): new features."""
        out: Tensor = self.second(self.first(x))
        return x + out if self.shortcut else out


class CrossStage(nn.Module):
    """C3: half of the channels through bottlenecks, half past them, and both joined."""

    def __init__(self, inputs: int, outputs: int, repeats: int, shortcut: bool) -> None:
        super().__init__()
        half = outputs // 2
        self.through, self.past = ConvNorm(inputs, half), ConvNorm(inputs, half)
        self.blocks = nn.Sequential(*(Bottleneck(half, shortcut) for _ in range(repeats)))
        self.join = ConvNorm(2 * half, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, ...): new features."""
        out: Tensor = self.join(torch.cat([self.blocks(self.through(x)), self.past(x)], 1))
        return out


class PooledPyramid(nn.Module):
    """SPPF: maxima over 5 × 5, 9 × 9 and 13 × 13 places beside the features themselves."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = ConvNorm(channels, channels // 2)
        self.join = ConvNorm(channels // 2 * 4, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, ...): new features."""
        views = [self.narrow(x)]
        for _ in range(3):
            views.append(functional.max_pool2d(views[-1], 5, 1, 2))
        out: Tensor = self.join(torch.cat(views, 1))
        return out


class YoloV5(DetectorNet):
    """The whole detector: `size` "n" or "s"."""

    anchors: Tensor

    def __init__(self, size: Size = "n") -> None:
        super().__init__()
        depth, width = _MULTIPLES[size]
        c1, c2, c3, c4, c5 = (math.ceil(c * width / 8) * 8 for c in _CHANNELS)
        repeats = [max(round(n * depth), 1) for n in _REPEATS]
        again = max(round(_NECK_REPEATS * depth), 1)
        self.stem = ConvNorm(3, c1, 6, 2)
        self.stages = nn.ModuleList(
            nn.Sequential(ConvNorm(i, o, 3, 2), CrossStage(o, o, n, shortcut=True))
            for i, o, n in zip((c1, c2, c3, c4), (c2, c3, c4, c5), repeats, strict=True)
        )
        self.pool = PooledPyramid(c5)
        self.narrow = nn.ModuleList([ConvNorm(c5, c4), ConvNorm(c4, c3)])
        self.up = nn.ModuleList(
            [CrossStage(2 * c4, c4, again, False), CrossStage(2 * c3, c3, again, False)]
        )
        self.halve = nn.ModuleList([ConvNorm(c3, c3, 3, 2), ConvNorm(c4, c4, 3, 2)])
        self.down = nn.ModuleList(
            [CrossStage(2 * c3, c4, again, False), CrossStage(2 * c4, c5, again, False)]
        )
        self.predict = nn.ModuleList(nn.Conv2d(c, 3 * VALUES, 1) for c in (c3, c4, c5))
        self.register_buffer("anchors", torch.tensor(ANCHORS), persistent=False)
        self._begin_unlikely()

    def taps(self, images: Tensor) -> list[Tensor]:
        """The backbone's features at strides 8, 16 and 32."""
        x, taps = self.stem(images / _FULL), []
        for stage in self.stages:
            x = stage(x)
            taps.append(x)
        return [taps[1], taps[2], self.pool(x)]

    def neck(self, taps: list[Tensor]) -> list[Tensor]:
        """Features at strides 8, 16 and 32, each with what the others see."""
        fine, middle, coarse = taps[0], taps[1], self.narrow[0](taps[2])
        middle = self.narrow[1](self.up[0](_raised(coarse, middle)))
        fine = self.up[1](_raised(middle, fine))
        middle = self.down[0](torch.cat([self.halve[0](fine), middle], 1))
        coarse = self.down[1](torch.cat([self.halve[1](middle), coarse], 1))
        return [fine, middle, coarse]

    def heads(self, pyramid: list[Tensor]) -> Raw:
        """Values of every anchor, level by level."""
        levels = zip(self.predict, pyramid, strict=True)
        return [head(x).unflatten(1, (3, VALUES)).permute(0, 1, 3, 4, 2) for head, x in levels]

    def candidates(self, raw: Raw) -> Candidates:
        """Every box; its score is objectness × class."""
        boxes, scores = [], []
        for level, anchors, stride in zip(raw, self.anchors, STRIDES, strict=True):
            rows, columns = level.shape[2:4]
            y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
            centre, side = decode(level, anchors[:, None, None])
            centre = (centre + torch.stack([x, y], -1).to(centre)) * stride
            boxes.append(torch.cat([centre - side / 2, centre + side / 2], -1).flatten(1, 3))
            scores.append(level[..., 4:].sigmoid().prod(-1).flatten(1))
        return Candidates(torch.cat(boxes, 1), torch.cat(scores, 1))

    def blocks(self) -> list[str]:
        """See `DetectorNet`."""
        return ["stem.", *(f"stages.{i}." for i in range(len(self.stages)))]

    def _begin_unlikely(self) -> None:
        """Starts with about eight objects in a picture of 640 pixels, each surely a face."""
        for head, stride in zip(self.predict, STRIDES, strict=True):
            assert isinstance(head, nn.Conv2d)
            assert head.bias is not None
            with torch.no_grad():
                bias = head.bias.view(3, VALUES)
                bias[:, 4] = math.log(8 / (640 / stride) ** 2)
                bias[:, 5:] = math.log(0.99 / 0.01)


def decode(values: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
    """Centre, in cells from the cell's own corner, −0.5 to 1.5, and sides, 0 to 4 anchors.

    values: (..., 4 or more) before the sigmoid. anchors: (..., 2); sides come in their unit.
    """
    centre = values[..., :2].sigmoid() * 2 - 0.5
    return centre, (values[..., 2:4].sigmoid() * 2) ** 2 * anchors


def _raised(coarse: Tensor, fine: Tensor) -> Tensor:
    return torch.cat([functional.interpolate(coarse, fine.shape[-2:], mode="nearest"), fine], 1)
