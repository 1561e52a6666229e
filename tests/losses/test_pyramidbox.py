"""PyramidBox's regions by hand-made cases, and a network that learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.losses.learning import FACES, bright_faces, learn_by_heart, untouched

from dartblur.evaluation.average_precision import area_under, precision_recall
from dartblur.faces import Faces
from dartblur.losses.multibox import MultiBox, pad
from dartblur.losses.pyramidbox import PyramidBoxLoss, region
from dartblur.nets.anchors import encode
from dartblur.nets.base import faces_among
from dartblur.nets.pyramidbox import PyramidBox, Raw, anchors

SHAPES = [torch.Size((64 // s or 1, 64 // s or 1)) for s in (4, 8, 16, 32, 64, 128)]


def test_regions_share_the_faces_middle_and_double_in_size() -> None:
    targets = pad([Faces(np.array([[10, 20, 30, 60.0]]))])
    assert region(targets, 0).boxes.tolist() == targets.boxes.tolist()
    assert region(targets, 1).boxes.tolist() == [[[0, 0, 40, 80]]]
    assert region(targets, 2).boxes.tolist() == [[[-20, -40, 60, 120]]]
    with pytest.raises(ValueError, match="3"):
        region(targets, 3)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_the_head_and_body_of_a_face_belong_to_larger_anchors(k: int) -> None:
    # A face of 16 pixels in the middle of an anchor of 16 · 2ᵏ.
    priors = anchors(SHAPES)
    side = 16.0 * 2**k
    index = int((priors[:, 2] == side).nonzero()[0, 0])
    middle = priors[index, :2]
    face = torch.cat([middle - 8, middle + 8])[None].numpy()
    matched = MultiBox().match(priors, region(pad([Faces(face)]), k))
    assert matched.positive[0, index]
    torch.testing.assert_close(matched.offsets[0, index], torch.zeros(4))


def perfect(sure: float) -> Raw:
    """Raw output that says of every anchor what it ought to, as surely as `sure`."""
    priors, targets = anchors(SHAPES), pad(FACES)
    logits, offsets = [], []
    for k in range(3):
        matched = MultiBox().match(priors, region(targets, k))
        face = torch.where(matched.positive, 1.0, -1.0) * sure
        logits.append(torch.stack([-face, face], -1))
        offsets.append(matched.offsets)
    return Raw(torch.stack(logits, 2), torch.stack(offsets, 2), priors)


def test_a_perfect_answer_costs_nothing_and_a_fault_in_any_region_does() -> None:
    loss, targets = PyramidBoxLoss(), pad(FACES)
    assert loss(perfect(20), targets) < 1e-5
    for k in range(3):
        raw = perfect(20)
        raw.logits[:, :, k] *= -1
        assert loss(raw, targets) > 1
        raw = perfect(20)
        raw.offsets[:, :, k] += 1
        assert loss(raw, targets) > 0.1


def test_a_region_of_weight_zero_does_not_count() -> None:
    raw = perfect(20)
    raw.logits[:, :, 1:] *= -1
    assert PyramidBoxLoss(weights=(1, 0, 0))(raw, pad(FACES)) < 1e-5


def test_pictures_without_faces_have_a_finite_loss_on_background_alone() -> None:
    raw = perfect(1)
    for tensor in raw[:2]:
        tensor.requires_grad_()
    value = PyramidBoxLoss()(raw, pad([Faces.empty(), Faces.empty()]))
    value.backward()
    assert value > 0
    assert raw.logits.grad.any()
    assert not raw.offsets.grad.any()


def test_every_parameter_is_moved() -> None:
    torch.manual_seed(0)
    net = PyramidBox(1 / 16)
    boxes = np.array([[10, 10, 26, 28], [20, 10, 80, 70], [5, 5, 125, 120], [2, 2, 18, 20.0]])
    images = torch.rand(3, 3, 160, 160) * 255
    assert untouched(net, PyramidBoxLoss()(net(images), pad([Faces(boxes)] * 3))) == []


def test_it_learns_a_batch_by_heart() -> None:
    torch.manual_seed(0)
    net = PyramidBox(1 / 16)
    losses = learn_by_heart(net, PyramidBoxLoss(), 4e-3, 24)
    assert losses[-1] < 0.1 * losses[0]
    images, _ = bright_faces()
    found = faces_among(net.candidates(net(images)), 0.1, 0.4)
    assert area_under(*precision_recall(found, FACES)) > 0.9


def test_offsets_are_those_of_the_shared_code() -> None:
    priors = anchors(SHAPES)
    targets = pad(FACES[1:])
    matched = MultiBox().match(priors, targets)
    at = matched.positive[0]
    torch.testing.assert_close(
        matched.offsets[0, at], encode(targets.boxes[0].expand(len(priors), 4), priors)[at]
    )
