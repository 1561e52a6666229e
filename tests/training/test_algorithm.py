"""Algorithm 1 against its plain transcription: the same losses and the same gradients."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from benchmarks import plain
from lightning_fabric import Fabric

from dartblur.anonymizers import Blur
from dartblur.anonymizers.windows import WindowGeometry
from dartblur.datasets.labelled import LabelledImage
from dartblur.faces import Faces
from dartblur.nets.families import FAMILIES, seeded
from dartblur.nets.unet import FrameGenerator
from dartblur.training.adversaries import Pool
from dartblur.training.algorithm import Training, one_round
from dartblur.training.compositing import Batch, composite_frame, mask_of
from dartblur.training.config import Adversaries, Data, Generator, Inner, Objectives, TrainingConfig
from dartblur.training.data import Batches
from dartblur.training.reference import Reference

LOSSES = {"retinaface": plain.retinaface_loss, "pyramidbox-small": plain.pyramidbox_loss}
RATE, MARGIN = 1e-3, 0.01
CLIP = 5.0  # less than what f_g's gradients come to here


class Noting(torch.optim.SGD):
    """Steps, and keeps the gradients that it was given."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__(net.parameters(), lr=RATE)
        self.given: list[list[torch.Tensor]] = []

    def step(self, closure: Any = None) -> Any:
        own = [p.grad.clone() for group in self.param_groups for p in group["params"]]
        self.given.append(own)
        return super().step(closure)


@pytest.fixture(scope="module")
def batch() -> Batch:
    rng = np.random.default_rng(0)
    labels = Faces(
        np.array([[8, 10, 40, 52], [50, 44, 90, 90], [60, 4, 78, 26]], np.float32),
        ignore=np.array([False, False, True]),
    )
    found = Faces(np.array([[10, 10, 42, 50], [52, 40, 88, 92]], np.float32))
    pictures = []
    for name in "ab":
        image = cv2.resize(rng.integers(0, 256, (12, 12, 3), np.uint8), (96, 96))
        pictures.append(LabelledImage(name, np.asarray(image, np.uint8), labels, found))
    return Batches(pictures, Data(crop=96, batch=2), Blur(), WindowGeometry(24), (0, 0)).batch(1)


def made(family: str, config: TrainingConfig) -> tuple[Training, Reference]:
    torch.manual_seed(0)
    generator = FrameGenerator(0.05)
    f = seeded(FAMILIES[family], 7, {}).eval().requires_grad_(False)
    pool = Pool(config.adversaries, f.state_dict(), {}, 1, torch.device("cpu"))
    average = copy.deepcopy(generator)
    training = Training(generator, average, Noting(generator), pool, None, composite_frame)
    return training, Reference(FAMILIES[family], f)


@pytest.fixture(autouse=True)
def one_order() -> Iterator[None]:
    """By threads sums come in any order, which the small gradients of the later updates show."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# Of the eight combinations those four in which every two choices meet.
@pytest.mark.parametrize(
    ("family", "kind", "updates"),
    [
        ("retinaface", "adam", "summed"),
        ("retinaface", "sgd", "four"),
        ("pyramidbox-small", "sgd", "summed"),
        ("pyramidbox-small", "adam", "four"),
    ],
)
def test_losses_and_gradients_are_those_of_the_transcription(
    family: str, kind: str, updates: str, batch: Batch
) -> None:
    weights = Objectives(
        *(0.5, 1.0, 1.5, 2.0), reference_features=0.0, margin=MARGIN, updates=updates
    )
    config = TrainingConfig(
        generator=Generator("unet", rate=RATE, decay=1.0, warm_up=1, clip=1e9, ema=0.0),
        objectives=weights,
        inner=Inner(kind=kind, rate=RATE, betas=(0.9, 0.999), from_block=0),
        adversaries=Adversaries(
            families=(family,), size=1, reference=0, steps=1, burn_in=0, clip=CLIP
        ),
    )
    config = replace(config, data=Data(crop=96, batch=2))
    training, reference = made(family, config)
    # Adam has moments then.
    for _ in range(2):
        training.pool.members[0].step((batch.clear, batch.labels))
    member = copy.deepcopy(training.pool.members[0])
    f_g, adam = member.net.eval(), member.optimizer if kind == "adam" else None
    g = copy.deepcopy(training.generator)
    losses, _ = one_round(training, reference, batch, config, Fabric(accelerator="cpu"))

    optimizer, values = Noting(g), {}
    inside = mask_of(batch)

    def composite() -> tuple[torch.Tensor, torch.Tensor]:
        image = batch.clear * (1 - inside) + g(batch.blurred, inside) * inside
        faces = (inside > 0).expand_as(image)
        return image, image[faces] - batch.blurred[faces]

    groups = [list(plain.NAMES)] if updates == "summed" else [[name] for name in plain.NAMES]
    for names in groups:
        part = plain.losses_of(
            names, composite, reference.net, f_g, LOSSES[family], batch.clear,
            plain.unpadded(batch.found), plain.unpadded(batch.labels), RATE, MARGIN, CLIP, adam,
        )  # fmt: skip
        optimizer.zero_grad()
        sum(getattr(weights, name) * loss for name, loss in part.items()).backward()
        optimizer.step()
        values |= part

    assert set(losses) == {*plain.NAMES, "adversary"}
    assert losses["review"] > 0
    for name in plain.NAMES:
        assert losses[name] == pytest.approx(values[name].item(), rel=1e-4), name
    ours, theirs = training.optimizer.given, optimizer.given
    assert len(ours) == len(theirs) == len(groups)
    for update, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        a, b = (torch.cat([g.flatten() for g in part]) for part in (one, other))
        assert float(b.norm()) > 0
        assert float((a - b).norm() / b.norm()) < 1e-3, groups[update]


@pytest.mark.parametrize("balanced", [True, False])
def test_without_the_second_order_the_cycle_loss_moves_nothing(
    balanced: bool, batch: Batch
) -> None:
    gradients = {}
    for name, weights in {
        "first": Objectives(cycle=2.0, first_order=True),
        "none": Objectives(cycle=0.0),
        "second": Objectives(cycle=2.0),
    }.items():
        own = replace(weights, posthoc=0.0, reference_features=0.0, balanced=balanced)
        config = TrainingConfig(
            generator=Generator("unet"),
            objectives=own,
            inner=Inner(kind="sgd", rate=RATE),
            adversaries=Adversaries(size=1, reference=0, burn_in=0),
        )
        training, reference = made("retinaface", config)
        losses, _ = one_round(training, reference, batch, config, Fabric(accelerator="cpu"))
        assert ("cycle" in losses) == (name != "none")
        [given] = training.optimizer.given
        gradients[name] = torch.cat([g.flatten() for g in given])
    assert torch.equal(gradients["first"], gradients["none"])
    assert not torch.equal(gradients["first"], gradients["second"])
