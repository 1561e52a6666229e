"""PyramidBox's loss: MultiBox for the face, the head and the body around each face."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dartblur.losses.multibox import MultiBox, Targets
from dartblur.nets.pyramidbox import REGIONS, Raw

_MULTIBOX = MultiBox(negatives=3, box_weight=1.0)


@dataclass(frozen=True)
class PyramidBoxLoss:
    """The sum over regions of weight × MultiBox.

    Nobody labels heads and bodies: they are the face's box, two and four times its size around the
    same middle. An anchor thus predicts the k-th region of a face that is 2ᵏ times smaller than
    itself, which is the paper's label of pyramid anchors. weights: of face, head and body.
    """

    multibox: MultiBox = _MULTIBOX
    weights: tuple[float, float, float] = (1.0, 0.5, 0.5)

    def __call__(self, raw: Raw, targets: Targets) -> Tensor:
        """A scalar; targets as `losses.multibox.pad` makes them."""
        losses = []
        for k, weight in enumerate(self.weights):
            matched = self.multibox.match(raw.anchors, region(targets, k))
            value = self.multibox(raw.logits[:, :, k], raw.offsets[:, :, k], matched)
            losses.append(weight * value)
        return torch.stack(losses).sum()


def region(targets: Targets, k: int) -> Targets:
    """The face's (k = 0), head's (1) or body's (2) boxes, 2ᵏ times as wide and high."""
    if not 0 <= k < len(REGIONS):
        raise ValueError(f"k must be 0 to {len(REGIONS) - 1}, not {k}")
    low, high = targets.boxes[..., :2], targets.boxes[..., 2:]
    reach = (high - low) * ((2**k - 1) / 2)
    return targets._replace(boxes=torch.cat([low - reach, high + reach], -1))
