"""RetinaFace at work in torch: one training step, its schedule, and finding faces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dartblur import boxes as boxlib
from dartblur.datasets.crops import Image
from dartblur.faces import Faces
from dartblur.losses.multibox import MultiBox, Targets
from dartblur.nets.anchors import anchors, decode
from dartblur.nets.retinaface import RetinaFace

Example = tuple[Tensor, Targets]


@dataclass(frozen=True)
class Schedule:
    """Learning rate over a training of `steps`: warm-up, then a cosine down to 0."""

    rate: float
    steps: int
    warm_up: int = 50

    def at(self, step: int) -> float:
        """The rate of step 0, 1, ..."""
        warm = min(1.0, (step + 1) / max(self.warm_up, 1))
        return self.rate * warm * 0.5 * (1 + math.cos(math.pi * min(step / self.steps, 1)))


def detector_step(
    net: RetinaFace,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    targets: Targets,
    loss: MultiBox,
    clip: float,
) -> Tensor:
    """One update of a detector on a batch, and the loss before it (L_det(f_g(g(x, b)), y)).

    images: (B, 3, H, W) float RGB on the 0 to 255 scale. clip: largest norm of the gradient.
    """
    net.train()
    value = detection_loss(net, images, targets, loss)
    optimizer.zero_grad(set_to_none=True)
    value.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
    optimizer.step()
    return value.detach()


def detection_loss(net: RetinaFace, images: Tensor, targets: Targets, loss: MultiBox) -> Tensor:
    """The loss of `net` on a batch."""
    priors = anchors(*images.shape[-2:]).to(images.device)
    raw = net(images)
    return loss(raw.logits, raw.offsets, loss.match(priors, targets))


@torch.no_grad()
def detect(
    net: RetinaFace, images: Tensor, threshold: float = 0.01, overlap: float = 0.4
) -> list[Faces]:
    """The faces of each picture, best score first, in evaluation mode.

    images: (B, 3, H, W) float RGB on the 0 to 255 scale. threshold: least score (a probability).
    overlap: non-maximum suppression.
    """
    net.eval()
    raw = net(images)
    scores = raw.logits.softmax(-1)[..., 1]
    boxes = decode(raw.offsets, anchors(*images.shape[-2:]).to(images.device))
    found = []
    for score, box in zip(scores, boxes, strict=True):
        keep = score >= threshold
        s, b = score[keep].cpu().numpy(), box[keep].cpu().numpy()
        order = boxlib.nms(b, s, overlap)
        found.append(Faces(b[order], np.clip(s[order], 0, 1)))
    return found


def to_tensor(images: Sequence[Image]) -> Tensor:
    """(H, W, 3) uint8 pictures of one size → (B, 3, H, W) float, channels last in memory."""
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return stacked.float().contiguous(memory_format=torch.channels_last)
