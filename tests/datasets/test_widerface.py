"""The WIDER FACE reader, and pictures from it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dartblur import boxes as boxlib
from dartblur.datasets import FORMATS
from dartblur.datasets.crops import Place, around_a_face, cut, cut_faces
from dartblur.datasets.labelled import LabelledImage, mirrored, read_labelled, resized, with_found
from dartblur.errors import BoxesError, PictureError
from dartblur.faces import Faces, Sample


def dataset(root: Path, labels: str, pictures: tuple[str, ...] = ("a.png",)) -> Path:
    (root / "wider_face_split").mkdir()
    (root / "wider_face_split" / "wider_face_val_bbx_gt.txt").write_text(labels)
    folder = root / "WIDER_val" / "images" / "0--E"
    folder.mkdir(parents=True)
    for name in pictures:
        cv2.imwrite(str(folder / name), np.full((40, 60, 3), 99, np.uint8))
    return root


def read(root: Path) -> list[Sample]:
    return list(FORMATS["widerface"].read(root, "val"))


def test_boxes_and_ignored_faces(tmp_path: Path) -> None:
    rows = "0--E/a.png\n3\n1 2 10 20 0 0 0 0 0 0 \n5 5 8 8 0 0 0 1 0 0\n7 7 0 3 0 0 0 0 0 0\n"
    (sample,) = read(dataset(tmp_path, rows))
    assert sample.image.name == "a.png"
    assert sample.faces.boxes.tolist() == [[1, 2, 11, 22], [5, 5, 13, 13], [7, 7, 7, 10]]
    assert sample.faces.ignore.tolist() == [False, True, True]


@pytest.mark.parametrize("zeros", ["0 0 0 0 0 0 0 0 0 0\n", ""])
def test_a_picture_without_a_face(tmp_path: Path, zeros: str) -> None:
    rows = f"0--E/a.png\n0\n{zeros}0--E/b.png\n1\n1 2 10 20\n"
    first, second = read(dataset(tmp_path, rows, ("a.png", "b.png")))
    assert len(first.faces) == 0
    assert len(second.faces) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("0--E/a.png\nmany\n", r":2: expected the number"),
        ("0--E/a.png\n-1\n", r":2: the number of boxes is -1"),
        ("0--E/a.png\n2\n1 2 3 4\n", r":2: 2 boxes announced, 1 left"),
        ("0--E/a.png\n1\n1 2 x 4\n", r":3: expected x y w h"),
        ("0--E/a.png\n1\n1 2 nan 4\n", r":3: expected x y w h"),
        ("0--E/gone.png\n1\n1 2 3 4\n", r"gone\.png: named in .*:1 but not there"),
    ],
)
def test_wrong_labels_are_named(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(BoxesError, match=message):
        read(dataset(tmp_path, rows))


def test_no_labels_at_all(tmp_path: Path) -> None:
    with pytest.raises(BoxesError, match=r"wider_face_val_bbx_gt\.txt: cannot be read"):
        read(tmp_path)


def test_an_unreadable_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(PictureError, match=r"text\.jpg"):
        read_labelled(Sample(tmp_path / "text.jpg", Faces.empty()), 32)


def test_a_box_outside_the_picture_is_named(tmp_path: Path) -> None:
    (sample,) = read(dataset(tmp_path, "0--E/a.png\n1\n100 2 10 20\n"))
    with pytest.raises(BoxesError, match=r"a\.png: box .* lies outside"):
        read_labelled(sample, 32)


def test_pictures_and_faces_shrink_together(tmp_path: Path) -> None:
    (sample,) = read(dataset(tmp_path, "0--E/a.png\n1\n10 20 20 20\n"))
    picture = read_labelled(sample, 30)
    assert picture.image.shape == (20, 30, 3)
    assert picture.faces.boxes.tolist() == [[5, 10, 15, 20]]


def example() -> LabelledImage:
    rng = np.random.default_rng(3)
    faces = Faces(np.array([[10, 12, 30, 40], [50, 5, 58, 15]], np.float32))
    return LabelledImage("x", rng.integers(0, 256, (60, 80, 3), np.uint8), faces, faces)


def test_mirroring_twice_is_nothing() -> None:
    picture = example()
    again = mirrored(mirrored(picture))
    assert np.array_equal(again.image, picture.image)
    assert again.faces == picture.faces
    assert mirrored(picture).faces.boxes[0].tolist() == [50, 12, 70, 40]


def test_resizing_moves_faces_with_the_pixels() -> None:
    assert resized(example(), 0.5).faces.boxes[0].tolist() == [5, 6, 15, 20]


def test_crops_hold_the_middle_of_a_face() -> None:
    rng = np.random.default_rng(0)
    picture = example()
    middles = (picture.faces.boxes[:, :2] + picture.faces.boxes[:, 2:]) / 2
    for _ in range(50):
        place = around_a_face(picture, 32, rng)
        inside = (middles >= [place.left, place.top]) & (
            middles <= [place.left + 32, place.top + 32]
        )
        assert inside.all(1).any()
        assert 0 <= place.left <= 48
        assert 0 <= place.top <= 28


def test_a_crop_and_its_faces() -> None:
    picture = example()
    crop = cut(picture.image, Place(20, 10, 32))
    assert np.array_equal(crop, picture.image[10:42, 20:52])
    faces = cut_faces(picture.faces, Place(20, 10, 32))
    assert faces.boxes.tolist() == [[0, 2, 10, 30], [30, 0, 32, 5]]
    # Half of the first lies inside, an eighth of the second.
    assert faces.ignore.tolist() == [False, True]


def test_beyond_the_picture_a_crop_is_grey() -> None:
    crop = cut(example().image, Place(-8, 50, 32))
    assert (crop[:, :8] == crop[0, 0]).all()
    assert (crop[10:] == crop[0, 0]).all()


def test_faces_that_only_f_finds_are_hidden_and_ignored() -> None:
    picture = example()
    found = Faces(
        np.array([[11, 13, 29, 39], [60, 40, 70, 50], [1, 1, 4, 4]], np.float32),
        np.array([0.9, 0.8, 0.3], np.float32),
    )
    both = with_found(picture, found)
    assert both.faces.boxes[2:].tolist() == [[60, 40, 70, 50]]
    assert both.faces.ignore.tolist() == [False, False, True]
    assert len(both.found) == 2
    middles = boxlib.grow(both.found.boxes, -0.15)
    assert (boxlib.hidden_share(middles, both.faces.boxes) >= 0.9).all()


def test_what_f_is_unsure_of_is_a_target_and_not_hidden() -> None:
    found = Faces(
        np.array([[60, 40, 70, 50], [1, 1, 4, 4], [70, 1, 74, 5]], np.float32),
        np.array([0.8, 0.02, 0.005], np.float32),
    )
    both = with_found(example(), found, threshold=0.01)
    assert both.faces.boxes[2:].tolist() == [[60, 40, 70, 50]]
    np.testing.assert_allclose(both.found.scores, [0.8, 0.02])
