"""How candidates become faces."""

from __future__ import annotations

import torch

from dartblur.nets.base import Candidates, faces_among

BOXES = torch.tensor([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 70, 70], [0, 0, 5, 5.0]])
SCORES = torch.tensor([0.6, 0.9, 0.7, 0.05])


def test_best_first_without_doubles_and_without_the_unlikely() -> None:
    (faces,) = faces_among(Candidates(BOXES[None], SCORES[None]), 0.1, 0.4)
    assert faces.boxes.tolist() == [[1, 0, 11, 10], [50, 50, 70, 70]]
    assert [round(float(s), 3) for s in faces.scores] == [0.9, 0.7]


def test_only_the_best_enter_and_none_may_be_left() -> None:
    candidates = Candidates(BOXES[None].repeat(2, 1, 1), torch.stack([SCORES, SCORES * 0]))
    first, second = faces_among(candidates, 0.1, 0.4, most=1)
    assert first.boxes.tolist() == [[1, 0, 11, 10]]
    assert len(second) == 0
