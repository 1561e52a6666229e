"""MultiBox on anchors and faces small enough to do by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from dartblur.faces import Faces
from dartblur.losses.multibox import MultiBox, pad

# Four anchors in a row: centre x, centre y, width, height.
PRIORS = torch.tensor([[5.0, 5, 10, 10], [15, 5, 10, 10], [25, 5, 10, 10], [35, 5, 10, 10]])
LOG3 = math.log(3)


def faces(*boxes: tuple[float, float, float, float], ignore: tuple[bool, ...] = ()) -> Faces:
    return Faces(np.array(boxes, np.float32), ignore=np.array(ignore, np.bool_) if ignore else None)


def test_golden_value() -> None:
    # The face is the first anchor moved right by 1 pixel: offset (1 / (0.1 · 10), 0, 0, 0).
    matched = MultiBox().match(PRIORS, pad([faces((1, 0, 11, 10))]))
    assert matched.positive.tolist() == [[True, False, False, False]]
    torch.testing.assert_close(matched.offsets[0, 0], torch.tensor([1.0, 0, 0, 0]))
    # Odds of 3 to 1 for a face everywhere: cost log(4/3) where right, log 4 where wrong.
    logits = torch.tensor([[[0.0, LOG3]] * 4])
    loss = MultiBox(negatives=2, box_weight=2.0)(logits, torch.zeros(1, 4, 4), matched)
    # One positive, two negatives; smooth L1 of 1 is 0.5.
    expected = math.log(4 / 3) + 2 * math.log(4) + 2 * 0.5
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_the_hardest_negatives_are_kept() -> None:
    matched = MultiBox().match(PRIORS, pad([faces((0, 0, 10, 10))]))
    logits = torch.tensor([[[0.0, 0.0], [0.0, -9.0], [0.0, 9.0], [0.0, -9.0]]])
    loss = MultiBox(negatives=1)(logits, torch.zeros(1, 4, 4), matched)
    assert float(loss) == pytest.approx(math.log(2) + math.log(1 + math.exp(9)), rel=1e-5)


def test_label_smoothing_worked_out() -> None:
    matched = MultiBox().match(PRIORS[:1], pad([faces((0, 0, 10, 10))]))
    logits = torch.tensor([[[0.0, LOG3]]])
    loss = MultiBox(smoothing=0.2)(logits, torch.zeros(1, 1, 4), matched)
    assert float(loss) == pytest.approx(0.9 * math.log(4 / 3) + 0.1 * math.log(4), rel=1e-5)


def test_a_picture_without_a_face_has_no_target() -> None:
    matched = MultiBox().match(PRIORS, pad([Faces.empty(), Faces.empty()]))
    assert not matched.positive.any()
    loss = MultiBox()(torch.zeros(2, 4, 2), torch.zeros(2, 4, 4), matched)
    assert float(loss) == pytest.approx(8 * math.log(2), rel=1e-5)


def test_a_face_no_anchor_fits_takes_its_best_one() -> None:
    # 4 × 6 inside an anchor of 100 pixels: IoU 0.24, between `rescued` and `matched`.
    matched = MultiBox().match(PRIORS, pad([faces((13, 2, 17, 8))]))
    assert matched.positive.tolist() == [[False, True, False, False]]
    tiny = MultiBox().match(PRIORS, pad([faces((13, 3, 16, 6))]))
    assert not tiny.positive.any()


def test_an_ignored_face_is_neither_face_nor_background() -> None:
    ignored = pad([faces((10, 0, 20, 10), ignore=(True,))])
    matched = MultiBox().match(PRIORS, ignored)
    assert not matched.positive.any()
    assert matched.neutral.tolist() == [[False, True, False, False]]
    logits = torch.zeros(1, 4, 2)
    logits[0, 1, 1] = 50.0
    loss = MultiBox()(logits, torch.zeros(1, 4, 4), matched)
    assert float(loss) == pytest.approx(3 * math.log(2), rel=1e-5)


def test_padding_changes_nothing() -> None:
    alone = pad([faces((1, 0, 11, 10))])
    together = pad([faces((1, 0, 11, 10)), faces((0, 0, 9, 9), (30, 0, 40, 10))])
    a, b = MultiBox().match(PRIORS, alone), MultiBox().match(PRIORS, together)
    assert torch.equal(a.positive[0], b.positive[0])
    torch.testing.assert_close(a.offsets[0, 0], b.offsets[0, 0])
