"""The detectors that train, one kind as good as another: made, measured, asked for faces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from dartblur.faces import Faces
from dartblur.losses.multibox import Matched, MultiBox, Targets
from dartblur.losses.pyramidbox import PyramidBoxLoss
from dartblur.losses.yolov5 import YoloLoss
from dartblur.nets.base import DetectorNet, Raw, faces_among
from dartblur.nets.pyramidbox import PyramidBox
from dartblur.nets.retinaface import Raw as RetinaFaceRaw
from dartblur.nets.retinaface import RetinaFace
from dartblur.nets.retinaface_p2 import RetinaFaceP2
from dartblur.nets.yolov5 import YoloV5

Loss = Callable[[Raw], Tensor]
"""L_det(·, targets): what the heads say → a scalar."""

PRETRAINED = "retinaface"
"""The family of f, whose backbone and whose trained values are at hand."""


@dataclass(frozen=True)
class Family:
    """A kind of detector.

    make: an untrained network; its values depend on torch's seed alone. against: the detector's own
    loss with targets and label smoothing put in; anchors get their faces once for all passes over
    pictures of one size. most: candidates that enter non-maximum suppression, None for all.
    """

    make: Callable[[], DetectorNet]
    against: Callable[[Targets, float], Loss]
    most: int | None = 3000

    @torch.no_grad()
    def detect(
        self, net: DetectorNet, images: Tensor, threshold: float = 0.01, overlap: float = 0.4
    ) -> list[Faces]:
        """The faces of each picture, best score first, in evaluation mode.

        images: (B, 3, H, W) float RGB on the 0 to 255 scale. threshold: least score (a
        probability). overlap: of non-maximum suppression.
        """
        net.eval()
        return faces_among(net.candidates(net(images)), threshold, overlap, self.most)


def seeded(family: Family, seed: int, values: Mapping[str, Tensor]) -> DetectorNet:
    """A network before its training: seeded, but for `values` by name."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = family.make()
    net.load_state_dict({**net.state_dict(), **values})
    return net


def backbone_of(net: DetectorNet) -> dict[str, Tensor]:
    """The values of a network's backbone alone, by name."""
    blocks = tuple(net.blocks())
    return {name: value for name, value in net.state_dict().items() if name.startswith(blocks)}


def _multibox(targets: Targets, smoothing: float) -> Loss:
    return _Matched(MultiBox(smoothing=smoothing), targets)


class _Matched:
    """MultiBox against targets that its anchors are matched to in the first pass."""

    def __init__(self, multibox: MultiBox, targets: Targets) -> None:
        self.multibox, self.targets = multibox, targets
        self.matched: Matched | None = None

    def __call__(self, raw: RetinaFaceRaw) -> Tensor:
        """See `Loss`."""
        if self.matched is None:
            self.matched = self.multibox.match(raw.anchors, self.targets)
        return self.multibox(raw.logits, raw.offsets, self.matched)


def _pyramidbox(targets: Targets, smoothing: float) -> Loss:
    whole = PyramidBoxLoss()
    loss = replace(whole, multibox=replace(whole.multibox, smoothing=smoothing))
    return lambda raw: loss(raw, targets)


def _yolo(targets: Targets, smoothing: float) -> Loss:
    loss = YoloLoss(smoothing=smoothing)
    return lambda raw: loss(raw, targets)


FAMILIES: dict[str, Family] = {
    PRETRAINED: Family(RetinaFace, _multibox, most=None),
    "retinaface-p2": Family(RetinaFaceP2, _multibox),
    "pyramidbox": Family(PyramidBox, _pyramidbox),
    "pyramidbox-small": Family(partial(PyramidBox, 0.125), _pyramidbox),
    "yolov5n": Family(partial(YoloV5, "n"), _yolo),
    "yolov5s": Family(partial(YoloV5, "s"), _yolo),
}
