"""One suite for every family of detectors that trains; the largest sizes are left out."""

from __future__ import annotations

from itertools import repeat

import pytest
import torch
from tests.losses.learning import bright_faces

from dartblur.detection import Schedule
from dartblur.evaluation.families import FAMILIES, train
from dartblur.faces import Faces
from dartblur.losses.multibox import pad

SMALL = [name for name in FAMILIES if name not in ("pyramidbox", "yolov5s")]


@pytest.mark.parametrize("name", SMALL)
def test_the_same_seed_makes_the_same_network_and_training(name: str) -> None:
    family, runs = FAMILIES[name], []
    for _ in range(2):
        torch.manual_seed(3)
        net = family.make()
        losses = train(family, net, repeat(bright_faces()), Schedule(1e-3, 2, warm_up=0))
        runs.append((losses, net.state_dict()))
    (first, a), (second, b) = runs
    assert len(first) == 2
    assert first == second
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", SMALL)
def test_detections_are_faces_best_first_and_leave_the_network_as_it_was(name: str) -> None:
    torch.manual_seed(0)
    family = FAMILIES[name]
    net = family.make()
    images, _ = bright_faces(96)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    found = family.detect(net, images, threshold=0.0, overlap=0.4)
    assert len(found) == 2
    for faces in found:
        assert len(faces) > 0
        assert (faces.scores[:-1] >= faces.scores[1:]).all()
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    nothing = family.detect(net, images, threshold=1.0)
    assert nothing == [Faces.empty(), Faces.empty()]


@pytest.mark.parametrize("name", SMALL)
def test_batches_of_any_number_of_faces_have_a_finite_loss(name: str) -> None:
    family, (images, targets) = FAMILIES[name], bright_faces()
    net = family.make()
    one_without = pad([Faces(targets.boxes[0].numpy()), Faces.empty()])
    for faces in (targets, one_without, pad([Faces.empty()] * 2)):
        assert family.loss(net, images, faces).isfinite()
