"""Where the full-frame generator looks, and how its change comes back to the whole picture."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pictures import FRAME_WEIGHTS, textured

from dartblur import boxes as boxlib
from dartblur.anonymizers import Dartblur, Gaussian
from dartblur.anonymizers.frames import CELL, GREY, Frame, FrameGeometry, add_change, extract
from dartblur.faces import Faces

Array = np.ndarray


def boxes_of(*boxes: tuple[int, ...]) -> Array:
    return np.array(boxes, np.int64).reshape(-1, 4)


def carried(picture: Array, frames: list[Frame], changes: list[Array]) -> Array:
    out = picture.copy()
    for frame, change in zip(frames, changes, strict=True):
        add_change(out, picture, frame, change.astype(np.float32))
    return out


def test_a_picture_of_the_training_scale_is_shown_as_it_is() -> None:
    picture = textured(40, 80)
    (frame,) = extract(picture, boxes_of((10, 5, 30, 33)), FrameGeometry(80))
    assert frame.pixels.shape == (64, 96, 3)
    np.testing.assert_array_equal(frame.pixels[:40, :80], picture)
    assert (frame.pixels[40:] == GREY).all()
    assert (frame.pixels[:, 80:] == GREY).all()
    np.testing.assert_array_equal(frame.mask[:40, :80], boxlib.mask(frame.boxes, 40, 80))
    assert not frame.mask[40:].any()


def test_a_small_picture_is_never_enlarged() -> None:
    (frame,) = extract(textured(30, 30), boxes_of((2, 2, 9, 9)), FrameGeometry(768))
    assert frame.place.tolist() == [0, 0, 32, 32]
    assert frame.mask.sum() == 49


def test_a_face_of_any_size_is_seen_at_the_training_scale() -> None:
    picture = textured(300, 600)
    (frame,) = extract(picture, boxes_of((100, 20, 380, 290)), FrameGeometry(100))
    height, width = frame.mask.shape
    spans = frame.place[2:] - frame.place[:2]
    np.testing.assert_allclose(spans / [width, height], 6, rtol=0.01)
    assert frame.mask.sum() == pytest.approx(280 * 270 / 36, rel=0.1)


@given(data=st.data())
def test_frames_hold_their_boxes_and_share_no_face(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 700)), data.draw(st.integers(1, 700))
    size = data.draw(st.integers(20, 200))
    count = data.draw(st.integers(0, 12))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    low = rng.uniform(-20, [width, height], (count, 2))
    boxes = boxlib.to_pixels(
        np.concatenate([low, low + rng.uniform(0, 90, (count, 2))], 1), height, width
    )
    picture = np.zeros((height, width, 3), np.uint8)
    frames = list(extract(picture, boxes, FrameGeometry(size)))
    held = np.concatenate([np.zeros((0, 4), np.int64), *(f.boxes for f in frames)])
    assert sorted(held.tolist()) == sorted(boxes[boxlib.area(boxes) > 0].tolist())
    for frame in frames:
        assert (frame.place[:2] >= 0).all()
        assert (frame.boxes[:, :2] >= frame.place[:2]).all()
        assert (frame.boxes[:, 2:] <= frame.place[2:]).all()
        assert all(side % CELL == 0 for side in frame.mask.shape)


@pytest.mark.parametrize("size", [64, 100, 211, 400])
def test_a_change_stays_in_the_boxes_and_nothing_comes_in_from_outside_them(size: int) -> None:
    """Outside the mask the generator's answer is rubbish, and no pixel of it may get through."""
    rng = np.random.default_rng(0)
    picture = np.full((300, 400, 3), 100, np.uint8)
    boxes = boxes_of((13, 17, 60, 71), (50, 60, 131, 140), (390, 290, 400, 300), (200, 7, 203, 8))
    frames = list(extract(picture, boxes, FrameGeometry(size)))
    changes = [
        np.where(f.mask[..., None], 50.0, rng.uniform(-255, 255, (*f.mask.shape, 3)))
        for f in frames
    ]
    inside = boxlib.mask(boxes, 300, 400)
    out = carried(picture, frames, changes)
    assert (out[inside] == 150).all()
    assert (out[~inside] == 100).all()


