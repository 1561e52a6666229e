"""PyramidBox: a VGG16 with low-level features joined, wide context, and faces, heads and bodies.

Tang et al., "PyramidBox: A Context-assisted Single Shot Face Detector", 2018. Batch normalization
is ours: the paper starts from a VGG16 that learned ImageNet, this one from nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from dartblur.nets.anchors import decode
from dartblur.nets.base import Candidates, DetectorNet
from dartblur.nets.retinaface import MEAN, ConvNorm

STRIDES = (4, 8, 16, 32, 64, 128)
REGIONS = ("face", "head", "body")
"""The regions around a face that an anchor predicts: 1, 2 and 4 times its size."""

_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
_BRIDGE = (1024, 1024)
_EXTRA = ((256, 512), (128, 256))
_TAPS = (256, 512, 512, 1024, 512, 256)
_SCALES = (10.0, 8.0, 5.0)
_SIDE_OVER_STRIDE = 4
_WAYS = 4
_OUTPUTS = _WAYS + 2 * 2 + 3 * 4


class Raw(NamedTuple):
    """What the heads say about the face, head and body around each of A anchors."""

    logits: Tensor  # (B, A, 3, 2): background, region
    offsets: Tensor  # (B, A, 3, 4)
    anchors: Tensor  # (A, 4) centre and sides in pixels


class Normalized(nn.Module):
    """Features of length 1 at every place, times a learned scale of each channel."""

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels, 1, 1), scale))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, ...): new features."""
        return self.scale * functional.normalize(x, dim=1)


class Join(nn.Module):
    """LFPN: coarse features, brought to the size of finer ones, times those."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.coarse = ConvNorm(coarse, fine, 1, slope=0.0)
        self.fine = ConvNorm(fine, fine, 1, slope=0.0)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """(B, coarse, h, w) and (B, fine, H, W) → (B, fine, H, W)."""
        size = fine.shape[-2:]
        raised = functional.interpolate(self.coarse(coarse), size, mode="bilinear")
        joined: Tensor = raised * self.fine(fine)
        return joined


class Context(nn.Module):
    """CPM: a residual block as in DSSD, then views of 3 × 3, 5 × 5 and 7 × 7 as in SSH."""

    def __init__(self, inputs: int, wide: int, middle: int, narrow: int) -> None:
        super().__init__()
        self.shortcut = ConvNorm(inputs, wide, 1, slope=None)
        self.residual = nn.Sequential(
            ConvNorm(inputs, middle, 1, slope=0.0),
            ConvNorm(middle, middle, 3, slope=0.0),
            ConvNorm(middle, wide, 1, slope=None),
        )
        self.view3 = ConvNorm(wide, middle, 3, slope=None)
        self.stem5 = ConvNorm(wide, narrow, 3, slope=0.0)
        self.view5 = ConvNorm(narrow, narrow, 3, slope=None)
        self.stem7 = ConvNorm(narrow, narrow, 3, slope=0.0)
        self.view7 = ConvNorm(narrow, narrow, 3, slope=None)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, ...): new features."""
        x = functional.relu(self.shortcut(x) + self.residual(x))
        five = self.stem5(x)
        views = self.view3(x), self.view5(five), self.view7(self.stem7(five))
        return functional.relu(torch.cat(views, 1))


