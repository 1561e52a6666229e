"""Labels completed by a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from dartblur.datasets.labelled import LabelledImage
from dartblur.faces import Faces, Image, Sample
from dartblur.training.teacher import completed, found_by

A, B, C, D = ([x, 0, x + 20, 20] for x in (0, 40, 80, 120))


def test_sure_faces_become_labels_and_doubtful_ones_are_ignored() -> None:
    labels = Faces(np.array([A, B], np.float32), ignore=np.array([False, True]))
    found = Faces(np.array([A, B, C, D], np.float32), np.array([0.9, 0.8, 0.7, 0.3]))
    image = LabelledImage("a", np.zeros((20, 160, 3), np.uint8), labels, Faces.empty())
    after = completed(image, found, 0.5).faces
    np.testing.assert_array_equal(after.boxes, np.array([A, B, C, D], np.float32))
    np.testing.assert_array_equal(after.ignore, [False, False, False, True])
    # A label that is ignored stays so where the teacher is in doubt.
    assert completed(image, found, 0.85).faces.ignore.tolist() == [False, True, True, True]
    assert completed(image, Faces.empty(), 0.5).faces == labels


def test_what_was_searched_once_is_not_searched_again(tmp_path: Path) -> None:
    (tmp_path / "event").mkdir()
    samples = []
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / "event" / name), np.zeros((64, 64, 3), np.uint8))
        samples.append(Sample(tmp_path / "event" / name, Faces.empty()))
    asked: list[int] = []

    def teacher(images: Sequence[Image]) -> list[Faces]:
        asked.append(len(images))
        return [Faces(np.array([A], np.float32), np.array([0.625])) for _ in images]

    first = list(found_by(teacher, samples[:1], 64, tmp_path, tmp_path))
    both = list(found_by(teacher, samples, 64, tmp_path, tmp_path))
    assert len(asked) == 2
    assert both == first * 2
