"""One suite for every family of detectors that trains; the largest sizes are left out."""

from __future__ import annotations

from itertools import repeat

import pytest
import torch
from tests.losses.learning import bright_faces

from dartblur.faces import Faces
from dartblur.losses.multibox import pad
from dartblur.nets.families import FAMILIES, backbone_of, seeded
from dartblur.training.detector import DetectorTrainer, Schedule

SMALL = [name for name in FAMILIES if name not in ("pyramidbox", "yolov5s")]


@pytest.mark.parametrize("name", SMALL)
def test_the_same_seed_makes_the_same_network_and_training(name: str) -> None:
    family, runs = FAMILIES[name], []
    for _ in range(2):
        net = seeded(family, 3, {})
        trainer = DetectorTrainer(family, net, Schedule(1e-3, 2, warm_up=0))
        losses = trainer.train(repeat(bright_faces()))
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
        assert family.against(faces, 0.0)(net(images)).isfinite()


@pytest.mark.parametrize("name", SMALL)
def test_targets_that_are_put_in_once_serve_every_pass(name: str) -> None:
    family, (images, targets) = FAMILIES[name], bright_faces()
    net = seeded(family, 0, {}).eval()
    loss = family.against(targets, 0.0)
    for shown in (images, images.flip(3)):
        assert torch.equal(loss(net(shown)), family.against(targets, 0.0)(net(shown)))


@pytest.mark.parametrize("name", SMALL)
def test_smoothed_labels_cost_a_sure_detector_more(name: str) -> None:
    family, (images, targets) = FAMILIES[name], bright_faces()
    net = seeded(family, 0, {}).eval()
    plain, smooth = (family.against(targets, s)(net(images)).item() for s in (0.0, 0.4))
    assert plain != smooth


@pytest.mark.parametrize("name", SMALL)
def test_a_network_is_its_backbone_its_neck_and_its_heads(name: str) -> None:
    family, (images, _) = FAMILIES[name], bright_faces()
    net = seeded(family, 0, {}).eval()
    taps = net.taps(images)
    kept = [tap.clone() for tap in taps]
    by_parts = net.candidates(net.heads(net.neck(taps)))
    whole = net.candidates(net(images))
    assert torch.equal(by_parts.boxes, whole.boxes)
    assert torch.equal(by_parts.scores, whole.scores)
    # The neck leaves the backbone's features as they were: losses look at both.
    assert all(torch.equal(a, b) for a, b in zip(kept, taps, strict=True))


@pytest.mark.parametrize("name", SMALL)
def test_a_network_begins_with_another_s_backbone(name: str) -> None:
    family = FAMILIES[name]
    first, second = (seeded(family, seed, {}) for seed in (0, 1))
    values = backbone_of(first)
    mixed = seeded(family, 1, values).state_dict()
    assert values
    for key, value in second.state_dict().items():
        assert torch.equal(mixed[key], values.get(key, value)), key
    assert set(values) < set(mixed)
