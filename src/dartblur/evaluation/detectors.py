"""The detectors of a benchmark that are trained: with their first values, and run on pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from dartblur.datasets.crops import Place, cut
from dartblur.faces import Faces, Image
from dartblur.nets.base import DetectorNet, to_tensor
from dartblur.nets.families import FAMILIES, PRETRAINED, Family, seeded
from dartblur.training.reference import (
    OF_REFERENCE,
    Start,
    initial_values,
    load_backbone,
    load_reference,
)


def initialized(
    detector: str,
    start: Start,
    clear: Iterable[Image],
    side: int,
    *,
    from_reference: bool,
    seed: int,
) -> DetectorNet:
    """A detector of that family before its training.

    RetinaFace has the values of f, or those of the backbone and seeded heads; the others are
    seeded throughout. clear, side: see `initial_values`.
    """
    if detector != PRETRAINED:
        return seeded(FAMILIES[detector], seed, {})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        reference = load_reference(start)
        # Without a file, the backbone is random too.
        backbone = load_backbone(start)
    values: Mapping[str, Tensor] = backbone
    if from_reference or start.backbone == OF_REFERENCE:
        of_f = initial_values(reference, clear, side)
        values = of_f if from_reference else {name: of_f[name] for name in backbone}
    return seeded(FAMILIES[detector], seed, values)


def detect_all(
    family: Family, net: DetectorNet, images: Iterable[Image], side: int, size: int = 8
) -> list[Faces]:
    """What a detector finds in pictures, each on a canvas of `side`²."""
    found: list[Faces] = []
    held: list[Image] = []
    device = next(net.parameters()).device
    for image in images:
        held.append(cut(image, Place(0, 0, side)))
        if len(held) == size:
            found += family.detect(net, to_tensor(held).to(device))
            held = []
    if held:
        found += family.detect(net, to_tensor(held).to(device))
    return found
