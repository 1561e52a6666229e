"""What every anonymizer promises, whatever it paints; one suite over the whole table."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.pictures import FRAME_WEIGHTS, smooth, textured

from dartblur import boxes as boxlib
from dartblur.anonymizers import (
    ANONYMIZERS,
    Anonymizer,
    Dartblur,
    MethodSettings,
    make_anonymizer,
)
from dartblur.anonymizers.blending import Blended, Ellipses
from dartblur.boxes import Shape
from dartblur.faces import Faces

Array = np.ndarray
# Their patch of a face, before it is blended, looks at nothing beyond the face's own box; a painter
# that looks at the surroundings (blurred) may take a neighbour's blur into account.
LOCAL = ("block", "gaussian", "pixelate")
# The same method with the other kind of generator: pictures over 64 pixels are shrunk for it.
FRAMES = "dartblur by frames"
NOISY = "pixelate with noise"
NAMES = (*ANONYMIZERS, FRAMES, NOISY)
IN_ELLIPSES = " in ellipses"
HARD = MethodSettings(blended=False)


def make(name: str) -> Anonymizer:
    if name.endswith(IN_ELLIPSES):
        return make_anonymizer(name.removesuffix(IN_ELLIPSES), MethodSettings(shape="ellipse"))
    if name == FRAMES:
        return make_anonymizer("dartblur", MethodSettings(weights=FRAME_WEIGHTS))
    if name == NOISY:
        return make_anonymizer("pixelate", MethodSettings(noise=20.0))
    return make_anonymizer(name)


def mask(anonymizer: Anonymizer, faces: Faces, image: Array) -> Array:
    """Where the anonymizer may change something."""
    shape = "ellipse" if isinstance(anonymizer, Ellipses) else "box"
    return boxlib.mask(faces.boxes, *image.shape[:2], shape)


@pytest.fixture(scope="module", params=[*NAMES, *(name + IN_ELLIPSES for name in ANONYMIZERS)])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def anonymizer(name: str) -> Anonymizer:
    return make(name)


def faces_of(*boxes: tuple[float, ...]) -> Faces:
    return Faces(np.array(boxes, np.float32).reshape(-1, 4))


def check(anonymizer: Anonymizer, image: Array, faces: Faces) -> Array:
    """Runs it, and holds what must be true of any picture and any faces; the new picture."""
    before, boxes = image.copy(), faces.boxes.copy()
    out = anonymizer(image, faces)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(faces.boxes, boxes)
    assert not np.shares_memory(out, image)
    assert (out.shape, out.dtype) == (image.shape, np.uint8)
    outside = ~mask(anonymizer, faces, image)
    np.testing.assert_array_equal(out[outside], image[outside])
    np.testing.assert_array_equal(anonymizer(image, faces), out)
    return out


def share_changed(anonymizer: Anonymizer, image: Array, out: Array, faces: Faces) -> float:
    inside = mask(anonymizer, faces, image)
    return float((out != image).any(axis=2)[inside].mean())


def test_no_faces_give_an_equal_copy(anonymizer: Anonymizer) -> None:
    image = textured(30, 40)
    np.testing.assert_array_equal(check(anonymizer, image, Faces.empty()), image)


@pytest.mark.parametrize("side", [4, 8, 16, 40, 100])
def test_a_face_is_changed_all_over(anonymizer: Anonymizer, side: int) -> None:
    image, faces = textured(140, 150), faces_of((20, 30, 20 + side, 30 + side))
    assert share_changed(anonymizer, image, check(anonymizer, image, faces), faces) > 0.9


PLACES = {
    "at the left": (0, 10, 20, 30),
    "at the top": (10, 0, 30, 20),
    "at the right": (40, 10, 60, 30),
    "at the bottom": (10, 28, 30, 48),
    "over the left": (-13, 10, 20, 30),
    "over the bottom right": (45, 35, 90, 99),
    "the whole picture": (0, 0, 60, 48),
    "larger than the picture": (-500, -300, 900, 700),
    "a huge one": (-1e9, -1e9, 1e9, 1e9),
    "between pixels": (10.4, 10.6, 29.5, 31.2),
    "a row": (3, 20, 57, 21),
    "a column": (20, 3, 21, 45),
    "two pixels": (30, 30, 32, 31),
    "a hair in two pixels": (29.9, 30.2, 30.1, 30.7),
}


@pytest.mark.parametrize("box", PLACES.values(), ids=PLACES)
def test_boxes_anywhere_are_changed(anonymizer: Anonymizer, box: tuple[float, ...]) -> None:
    image, faces = textured(48, 60), faces_of(box)
    assert share_changed(anonymizer, image, check(anonymizer, image, faces), faces) > 0.4


@pytest.mark.parametrize("box", [(30, 30, 31, 31), (0, 0, 1, 1), (59, 47, 60, 48), (-5, -5, 1, 1)])
def test_boxes_of_one_pixel_work(anonymizer: Anonymizer, box: tuple[float, ...]) -> None:
    check(anonymizer, textured(48, 60), faces_of(box))


@pytest.mark.parametrize(
    "box",
    [
        (70, 10, 90, 30),
        (10, 50, 30, 70),
        (-30, -30, -5, -5),
        (60, 0, 80, 48),
        (10, -9, 20, 0),
        (1e8, 1e8, 2e8, 2e8),
        (-2e8, -2e8, -1e8, -1e8),
    ],
)
def test_boxes_wholly_outside_change_nothing(
    anonymizer: Anonymizer, box: tuple[float, ...]
) -> None:
    image = textured(48, 60)
    np.testing.assert_array_equal(check(anonymizer, image, faces_of(box)), image)


@pytest.mark.parametrize("box", [(10, 10, 10, 10), (10, 5, 10, 20), (0, 0, 0, 0), (60, 48, 60, 48)])
def test_boxes_without_area_work(anonymizer: Anonymizer, box: tuple[float, ...]) -> None:
    image = textured(48, 60)
    lonely = check(anonymizer, image, faces_of(box))
    np.testing.assert_array_equal(lonely, image)
    both = check(anonymizer, image, faces_of(box, (30, 20, 50, 40)))
    np.testing.assert_array_equal(both, anonymizer(image, faces_of((30, 20, 50, 40))))


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 2), (3, 5)])
def test_tiny_pictures(anonymizer: Anonymizer, shape: tuple[int, int]) -> None:
    check(anonymizer, textured(*shape), faces_of((0, 0, shape[1], shape[0])))
    check(anonymizer, textured(*shape), faces_of((-9, -9, 90, 90), (0, 0, 1, 1)))


def test_a_picture_of_no_pixels(anonymizer: Anonymizer) -> None:
    assert anonymizer(np.zeros((0, 7, 3), np.uint8), faces_of((0, 0, 5, 5))).shape == (0, 7, 3)


def test_a_face_of_two_thousand_pixels(anonymizer: Anonymizer) -> None:
    image = np.tile(textured(300, 300), (7, 7, 1))
    faces = faces_of((30, 80, 2030, 2080))
    out = anonymizer(image, faces)
    assert share_changed(anonymizer, image, out, faces) > 0.9
    detail, left = (
        cv2.absdiff(picture[100:2000, 101:2000], picture[100:2000, 100:1999]).mean()
        for picture in (image, out)
    )
    assert left < detail / 5


def test_pictures_that_are_views_of_others(anonymizer: Anonymizer) -> None:
    image, faces = textured(60, 80), faces_of((10, 10, 40, 40))
    expected = anonymizer(image, faces)
    flipped = np.ascontiguousarray(image[:, ::-1])[:, ::-1]
    np.testing.assert_array_equal(check(anonymizer, flipped, faces), expected)
    frozen = image.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(check(anonymizer, frozen, faces), expected)
    bgr = np.ascontiguousarray(image[..., ::-1])[..., ::-1]
    np.testing.assert_array_equal(check(anonymizer, bgr, faces), expected)


def test_ignored_faces_and_low_scores_are_hidden_too(anonymizer: Anonymizer) -> None:
    image, boxes = textured(60, 80), np.array([[5, 5, 30, 30], [40, 20, 70, 50]], np.float32)
    plain = anonymizer(image, Faces(boxes))
    ignored = anonymizer(image, Faces(boxes, np.zeros(2, np.float32), np.ones(2, bool)))
    np.testing.assert_array_equal(plain, ignored)


def crowd(seed: int, count: int) -> Faces:
    """Overlapping boxes, each of another area."""
    rng = np.random.default_rng(seed)
    sides = rng.permutation(np.arange(6, 6 + count))[:, None]
    low = rng.integers(-8, 90, (count, 2))
    return Faces(np.concatenate([low, low + sides], axis=1).astype(np.float32))


def _distinct(faces: Faces, image: Array) -> Faces:
    """Those whose areas inside the picture differ: of equal ones the order may decide."""
    areas = boxlib.area(boxlib.to_pixels(faces.boxes, *image.shape[:2]))
    return faces[np.unique(areas, return_index=True)[1]]


@pytest.mark.parametrize("seed", range(2))
def test_the_order_of_faces_does_not_matter(anonymizer: Anonymizer, seed: int) -> None:
    image = textured(96, 96, seed)
    faces = _distinct(crowd(seed, 24), image)
    expected = anonymizer(image, faces)
    for turn in range(3):
        order = np.random.default_rng(turn).permutation(len(faces))
        np.testing.assert_array_equal(anonymizer(image, faces[order]), expected)


def test_a_face_twice_is_a_face_once(anonymizer: Anonymizer) -> None:
    image = textured(60, 80)
    once = anonymizer(image, faces_of((10, 10, 50, 50)))
    twice = anonymizer(image, faces_of((10, 10, 50, 50), (10, 10, 50, 50)))
    np.testing.assert_array_equal(once, twice)


@pytest.mark.parametrize("name", LOCAL)
@pytest.mark.parametrize("seed", range(3))
def test_each_pixel_is_the_cover_of_the_largest_box_that_holds_it(name: str, seed: int) -> None:
    """So overlap neither hides twice nor un-hides, and all is made from the original picture."""
    anonymizer, image = make_anonymizer(name, HARD), textured(96, 96, seed)
    faces = _distinct(crowd(seed, 25), image)
    pixels = boxlib.to_pixels(faces.boxes, *image.shape[:2])
    largest_last = np.argsort(boxlib.area(pixels), kind="stable")
    expected = image.copy()
    for i in largest_last:
        x1, y1, x2, y2 = pixels[i]
        expected[y1:y2, x1:x2] = anonymizer(image, faces[np.array([i])])[y1:y2, x1:x2]
    np.testing.assert_array_equal(anonymizer(image, faces), expected)


@pytest.mark.parametrize("name", LOCAL)
def test_a_cover_is_made_from_the_box_alone(name: str) -> None:
    image, faces = textured(96, 96), faces_of((20, 30, 61, 77))
    inside = boxlib.mask(faces.boxes, 96, 96)
    elsewhere = np.where(inside[..., None], image, 255 - image)
    anonymizer = make_anonymizer(name, HARD)
    np.testing.assert_array_equal(
        anonymizer(elsewhere, faces)[inside], anonymizer(image, faces)[inside]
    )


@pytest.mark.parametrize("name", ["dartblur", FRAMES])
def test_a_painter_on_top_of_the_blur_sees_only_the_blur(name: str) -> None:
    """Two pictures with the same blur of faces get the same faces: nothing clear gets through."""
    anonymizer, image = make(name), textured(96, 96)
    assert isinstance(anonymizer, Dartblur)
    blur = anonymizer.metadata.blur
    faces = faces_of((20, 30, 61, 77), (50, 40, 80, 66), (2, 2, 14, 14))
    blurred = blur(image, faces)
    out = anonymizer(image, faces)
    assert np.abs(out.astype(int) - blurred).mean() < 20
    # Detail that the blur takes away, put on top of the picture.
    rng = np.random.default_rng(0)
    tried = 0
    for _ in range(200):
        other = image.copy()
        x, y = rng.integers(22, 58), rng.integers(32, 74)
        other[y, x] ^= 1
        if np.array_equal(blur(other, faces), blurred):
            tried += 1
            np.testing.assert_array_equal(anonymizer(other, faces), out)
    assert tried


@pytest.mark.parametrize("shape", ["box", "ellipse"])
@pytest.mark.parametrize("name", LOCAL)
def test_no_edge_is_seen_around_faces(name: str, shape: Shape) -> None:
    image, faces = smooth(160, 200), faces_of((30, 30, 90, 100), (70, 60, 160, 150))
    image[40:140, 40:150] = 255 - image[40:140, 40:150]
    hidden = make_anonymizer(name, MethodSettings(colour=(250, 250, 250), shape=shape))(
        image, faces
    )
    border = boxlib.mask(faces.boxes, *image.shape[:2], shape)
    border &= ~cv2.erode(border.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    near = cv2.dilate(border.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    steps = np.abs(np.diff(hidden.astype(int), axis=1)).max(axis=2)
    assert np.percentile(steps[near[:, 1:]], 95) < 40


class Pasted:
    """Hides faces under what was drawn beforehand: nothing of the clear picture."""

    def __init__(self, patch: Array) -> None:
        self.patch = patch

    def __call__(self, image: Array, faces: Faces) -> Array:
        inside = boxlib.mask(faces.boxes, *image.shape[:2])
        return np.where(inside[..., None], self.patch, image)


@pytest.mark.parametrize("wrapper", [Blended, Ellipses])
def test_blending_takes_nothing_from_a_hidden_pixel(wrapper: type[Blended | Ellipses]) -> None:
    image, faces = textured(96, 96), faces_of((20, 30, 61, 77), (50, 40, 96, 66), (2, 2, 14, 14))
    anonymizer = wrapper(Pasted(textured(96, 96, seed=1)))
    hidden = mask(anonymizer, faces, image)
    other = np.where(hidden[..., None], 255 - image, image)
    out = check(anonymizer, image, faces)
    np.testing.assert_array_equal(anonymizer(other, faces), out)


@settings(max_examples=25)
@given(data=st.data())
def test_any_faces_in_any_picture(anonymizer: Anonymizer, data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    count = data.draw(st.integers(0, 6))
    numbers = st.floats(-60, 100, width=32)
    corners = data.draw(arrays(np.float32, (count, 2, 2), elements=numbers))
    faces = Faces(np.sort(corners, axis=1).reshape(count, 4))
    check(anonymizer, textured(height, width), faces)
