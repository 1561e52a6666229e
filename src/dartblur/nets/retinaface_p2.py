"""RetinaFace with a level of stride 4 for faces of 6 to 16 pixels, and without landmarks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from dartblur.nets.anchors import SIZES, STRIDES, anchors
from dartblur.nets.retinaface import TAPS, ConvNorm, Raw, RetinaFace, Separable, flatten

ALL_STRIDES = (4, *STRIDES)
ALL_SIZES = ((10,), *SIZES)
_TAP, _TAP_WIDTH, _WIDTH, _COARSER = 3, 32, 32, 64


class RetinaFaceP2(RetinaFace):
    """429,178 parameters: backbone and coarser levels as in `RetinaFace`, so that f's values fit.

    The fine level is light: separable convolutions of 32 channels, where a full context module
    would cost as much as the rest of the network.
    """

    def __init__(self) -> None:
        super().__init__()
        del self.landmarks
        self.fine_lateral = ConvNorm(_TAP_WIDTH, _WIDTH, 1)
        self.fine_coarser = ConvNorm(_COARSER, _WIDTH, 1)
        self.fine_context = nn.ModuleList(Separable(_WIDTH, _WIDTH, 1) for _ in range(2))
        self.fine_score = nn.Conv2d(2 * _WIDTH, 2 * len(ALL_SIZES[0]), 1)
        self.fine_box = nn.Conv2d(2 * _WIDTH, 4 * len(ALL_SIZES[0]), 1)

    def taps(self, images: Tensor) -> list[Tensor]:
        """The backbone's features at strides 4, 8, 16, 32: (B, 32 / 64 / 128 / 256, ...)."""
        x, taps = images - self.mean, []
        for i, block in enumerate(self.backbone):
            x = block(x)
            if i == _TAP or i in TAPS:
                taps.append(x)
        return taps

    def neck(self, taps: list[Tensor]) -> list[Tensor]:
        """Features before the heads at strides 4, 8, 16, 32; 64 channels each."""
        coarser = super().neck(taps[1:])
        raised = functional.interpolate(
            self.fine_coarser(coarser[0]), size=taps[0].shape[-2:], mode="nearest"
        )
        near = self.fine_context[0](self.fine_lateral(taps[0]) + raised)
        return [torch.cat([near, self.fine_context[1](near)], 1), *coarser]

    def heads(self, pyramid: list[Tensor]) -> Raw:
        """Logits and box offsets of every anchor; no landmarks."""
        scores, boxes = zip(*self.predictors(), strict=True)
        shapes = tuple((level.shape[-2], level.shape[-1]) for level in pyramid)
        priors = anchors(shapes, ALL_STRIDES, ALL_SIZES).to(pyramid[0].device)
        logits, offsets = flatten(scores, pyramid, 2), flatten(boxes, pyramid, 4)
        return Raw(logits, offsets, offsets[:, :0], priors)

    def predictors(self) -> list[tuple[nn.Module, nn.Module]]:
        """What makes scores and box values of each level, finest first."""
        scores, boxes = [self.fine_score, *self.scores], [self.fine_box, *self.boxes]
        return list(zip(scores, boxes, strict=True))
