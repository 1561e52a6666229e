"""RetinaFace with MobileNet-0.25: the detector that is f, f_g and the judge of the benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from dartblur.nets.anchors import anchors, decode
from dartblur.nets.base import Candidates, DetectorNet

MEAN = (104.0, 117.0, 123.0)
"""Subtracted from R, G and B in that order, on the 0 to 255 scale."""

_WIDTHS = (8, 16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256)
_STRIDES = (2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
TAPS = (5, 11, 13)
_SHALLOW = (0, 1, 3)
_WIDTH = 64
_ANCHORS = 2
_SLOPE = 0.1


class Raw(NamedTuple):
    """What the heads say about each of A anchors, in the order of `nets.anchors.anchors`."""

    logits: Tensor  # (B, A, 2): background, face
    offsets: Tensor  # (B, A, 4)
    landmarks: Tensor  # (B, A, 10)
    anchors: Tensor  # (A, 4) centre and sides in pixels


class ConvNorm(nn.Module):
    """Convolution, batch normalization and, unless `slope` is None, a leaky ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        slope: float | None = _SLOPE,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(outputs)
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C', H / stride, W / stride)."""
        x = self.norm(self.conv(x))
        return x if self.slope is None else functional.leaky_relu(x, self.slope)


class Separable(nn.Module):
    """Depthwise 3 × 3, then pointwise."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.depthwise = ConvNorm(inputs, inputs, 3, stride, groups=inputs)
        self.pointwise = ConvNorm(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C', H / stride, W / stride)."""
        out: Tensor = self.pointwise(self.depthwise(x))
        return out


class Context(nn.Module):
    """SSH: views of 3 × 3, 5 × 5 and 7 × 7 side by side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half, quarter = width // 2, width // 4
        self.view3 = ConvNorm(width, half, 3, slope=None)
        self.stem5 = ConvNorm(width, quarter, 3)
        self.view5 = ConvNorm(quarter, quarter, 3, slope=None)
        self.stem7 = ConvNorm(quarter, quarter, 3)
        self.view7 = ConvNorm(quarter, quarter, 3, slope=None)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C', H / stride, W / stride)."""
        five = self.stem5(x)
        return functional.relu(
            torch.cat([self.view3(x), self.view5(five), self.view7(self.stem7(five))], 1)
        )


class RetinaFace(DetectorNet):
    """The whole detector: 426,608 parameters; strides 8, 16 and 32."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        first = ConvNorm(3, _WIDTHS[0], 3, _STRIDES[0])
        steps = zip(_WIDTHS[:-1], _WIDTHS[1:], _STRIDES[1:], strict=True)
        self.backbone = nn.ModuleList([first, *(Separable(*step) for step in steps)])
        self.lateral = nn.ModuleList(ConvNorm(_WIDTHS[tap], _WIDTH, 1) for tap in TAPS)
        self.merge = nn.ModuleList(ConvNorm(_WIDTH, _WIDTH, 3) for _ in TAPS[:-1])
        self.context = nn.ModuleList(Context(_WIDTH) for _ in TAPS)
        self.scores = nn.ModuleList(nn.Conv2d(_WIDTH, 2 * _ANCHORS, 1) for _ in TAPS)
        self.boxes = nn.ModuleList(nn.Conv2d(_WIDTH, 4 * _ANCHORS, 1) for _ in TAPS)
        self.landmarks = nn.ModuleList(nn.Conv2d(_WIDTH, 10 * _ANCHORS, 1) for _ in TAPS)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)

    def taps(self, images: Tensor) -> list[Tensor]:
        """The backbone's features at strides 8, 16, 32: (B, 64 / 128 / 256, ...)."""
        x, taps = images - self.mean, []
        for i, block in enumerate(self.backbone):
            x = block(x)
            if i in TAPS:
                taps.append(x)
        return taps

    def shallow(self, images: Tensor) -> list[Tensor]:
        """The first features, which tell texture: 8, 16 and 32 channels at strides 2, 2 and 4."""
        x, seen = images - self.mean, []
        for i, block in enumerate(self.backbone[: _SHALLOW[-1] + 1]):
            x = block(x)
            if i in _SHALLOW:
                seen.append(x)
        return seen

    def neck(self, taps: list[Tensor]) -> list[Tensor]:
        """Features before the heads at strides 8, 16, 32: (B, 64, H / stride, W / stride) each."""
        fine, middle, coarse = (
            lateral(tap) for lateral, tap in zip(self.lateral, taps, strict=True)
        )
        up = functional.interpolate(coarse, size=middle.shape[-2:], mode="nearest")
        middle = self.merge[1](middle + up)
        up = functional.interpolate(middle, size=fine.shape[-2:], mode="nearest")
        fine = self.merge[0](fine + up)
        levels = (fine, middle, coarse)
        return [context(level) for context, level in zip(self.context, levels, strict=True)]

    def heads(self, pyramid: list[Tensor]) -> Raw:
        """Logits, box offsets and landmark offsets of every anchor."""
        # Sides that are no multiple of a stride have a last cell that reaches beyond the picture.
        priors = anchors(tuple((level.shape[-2], level.shape[-1]) for level in pyramid))
        return Raw(
            flatten(self.scores, pyramid, 2),
            flatten(self.boxes, pyramid, 4),
            flatten(self.landmarks, pyramid, 10),
            priors.to(pyramid[0].device),
        )

    def candidates(self, raw: Raw) -> Candidates:
        """Every anchor's box; its score is the probability of a face."""
        return Candidates(decode(raw.offsets, raw.anchors), raw.logits.softmax(-1)[..., 1])

    def blocks(self) -> list[str]:
        """See `DetectorNet`."""
        return [f"backbone.{i}." for i in range(len(self.backbone))]


def flatten(heads: Iterable[nn.Module], pyramid: list[Tensor], values: int) -> Tensor:
    """What the heads of all levels say, (B, A, values), in the order of the anchors."""
    parts = [
        head(level).permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, values))
        for head, level in zip(heads, pyramid, strict=True)
    ]
    return torch.cat(parts, 1)
