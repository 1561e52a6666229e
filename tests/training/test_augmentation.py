"""Augmented crops: faces stay where their pixels are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from dartblur.datasets.labelled import LabelledImage
from dartblur.faces import Faces
from dartblur.training.augmentation import Augmentation, example

PLAIN = Augmentation(occluder=0, blur=0, jpeg=0, dark=0, colour=0)


def bright_face(box: tuple[int, int, int, int] = (60, 40, 90, 80)) -> LabelledImage:
    """A white ellipse on black; it is the face."""
    x1, y1, x2, y2 = box
    y, x = np.mgrid[0:150, 0:200] + 0.5
    far = np.hypot((x - (x1 + x2) / 2) / (x2 - x1), (y - (y1 + y2) / 2) / (y2 - y1))
    image = np.repeat(np.where(far <= 0.5, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
    return LabelledImage("a", image, Faces(np.array([box], np.float32)), Faces.empty())


@pytest.mark.parametrize("seed", range(8))
def test_the_box_lies_around_the_turned_scaled_and_mirrored_face(seed: int) -> None:
    # As large as that, no crop cuts it: its place is 0.1 to 0.9 of the side.
    draw = replace(PLAIN, heights=(16, 20), mosaic=0)
    pixels, faces = draw.crop(bright_face(), 224, np.random.default_rng(seed))
    rows, columns = np.nonzero(pixels[..., 0] > 160)
    seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(faces.boxes[0], seen, atol=2)
    assert not faces.ignore[0]


def test_a_face_comes_at_the_height_that_is_wanted() -> None:
    draw = replace(PLAIN, heights=(30, 30), rotation=0)
    _, faces = draw.crop(bright_face(), 200, np.random.default_rng(0))
    assert faces.boxes[0, 3] - faces.boxes[0, 1] == pytest.approx(30, abs=0.5)


def test_what_is_left_of_a_cut_face_and_what_is_too_small_are_ignored() -> None:
    draw = replace(PLAIN, heights=(48, 48), rotation=0)
    rng, cut = np.random.default_rng(1), []
    for _ in range(40):
        _, faces = draw.crop(bright_face(), 64, rng)
        areas = np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1) / (48 * 36)
        cut += list(zip(areas, faces.ignore, strict=True))
    assert all(ignored == (area < 0.4) for area, ignored in cut if abs(area - 0.4) > 0.05)
    assert any(area < 0.9 for area, _ in cut)
    small = replace(PLAIN, heights=(4, 4))
    assert small.crop(bright_face(), 64, rng)[1].ignore.all()


def test_a_mosaic_has_the_faces_of_four_images() -> None:
    draw = replace(PLAIN, heights=(10, 12), rotation=0)
    pixels, faces = example(draw, [bright_face()] * 4, 128, np.random.default_rng(3))
    assert pixels.shape == (128, 128, 3)
    middles = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    assert {(x > 64, y > 64) for x, y in middles.tolist()} == {
        (x, y) for x in (False, True) for y in (False, True)
    }
    for x, y in middles.round().astype(int):
        assert pixels[y, x, 0] > 200


def test_everything_that_is_drawn_depends_on_the_seed_alone() -> None:
    draw = Augmentation(occluder=1, blur=1, jpeg=1, dark=1, colour=1)
    first, again, other = (
        example(draw, [bright_face()], 96, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]
    assert not np.array_equal(first[0], other[0])


def test_an_image_without_faces_is_background() -> None:
    image = replace(bright_face(), faces=Faces.empty())
    pixels, faces = example(Augmentation(), [image], 96, np.random.default_rng(0))
    assert (pixels.shape, len(faces)) == ((96, 96, 3), 0)