class PyramidBox(DetectorNet):
    """The whole detector; `width` scales every layer's channels, in steps of 8."""

    mean: Tensor

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()

        def scaled(channels: int) -> int:
            return max(8, round(channels * width / 8) * 8)

        self.stages = nn.ModuleList()
        inputs = 3
        for stage in _STAGES:
            self.stages.append(_chain(inputs, [scaled(c) for c in stage]))
            inputs = scaled(stage[-1])
        self.bridge = nn.Sequential(
            ConvNorm(inputs, scaled(_BRIDGE[0]), 3, slope=0.0),
            ConvNorm(scaled(_BRIDGE[0]), scaled(_BRIDGE[1]), 1, slope=0.0),
        )
        inputs = scaled(_BRIDGE[1])
        self.extra = nn.ModuleList()
        for narrow, wide in _EXTRA:
            first = ConvNorm(inputs, scaled(narrow), 1, slope=0.0)
            second = ConvNorm(scaled(narrow), scaled(wide), 3, stride=2, slope=0.0)
            self.extra.append(nn.Sequential(first, second))
            inputs = scaled(wide)
        taps = [scaled(c) for c in _TAPS]
        self.join = nn.ModuleList(Join(taps[i + 1], taps[i]) for i in range(3))
        self.normalized = nn.ModuleList(Normalized(taps[i], s) for i, s in enumerate(_SCALES))
        sizes = scaled(1024), scaled(256), scaled(128)
        self.context = nn.ModuleList(Context(c, *sizes) for c in taps)
        seen = sizes[1] + 2 * sizes[2]
        self.predict = nn.ModuleList(nn.Conv2d(seen, _OUTPUTS, 3, padding=1) for _ in taps)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)

    def taps(self, images: Tensor) -> list[Tensor]:
        """Features at strides 4 to 128, before they are joined."""
        x, taps = images - self.mean, []
        for i, stage in enumerate(self.stages):
            x = stage(x if i == 0 else _halved(x))
            taps.append(x)
        coarse = [self.bridge(_halved(x))]
        for extra in self.extra:
            coarse.append(extra(coarse[-1]))
        return [*taps[2:], *coarse]

    def neck(self, taps: list[Tensor]) -> list[Tensor]:
        """Features at strides 4 to 128, before the heads."""
        fine, coarse = taps[:3], taps[3:]
        above = coarse[0]
        for i in (2, 1, 0):
            above = self.join[i](above, fine[i])
            fine[i] = self.normalized[i](above)
        levels = [*fine, *coarse]
        return [context(level) for context, level in zip(self.context, levels, strict=True)]

    def heads(self, pyramid: list[Tensor]) -> Raw:
        """Logits and offsets of every anchor's face, head and body."""
        levels = [head(x) for head, x in zip(self.predict, pyramid, strict=True)]
        flat = [level.permute(0, 2, 3, 1).flatten(1, 2) for level in levels]  # (B, cells, 20)
        faces = torch.cat([max_in_out(f[..., :_WAYS], i == 0) for i, f in enumerate(flat)], 1)
        rest = torch.cat([f[..., _WAYS:] for f in flat], 1)
        around = rest[..., :4].reshape(*rest.shape[:2], 2, 2)
        logits = torch.cat([faces[:, :, None], around], 2)
        offsets = rest[..., 4:].reshape(*rest.shape[:2], 3, 4)
        return Raw(logits, offsets, anchors([level.shape[-2:] for level in levels]).to(pyramid[0]))

    def candidates(self, raw: Raw) -> Candidates:
        """The faces alone; heads and bodies only help to learn."""
        boxes = decode(raw.offsets[:, :, 0], raw.anchors)
        return Candidates(boxes, raw.logits[:, :, 0].softmax(-1)[..., 1])

    def blocks(self) -> list[str]:
        """See `DetectorNet`."""
        return [f"stages.{i}." for i in range(len(self.stages))]


def max_in_out(ways: Tensor, finest: bool) -> Tensor:
    """Background and face logits from four: (..., 4) → (..., 2).

    The finest level has many false faces, so the largest of three decides for background there; at
    the others the largest of three decides for a face.
    """
    split = 3 if finest else 1
    return torch.stack([ways[..., :split].amax(-1), ways[..., split:].amax(-1)], -1)


def anchors(shapes: list[torch.Size]) -> Tensor:
    """(A, 4) float: one square in each cell, four strides wide; level by level, row by row."""
    levels = []
    for stride, (rows, columns) in zip(STRIDES, shapes, strict=True):
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        centre = (torch.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride
        side = torch.full_like(centre, _SIDE_OVER_STRIDE * stride)
        levels.append(torch.cat([centre, side], -1))
    return torch.cat(levels)


def _chain(inputs: int, channels: list[int]) -> nn.Sequential:
    steps = zip([inputs, *channels], channels, strict=False)
    return nn.Sequential(*(ConvNorm(i, o, 3, slope=0.0) for i, o in steps))


def _halved(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 2, ceil_mode=True)
