"""What every detector promises; one suite over the whole table."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from tests.pictures import textured

from dartblur import boxes as boxlib
from dartblur.detectors import DETECTORS, Detector, make_detector
from dartblur.errors import UsageError
from dartblur.faces import Faces

Array = np.ndarray
# The astronaut's face in `portrait`, from the brow to the chin.
FACE = np.array([[69.0, 70.0, 146.0, 170.0]])


@cache
def detector_of(name: str) -> Detector:
    return make_detector(name)


@pytest.fixture(scope="module", params=list(DETECTORS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def detector(name: str) -> Detector:
    return detector_of(name)


@pytest.fixture(scope="module")
def portrait() -> Array:
    data = pytest.importorskip("skimage.data", reason="the photo comes with scikit-image")
    return np.ascontiguousarray(data.astronaut()[:256, 116:372])


def check(detector: Detector, images: list[Array]) -> list[Faces]:
    """Runs it, and holds what must be true of any pictures."""
    before = [image.copy() for image in images]
    found = detector(images)
    for image, old in zip(images, before, strict=True):
        np.testing.assert_array_equal(image, old)
    assert isinstance(found, list)
    assert len(found) == len(images)
    for faces in found:
        assert isinstance(faces, Faces)
        assert (np.diff(faces.scores) <= 0).all()
        assert (boxlib.area(faces.boxes) > 0).all()
        assert not faces.ignore.any()
    return found


def best(faces: Faces) -> Array:
    assert len(faces) > 0
    return faces.boxes[:1]


def test_a_face_is_found_first_and_in_place(detector: Detector, portrait: Array) -> None:
    [faces] = check(detector, [portrait])
    assert boxlib.iou(best(faces), FACE)[0, 0] > 0.5
    assert faces.scores[0] > 0.8
    assert boxlib.hidden_share(boxlib.grow(FACE, -0.15), faces.boxes[:1])[0] > 0.9


def test_a_flat_picture_has_no_face(detector: Detector) -> None:
    [faces] = check(detector, [np.full((200, 300, 3), 128, np.uint8)])
    assert len(faces) == 0


def test_no_pictures_give_no_faces(detector: Detector) -> None:
    assert check(detector, []) == []


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (2000, 3), (31, 33), (20, 20), (0, 5)])
def test_any_size_is_taken(detector: Detector, shape: tuple[int, int]) -> None:
    check(detector, [textured(*shape)])


def test_pictures_of_any_sizes_go_together(detector: Detector, portrait: Array) -> None:
    small = np.ascontiguousarray(portrait[40:200, 40:200])
    found = check(detector, [small, textured(40, 50), portrait])
    for faces, image in zip(found, (small, textured(40, 50), portrait), strict=True):
        assert faces == detector([image])[0]


def test_boxes_are_in_pixels_of_the_picture(detector: Detector, portrait: Array) -> None:
    down, right = 64, 96
    moved = np.full((256 + down, 256 + right, 3), 127, np.uint8)
    moved[down:, right:] = portrait
    [here], [there] = check(detector, [portrait]), check(detector, [moved])
    shift = best(there) - best(here)
    np.testing.assert_allclose(shift, [[right, down, right, down]], atol=8)


def test_boxes_follow_the_size_of_the_picture(detector: Detector, portrait: Array) -> None:
    cv2 = pytest.importorskip("cv2")
    large = cv2.resize(portrait, (384, 512))
    [faces] = check(detector, [large])
    assert boxlib.iou(best(faces), boxlib.scale(FACE, 1.5, 2))[0, 0] > 0.5


def test_a_view_that_is_not_contiguous_is_taken(detector: Detector, portrait: Array) -> None:
    mirror = portrait[:, ::-1]
    [faces] = check(detector, [mirror])
    flipped = np.array([[256 - FACE[0, 2], FACE[0, 1], 256 - FACE[0, 0], FACE[0, 3]]])
    assert boxlib.iou(best(faces), flipped)[0, 0] > 0.5


def test_the_threshold_is_kept(name: str, portrait: Array) -> None:
    [usual] = detector_of(name)([portrait])
    score = float(usual.scores[0])
    [with_it] = check(make_detector(name, threshold=score - 1e-3), [portrait])
    [without] = check(make_detector(name, threshold=min(score + 1e-3, 1)), [portrait])
    assert with_it.scores[0] == usual.scores[0]
    assert score not in without.scores


def test_a_threshold_of_one_finds_nothing(name: str, portrait: Array) -> None:
    assert len(make_detector(name, threshold=1)([portrait])[0]) == 0


def test_threads_share_a_detector(name: str, portrait: Array) -> None:
    fresh = make_detector(name)
    images = [np.ascontiguousarray(portrait[:224, 8 * i : 224 + 8 * i]) for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda image: fresh([image])[0], images))
    assert together == detector_of(name)(images)


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'haar'.*thorough, fast"):
        make_detector("haar")


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_out_of_range_is_refused(name: str, threshold: float) -> None:
    with pytest.raises(UsageError, match="threshold"):
        make_detector(name, threshold)


def test_no_threads_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="thread"):
        make_detector(name, threads=0)
