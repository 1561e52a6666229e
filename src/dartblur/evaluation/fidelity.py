"""Operational, post-hoc and cycle fidelity of ways to anonymize."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from dartblur.anonymizers.base import Anonymizer
from dartblur.datasets import READERS
from dartblur.datasets.crops import Picture, Place, around_a_face, cut, cut_faces, load, mirrored
from dartblur.detection import Example, Schedule, detect, to_tensor, train_detector
from dartblur.evaluation.average_precision import average_precision
from dartblur.evaluation.config import FidelityConfig
from dartblur.faces import Faces
from dartblur.losses.multibox import MultiBox, pad
from dartblur.nets.retinaface import RetinaFace
from dartblur.reference import found_in, starting_values

Scores = dict[str, float]


@dataclass(frozen=True)
class Setting:
    """What all methods share: pictures with f's faces in them, f, and an untrained detector."""

    train: Sequence[Picture]
    test: Sequence[Picture]
    reference: RetinaFace
    backbone: RetinaFace


def prepare(data: Path, config: FidelityConfig) -> Setting:
    """Decodes the pictures and lets f look at them.

    Raises:
        InputError: data or weights are wrong.
    """
    reference, backbone = starting_values(config.start)
    limit, side = int(config.memory_gb * 2**30), config.image_size
    samples = list(READERS["widerface"](data, "train"))
    if config.held_out:
        test_samples = samples[:: config.held_out]
        samples = [s for i, s in enumerate(samples) if i % config.held_out]
    else:
        test_samples = list(READERS["widerface"](data, "val"))
    train = found_in(load(samples[:: config.every], side, limit), reference, side)
    test = found_in(load(test_samples, side, limit), reference, side)
    return Setting(list(train), list(test), reference, backbone)


def measure(
    anonymizer: Anonymizer | None,
    setting: Setting,
    config: FidelityConfig,
    seed: int,
    tell: Callable[[Scores], None] = lambda _: None,
) -> Scores:
    """Every figure of one method, in percent; `tell` gets them as they come.

    anonymizer: None for the clear pictures. Figures end in "/f" (against f's own detections on the
    clear picture) or "/labels"; "f:" begins those of an f_g that started from f.
    """
    hidden = list(anonymized(setting.train, anonymizer))
    test = list(anonymized(setting.test, anonymizer))
    side = config.image_size
    scores = _scored("operational", setting.reference, test, side)
    tell(scores)
    starts = (
        ("", setting.backbone, config.steps, config.rate),
        ("f:", setting.reference, config.reference_steps, config.reference_rate),
    )
    for name, start, steps, rate in starts:
        if not steps:
            continue
        net = fresh_detector(start, seed, heads=name == "f:")
        schedule = Schedule(rate, steps, config.warm_up)
        train_detector(
            net, detector_batches(hidden, config, seed), schedule, MultiBox(), config.clip
        )
        scores |= _scored(name + "posthoc", net, test, side)
        scores |= _scored(name + "cycle", net, setting.test, side)
        tell(scores)
    return scores


def anonymized(pictures: Sequence[Picture], anonymizer: Anonymizer | None) -> Iterator[Picture]:
    """The pictures with every face hidden; their boxes stay."""
    for picture in pictures:
        if anonymizer is None:
            yield picture
        else:
            yield replace(picture, image=anonymizer(picture.image, picture.faces))


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


def detector_batches(
    pictures: Sequence[Picture], config: FidelityConfig, seed: int
) -> Iterator[Example]:
    """Endless random crops around faces, half of them mirrored, the same for every method."""
    rng = np.random.default_rng(seed)
    usable = [p for p in pictures if len(p.faces)]
    while True:
        chosen = rng.integers(len(usable), size=config.batch)
        images, faces = [], []
        for i in chosen:
            picture = mirrored(usable[i]) if rng.random() < 0.5 else usable[i]
            place = around_a_face(picture, config.crop, rng)
            images.append(cut(picture.image, place))
            faces.append(cut_faces(picture.faces, place))
        yield to_tensor(images), pad(faces)


def _scored(name: str, net: RetinaFace, pictures: Sequence[Picture], side: int) -> Scores:
    found: list[Faces] = []
    for start in range(0, len(pictures), 8):
        images = [cut(p.image, Place(0, 0, side)) for p in pictures[start : start + 8]]
        found += detect(net, to_tensor(images))
    return {
        f"{name}/f": 100 * average_precision(found, [p.found for p in pictures]),
        f"{name}/labels": 100 * average_precision(found, [p.faces for p in pictures]),
    }
