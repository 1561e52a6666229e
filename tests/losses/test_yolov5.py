"""YOLOv5's assignment by hand-made cases, CIoU by hand, and a network that learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.losses.learning import bright_faces, learn_by_heart, untouched

from dartblur.faces import Faces
from dartblur.losses.multibox import pad
from dartblur.losses.yolov5 import YoloLoss, assign, complete_iou
from dartblur.nets.yolov5 import ANCHORS, VALUES, YoloV5

FINE = torch.tensor(ANCHORS[0]) / 8


def cells(box: list[float], shape: tuple[int, int] = (8, 8)) -> set[tuple[int, int, int]]:
    """(anchor, row, column) of every pair at stride 8."""
    found = assign(pad([Faces(np.array([box]))]), FINE, 8, shape)
    return set(zip(found.anchor.tolist(), found.row.tolist(), found.column.tolist(), strict=True))


def around(x: float, y: float, width: float, height: float) -> list[float]:
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def test_a_face_in_the_middle_of_a_cell_has_that_cell_alone() -> None:
    assert cells(around(20, 28, 16, 16)) == {(a, 3, 2) for a in range(3)}


def test_a_face_off_the_middle_has_its_two_nearest_neighbours_too() -> None:
    places = {(2, 2), (2, 1), (3, 2)}
    assert cells(around(18, 22, 16, 16)) == {(a, *p) for a in range(3) for p in places}


@pytest.mark.parametrize(
    ("x", "y", "places"),
    [(1, 4, {(0, 0)}), (63, 4, {(0, 7)}), (1, 1, {(0, 0)}), (63, 63, {(7, 7)}), (-3, 70, {(7, 0)})],
)
def test_no_neighbour_lies_outside_the_grid(
    x: float, y: float, places: set[tuple[int, int]]
) -> None:
    assert {place[1:] for place in cells(around(x, y, 16, 16))} == places


def test_an_anchor_of_four_times_the_side_does_not_suit() -> None:
    # Anchors are 10 × 13, 16 × 30 and 33 × 23 pixels.
    assert {a for a, _, _ in cells(around(20, 20, 39.9, 13))} == {0, 1, 2}
    assert {a for a, _, _ in cells(around(20, 20, 40, 13))} == {1, 2}
    assert {a for a, _, _ in cells(around(20, 20, 5, 5))} == {0}
    assert cells(around(20, 20, 160, 160)) == set()
    assert cells(around(20, 20, 0, 0)) == set()


def test_assigned_boxes_are_told_from_each_cells_own_corner() -> None:
    found = assign(pad([Faces.empty(), Faces(np.array([around(18, 22, 16, 24)]))]), FINE, 8, (8, 8))
    assert (found.picture == 1).all()
    middle = found.boxes[:, :2] + torch.stack([found.column, found.row], 1)
    torch.testing.assert_close(middle * 8, torch.tensor([[18.0, 22.0]]).expand_as(middle))
    assert (found.boxes[:, 2:] == torch.tensor([2.0, 3.0])).all()


def test_complete_iou_by_hand() -> None:
    slant = (4 / math.pi**2) * (math.atan(1) - math.atan(4)) ** 2
    cases = [
        ([0, 0, 2, 2], [0, 0, 2, 2], 1.0),
        ([0, 0, 2, 2], [4, 0, 2, 2], -16 / 40),
        ([0, 0, 2, 2], [1, 0, 2, 2], 1 / 3 - 1 / 13),
        ([0, 0, 2, 2], [0, 0, 4, 1], 1 / 3 - slant**2 / (1 - 1 / 3 + slant)),
    ]
    a, b = (torch.tensor([case[i] for case in cases], dtype=torch.float64) for i in (0, 1))
    expected = torch.tensor([case[2] for case in cases], dtype=torch.float64)
    torch.testing.assert_close(complete_iou(a, b), expected)


def perfect(box: list[float], objectness: float) -> list[torch.Tensor]:
    """Raw output whose assigned anchors hit `box` exactly, of 64 × 64 pixels."""
    raw = [torch.zeros(1, 3, s, s, VALUES) for s in (8, 4, 2)]
    targets = pad([Faces(np.array([box]))])
    for level, stride, sizes in zip(raw, (8, 16, 32), ANCHORS, strict=True):
        level[..., 4] = -objectness
        anchors = torch.tensor(sizes) / stride
        found = assign(targets, anchors, stride, (level.shape[2], level.shape[3]))
        centre = torch.logit((found.boxes[:, :2] + 0.5) / 2)
        side = torch.logit((found.boxes[:, 2:] / anchors[found.anchor]).sqrt() / 2)
        certain = torch.full((len(side), 2), objectness)
        level[found[:4]] = torch.cat([centre, side, certain], 1)
    return raw


def test_a_perfect_answer_costs_nothing_and_each_fault_does() -> None:
    box = around(30, 30, 24, 24)
    targets = pad([Faces(np.array([box]))])
    assert YoloLoss()(perfect(box, 20), targets) < 1e-5
    unsure, moved, other = perfect(box, 20), perfect(around(32, 30, 24, 24), 20), perfect(box, 20)
    for level in unsure:
        level[..., 4] *= 0.05
    other[0][..., 5] = -3
    for raw in (unsure, moved, other):
        assert YoloLoss()(raw, targets) > 1e-3


def test_an_ignored_face_moves_no_objectness_and_a_missing_label_does() -> None:
    box = np.array([around(30, 30, 24, 24)])
    ignored = pad([Faces(box, ignore=np.array([True]))])
    raw = [level.requires_grad_() for level in perfect(box[0].tolist(), 3)]
    found = assign(pad([Faces(box)]), FINE, 8, (8, 8))
    YoloLoss()(raw, ignored).backward()
    assert not raw[0].grad[found[:4]].any()
    assert raw[0].grad[..., 4].any()
    raw[0].grad = None
    YoloLoss()(raw, pad([Faces.empty()])).backward()
    assert (raw[0].grad[found[:4]][:, 4] > 0).all()


def test_two_faces_on_one_anchor_want_the_objectness_of_the_better() -> None:
    box = around(30, 30, 24, 24)
    twice = pad([Faces(np.array([box, around(30, 30, 30, 20)]))])
    raw = perfect(box, 20)
    good = YoloLoss(box=0, kind=0)(raw, pad([Faces(np.array([box]))]))
    assert YoloLoss(box=0, kind=0)(raw, twice) < good + 1e-6


def test_pictures_without_faces_have_a_finite_loss_that_lowers_objectness() -> None:
    images, _ = bright_faces()
    net = YoloV5("n")
    value = YoloLoss()(net(images), pad([Faces.empty(), Faces.empty()]))
    value.backward()
    assert value.isfinite()
    bias = net.predict[0].bias.grad.view(3, VALUES)
    assert (bias[:, 4] > 0).all()
    assert not bias[:, :4].any()


def test_every_parameter_is_moved() -> None:
    torch.manual_seed(0)
    net = YoloV5("n")
    boxes = np.array([[10, 10, 26, 28], [20, 10, 80, 70], [5, 5, 125, 120.0]])
    images = torch.rand(2, 3, 128, 128) * 255
    assert untouched(net, YoloLoss()(net(images), pad([Faces(boxes)] * 2))) == []


def test_it_learns_a_batch_by_heart() -> None:
    torch.manual_seed(0)
    losses = learn_by_heart(YoloV5("n"), YoloLoss(), 5e-3, 14)
    assert losses[-1] < 0.7 * losses[0]
