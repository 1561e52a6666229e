"""The discriminator learns an artifact, and tells the generator of it in the faces alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from dartblur.anonymizers import Blur
from dartblur.anonymizers.windows import WindowGeometry
from dartblur.datasets.labelled import LabelledImage
from dartblur.faces import Faces
from dartblur.nets.discriminator import ProjectedDiscriminator
from dartblur.nets.retinaface import RetinaFace
from dartblur.training.compositing import Batch, Composite
from dartblur.training.config import Data
from dartblur.training.data import Batches
from dartblur.training.discriminator import CHANNELS, discriminator_gradients

BOXES = np.array([[8, 10, 24, 34], [40, 30, 90, 90], [60, 4, 78, 36]], np.float32)


@pytest.fixture
def f() -> RetinaFace:
    torch.manual_seed(0)
    return RetinaFace().eval().requires_grad_(False)


@pytest.fixture
def batch() -> Batch:
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (24, 24, 3), np.uint8), (96, 96))
    picture = LabelledImage("drawn", np.asarray(image, np.uint8), Faces(BOXES), Faces(BOXES))
    data = Data(crop=96, batch=2, scale=(1.0, 1.0))
    return Batches([picture], data, Blur(), WindowGeometry(24), (0, 0)).batch(0)


def composite(batch: Batch, image: torch.Tensor) -> Composite:
    return Composite(image, torch.zeros(len(batch.pixel), 3))


@pytest.mark.parametrize("size", [(96, 96), (48, 48), (12, 12), (3, 3)])
def test_every_face_counts_alike_at_every_level(batch: Batch, size: tuple[int, int]) -> None:
    weights = batch.face_weights(size)
    assert weights.shape == (2, 1, *size)
    assert float(weights.sum()) == pytest.approx(1, abs=1e-5)
    if size == (96, 96):
        outside = torch.ones(weights.numel(), dtype=torch.bool)
        outside[batch.pixel] = False
        assert weights.flatten()[outside].abs().sum() == 0
        of_faces = torch.zeros(len(batch.windows))
        each = weights.flatten()[batch.pixel][batch.fragment] * batch.share
        shares = of_faces.index_add(0, batch.owner, each)
        # Overlapping boxes share their pixels.
        assert float(shares.max() / shares.min()) < 1.5


def test_a_blur_is_soon_told_from_a_face(f: RetinaFace, batch: Batch) -> None:
    net = ProjectedDiscriminator(CHANNELS, 8)
    adam = torch.optim.Adam(net.parameters(), 3e-3, betas=(0.0, 0.99))
    losses = []
    for _ in range(25):
        made = composite(batch, batch.blurred)
        loss, gradients = discriminator_gradients(net, f, batch, made, share=1.0)
        for parameter, gradient in zip(net.parameters(), gradients, strict=True):
            parameter.grad = gradient
        adam.step()
        losses.append(float(loss))
    assert losses[-1] < 0.85 * losses[0]


def test_of_two_pictures_that_are_one_nothing_can_be_told(f: RetinaFace, batch: Batch) -> None:
    net = ProjectedDiscriminator(CHANNELS, 8)
    loss, _ = discriminator_gradients(net, f, batch, composite(batch, batch.clear), share=1.0)
    # Both sides of the hinge see the same values, which lie between -1 and 1 at first.
    assert float(loss) == pytest.approx(2, abs=1e-4)
