"""The steps of the fidelity protocol: detectors as they begin, what they see, what they find."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import nn

from dartblur.datasets.crops import (
    Image,
    Picture,
    Place,
    around_a_face,
    cut,
    cut_faces,
    mirrored,
)
from dartblur.detection import Example, to_tensor
from dartblur.evaluation.config import Recipe
from dartblur.evaluation.families import FAMILIES, Family
from dartblur.faces import Faces
from dartblur.losses.multibox import pad
from dartblur.nets.retinaface import RetinaFace
from dartblur.reference import Start, starting_values

PRETRAINED = "retinaface"
"""The family of f, whose backbone and whose trained values are at hand."""


def untrained(detector: str, start: Start, *, from_reference: bool, seed: int) -> nn.Module:
    """A detector of that family before its training.

    RetinaFace has the values of f, or those of the backbone and seeded heads; the others are
    seeded throughout.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if detector != PRETRAINED:
            return FAMILIES[detector].make()
        # Without a file, the backbone is random too.
        reference, backbone = starting_values(start)
    return fresh_detector(reference if from_reference else backbone, seed, heads=from_reference)


def fresh_detector(start: RetinaFace, seed: int, heads: bool) -> RetinaFace:
    """A detector with the values of `start`: all, or those of its backbone and a seeded rest."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = RetinaFace()
    held = start.state_dict()
    if not heads:
        held = {k: v for k, v in held.items() if k.startswith("backbone.")}
    net.load_state_dict({**net.state_dict(), **held})
    return net


def detector_batches(pictures: Sequence[Picture], recipe: Recipe, seed: int) -> Iterator[Example]:
    """Endless random crops around faces, half of them mirrored, the same for every method."""
    rng = np.random.default_rng(seed)
    usable = [p for p in pictures if len(p.faces)]
    while True:
        chosen = rng.integers(len(usable), size=recipe.batch)
        images, faces = [], []
        for i in chosen:
            picture = mirrored(usable[i]) if rng.random() < 0.5 else usable[i]
            place = around_a_face(picture, recipe.crop, rng)
            images.append(cut(picture.image, place))
            faces.append(cut_faces(picture.faces, place))
        yield to_tensor(images), pad(faces)


def found_by(
    family: Family, net: nn.Module, images: Iterable[Image], side: int, size: int = 8
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
