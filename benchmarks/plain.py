"""Algorithm 1 the straightforward way: what the package is timed beside and tested against.

Targets are matched picture by picture and face by face, the inner step works on a deep copy of f_g
as `higher` made one, and every loss has a forward pass of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from dartblur.faces import Faces
from dartblur.losses.multibox import Targets
from dartblur.nets.anchors import corners, encode
from dartblur.nets.pyramidbox import Raw as PyramidBoxRaw
from dartblur.nets.retinaface import Raw as RetinaFaceRaw

PlainLoss = Callable[[Any, Sequence[Faces]], Tensor]
NAMES = ("review", "operational", "posthoc", "cycle")


def losses_of(
    names: Iterable[str],
    composite: Callable[[], tuple[Tensor, Tensor]],
    f: nn.Module,
    f_g: nn.Module,
    loss: PlainLoss,
    clear: Tensor,
    found: Sequence[Faces],
    labels: Sequence[Faces],
    rate: float,
    margin: float,
    clip: float,
    adam: torch.optim.Adam | None,
) -> dict[str, Tensor]:
    """The paper's losses of g by name; f(x) is `found`, y is `labels`.

    composite: makes g(x, b) and its change in the face pixels. loss: L_det of f and of f_g. adam:
    of f_g, whose next step the inner step is; None for θ − rate · slope. clip: largest norm of the
    slopes of all parameters together.
    """
    values = {}
    for name in names:
        image, change = composite()
        if name == "review":
            away = functional.smooth_l1_loss(change, torch.zeros_like(change))
            values[name] = functional.relu(away - margin)
        elif name == "operational":
            values[name] = loss(f(image), found)
        elif name == "posthoc":
            values[name] = loss(f_g(image), found)
        else:
            clone = copy.deepcopy(f_g)
            theta = dict(clone.named_parameters())
            inner = loss(functional_call(clone, theta, (image,)), labels)
            slopes = torch.autograd.grad(
                inner, list(theta.values()), create_graph=True, allow_unused=True
            )
            norm = torch.stack([s.square().sum() for s in slopes if s is not None]).sum().sqrt()
            slopes = [s if s is None else s * torch.clamp(clip / norm, max=1) for s in slopes]
            stepped = {}
            for (key, value), slope, own in zip(
                theta.items(), slopes, f_g.parameters(), strict=True
            ):
                if slope is None:
                    stepped[key] = value
                elif adam is None:
                    stepped[key] = value - rate * slope
                else:
                    stepped[key] = value - rate * _adam(adam.state.get(own, {}), slope)
            values[name] = loss(functional_call(clone, stepped, (clear,)), found)
    return values


def _adam(held: dict[str, Any], slope: Tensor) -> Tensor:
    """Adam's direction as its paper has it, by betas 0.9 and 0.999."""
    zero, step = torch.zeros_like(slope), int(held.get("step", 0)) + 1
    mean = 0.9 * held.get("exp_avg", zero) + 0.1 * slope
    square = 0.999 * held.get("exp_avg_sq", zero) + 0.001 * slope.square()
    root = (square / (1 - 0.999**step) + 1e-16).sqrt()
    return mean / (1 - 0.9**step) / (root + 1e-8)


def retinaface_loss(raw: RetinaFaceRaw, faces: Sequence[Faces]) -> Tensor:
    """RetinaFace's L_det."""
    return multibox(raw.logits, raw.offsets, raw.anchors, faces, negatives=7, box_weight=2.0)


def pyramidbox_loss(raw: PyramidBoxRaw, faces: Sequence[Faces]) -> Tensor:
    """PyramidBox's L_det: of faces, and by half of what is two and four times as large."""
    total = raw.logits.new_zeros(())
    for k, weight in enumerate((1.0, 0.5, 0.5)):
        around = []
        for f in faces:
            reach = (f.boxes[:, 2:] - f.boxes[:, :2]) * (2**k - 1) / 2
            boxes = f.boxes.copy()
            boxes[:, :2] -= reach
            boxes[:, 2:] += reach
            around.append(f.with_boxes(boxes))
        logits, offsets = raw.logits[:, :, k], raw.offsets[:, :, k]
        loss = multibox(logits, offsets, raw.anchors, around, negatives=3, box_weight=1.0)
        total = total + weight * loss
    return total


def multibox(
    logits: Tensor,
    offsets: Tensor,
    priors: Tensor,
    faces: Sequence[Faces],
    negatives: int,
    box_weight: float,
) -> Tensor:
    """MultiBox, one picture and one face after another."""
    loss, positives = logits.new_zeros(()), 0
    for said, moved, f in zip(logits, offsets, faces, strict=True):
        label = torch.zeros(len(priors), dtype=torch.long)
        wanted = torch.zeros(len(priors), 4)
        best = torch.zeros(len(priors))
        neutral = torch.zeros(len(priors), dtype=torch.bool)
        for box, ignored in zip(torch.tensor(f.boxes), f.ignore.tolist(), strict=True):
            overlap = _overlap(corners(priors), box)
            if ignored:
                neutral |= overlap >= 0.35
                continue
            if float(overlap.max()) >= 0.2:
                overlap[overlap.argmax()] = 2
            better = (overlap >= 0.35) & (overlap > best)
            label[better], best[better] = 1, overlap[better]
            wanted[better] = encode(box.expand(len(priors), 4), priors)[better]
        chosen = label == 1
        cost = functional.cross_entropy(said, label, reduction="none")
        # Neither the faces nor what is no background stand among the hardest.
        ranked = cost.detach().masked_fill(chosen | neutral, -1).argsort(descending=True)
        kept = ranked[: negatives * max(int(chosen.sum()), 1)]
        kept = kept[~(chosen | neutral)[kept]]
        loss = loss + cost[chosen].sum() + cost[kept].sum()
        loss = loss + box_weight * functional.smooth_l1_loss(
            moved[chosen], wanted[chosen], reduction="sum"
        )
        positives += int(chosen.sum())
    return loss / max(positives, 1)


def unpadded(targets: Targets) -> list[Faces]:
    """Faces, picture by picture."""
    rows = zip(*targets, strict=True)
    return [Faces(boxes[real].numpy(), ignore=ig[real].numpy()) for boxes, real, ig in rows]


def _overlap(a: Tensor, box: Tensor) -> Tensor:
    sides = (torch.minimum(a[:, 2:], box[2:]) - torch.maximum(a[:, :2], box[:2])).clamp(min=0)
    shared = sides.prod(1)
    return shared / ((a[:, 2:] - a[:, :2]).prod(1) + (box[2:] - box[:2]).prod() - shared)