@pytest.mark.parametrize("size", [100, 150, 230])
def test_a_slope_comes_back_as_a_slope(size: int) -> None:
    """No step, no blocks, no shift: not inside a face and not where two overlap."""
    picture = np.full((600, 900, 3), 100, np.uint8)
    boxes = boxes_of((100, 150, 500, 450), (400, 300, 700, 580))
    (frame,) = extract(picture, boxes, FrameGeometry(size))
    height, width = frame.mask.shape
    left, top, right, bottom = frame.place
    x = left + (np.arange(width) + 0.5) * (right - left) / width
    y = top + (np.arange(height) + 0.5) * (bottom - top) / height
    x, y = np.meshgrid(x, y)
    out = carried(picture, [frame], [np.stack([0.1 * x, 0.2 * y, 0 * x], 2)]).astype(float)
    rows, columns = np.mgrid[:600, :900]
    # At the edge of a box the last pixels of the mask go on.
    deep = np.zeros((600, 900), bool)
    cell = int(np.ceil(900 / size)) + 1
    for x1, y1, x2, y2 in boxes:
        deep[y1 + cell : y2 - cell, x1 + cell : x2 - cell] = True
    np.testing.assert_allclose(out[deep, 0], 100 + 0.1 * (columns[deep] + 0.5), atol=0.51)
    np.testing.assert_allclose(out[deep, 1], 100 + 0.2 * (rows[deep] + 0.5), atol=0.51)
    inside = boxlib.mask(boxes, 600, 900)
    steps = np.abs(np.diff(out, axis=1)).max(axis=2)[inside[:, 1:] & inside[:, :-1]]
    assert steps.max() <= 1


def test_a_large_picture_with_few_faces_costs_little() -> None:
    rng = np.random.default_rng(0)
    picture = np.zeros((4000, 6000, 3), np.uint8)
    picture[::2, :1000] = rng.integers(0, 256, (2000, 1000, 3), np.uint8)
    picture[::2, 3000:] = rng.integers(0, 256, (2000, 3000, 3), np.uint8)
    faces = np.array([[700, 800, 900, 1050], [5900, 3900, 6100, 4100], [3000, 100, 3080, 190]])
    frames = list(extract(picture, boxlib.to_pixels(faces, 4000, 6000), FrameGeometry(768)))
    assert len(frames) == 3
    assert sum(f.mask.size for f in frames) < 768 * 512 / 3
    anonymizer = Dartblur(FRAME_WEIGHTS)
    out = anonymizer(picture, Faces(faces.astype(np.float32)))
    for x1, y1, x2, y2 in boxlib.to_pixels(faces, 4000, 6000):
        assert (out[y1:y2, x1:x2] != picture[y1:y2, x1:x2]).any(axis=2).mean() > 0.9
        out[y1:y2, x1:x2] = picture[y1:y2, x1:x2]
    assert np.array_equal(out, picture)


def test_a_crowd_costs_no_more_than_the_whole() -> None:
    rng = np.random.default_rng(1)
    low = rng.integers(0, 900, (300, 2))
    frames = list(
        extract(textured(1000, 1000), np.concatenate([low, low + 40], 1), FrameGeometry(320))
    )
    assert sum(f.mask.size for f in frames) <= 320 * 320


def painted(session: ort.InferenceSession, picture: Array, mask: Array) -> Array:
    inputs = {
        "blurred": np.ascontiguousarray(picture.transpose(2, 0, 1)[None].astype(np.float32)),
        "mask": mask[None, None].astype(np.float32),
    }
    return np.asarray(session.run(None, inputs)[0])[0].transpose(1, 2, 0)


def test_a_face_gets_what_the_whole_picture_would_give_it() -> None:
    session = ort.InferenceSession(FRAME_WEIGHTS, providers=["CPUExecutionProvider"])
    boxes = boxes_of((5, 150, 60, 200), (201, 130, 231, 170), (390, 290, 400, 300))
    picture = Gaussian()(textured(300, 400), Faces(boxes.astype(np.float32)))
    padded = np.full((320, 416, 3), GREY, np.uint8)
    padded[:300, :400] = picture
    whole = painted(session, padded, boxlib.mask(boxes, 320, 416))
    frames = list(extract(picture, boxes, FrameGeometry(400)))
    assert len(frames) == 3
    for frame in frames:
        part = painted(session, frame.pixels, frame.mask)
        left, top, right, bottom = frame.place
        wanted = whole[top:bottom, left:right][frame.mask]
        np.testing.assert_allclose(part[frame.mask], wanted, atol=0.1)


def test_the_generator_paints_over_the_blur() -> None:
    picture, faces = textured(200, 300), Faces(np.array([[40, 50, 160, 170]], np.float32))
    blurred = Gaussian()(picture, faces).astype(int)
    change = np.abs(Dartblur(FRAME_WEIGHTS)(picture, faces) - blurred)[50:170, 40:160]
    assert change.max() > 3
    assert change.mean() < 40
