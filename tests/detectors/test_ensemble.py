"""Members and the fusion of their boxes, with a network that is a stub."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.detectors.ensemble import Calibration, Ensemble, Member
from dartblur.onnx_runtime import Inputs, Network

Array = np.ndarray
STUB = Path("stub.onnx")


@dataclass(frozen=True)
class Bright(Network):
    """Finds the bounding box of what is brighter than 200, with the score 0.5."""

    def __call__(self, inputs: Inputs) -> dict[str, Array]:
        return {"bright": (inputs["image"][..., 0] > 200).astype(np.float32)}


def decode(maps: dict[str, Array], index: int, floor: float) -> tuple[Array, Array]:
    y, x = np.nonzero(maps["bright"][index])
    if not len(x) or floor > 0.5:
        return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    box = np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1]], np.float32)
    return box, np.array([0.5], np.float32)


def picture(height: int, width: int, box: tuple[int, int, int, int]) -> Array:
    image = np.zeros((height, width, 3), np.uint8)
    x1, y1, x2, y2 = box
    image[y1:y2, x1:x2] = 255
    return image


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("zoom", [0.5, 1, 2, 3])
@pytest.mark.parametrize("size", [(320, 640), (333, 601), (1500, 900)])
def test_boxes_come_back_in_pixels_of_the_picture(
    size: tuple[int, int], zoom: float, mirrored: bool
) -> None:
    box = (150, 200, 190, 260)
    member = Member(Bright(STUB), decode, zoom, mirrored=mirrored)
    found, scores = member(picture(*size, box), 0.1)
    # Tiles that see a part of it give a box of that part.
    assert np.abs(found - np.array(box)).max(axis=1).min() <= 4
    np.testing.assert_allclose(scores, 0.5)


def test_what_several_looks_find_is_one_face() -> None:
    members = tuple(Member(Bright(STUB), decode, zoom) for zoom in (0.5, 1, 2))
    [faces] = Ensemble(members, 0.3)([picture(320, 320, (100, 60, 164, 124))])
    np.testing.assert_allclose(faces.boxes, [[100, 60, 164, 124]], atol=2)


def test_two_members_that_see_the_same_view_share_a_search() -> None:
    looked = []

    def spied(maps: dict[str, Array], index: int, floor: float) -> tuple[Array, Array]:
        looked.append(maps["bright"].shape)
        return decode(maps, index, floor)

    members = tuple(Member(Bright(STUB), spied, 1, own_size=size) for size in (409_600, 4_000_000))
    ensemble = Ensemble(members, 0.3)
    # A small picture is shrunk by neither, a large one by one of them.
    for size, searches in ((320, 1), (704, 2)):
        image = picture(size, size, (100, 60, 164, 124))
        looked.clear()
        faces, evidence = ensemble.search(image)
        assert len(looked) == searches
        assert evidence.seen.tolist() == [2]
        apart = [Ensemble((member,), 0.3)([image])[0].boxes for member in members]
        np.testing.assert_allclose(faces.boxes, np.mean(apart, axis=0), atol=2)
    mirrored = replace(members[0], mirrored=True)
    looked.clear()
    Ensemble((members[0], mirrored), 0.3)([picture(320, 320, (100, 60, 164, 124))])
    assert len(looked) == 2


def test_a_face_under_the_threshold_is_left_out() -> None:
    members = (Member(Bright(STUB), decode, 1),)
    image = picture(320, 320, (100, 60, 164, 124))
    assert [len(Ensemble(members, t)([image])[0]) for t in (0.4, 0.5, 0.6)] == [1, 1, 0]


def test_boxes_are_cut_at_the_picture() -> None:
    def wide(maps: dict[str, Array], index: int, floor: float) -> tuple[Array, Array]:
        return np.array([[-50, -50, 20, 20], [-90, 5, -10, 9]], np.float32), np.ones(2, np.float32)

    [faces] = Ensemble((Member(Bright(STUB), wide, 1),), 0.3)([picture(64, 64, (0, 0, 1, 1))])
    np.testing.assert_array_equal(faces.boxes, [[0, 0, 20, 20]])


@given(st.floats(0.02, 0.98), st.floats(0.5, 2), st.floats(-2, 2))
def test_a_calibration_has_its_inverse(score: float, gain: float, shift: float) -> None:
    calibration = Calibration(gain, shift)
    common = float(calibration(np.array([score]))[0])
    assert calibration.inverse(common) == pytest.approx(score, rel=1e-4)


def test_a_calibration_by_hand() -> None:
    # odds 3 : 1, squared 9 : 1, and a third of that by the shift: 3 : 1
    assert Calibration(2, -np.log(3))(np.array([0.75]))[0] == pytest.approx(0.75)
    np.testing.assert_allclose(Calibration()(np.array([0.1, 0.6])), [0.1, 0.6])


def nothing(maps: dict[str, Array], index: int, floor: float) -> tuple[Array, Array]:
    return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)


def test_a_box_of_one_look_needs_more_and_a_box_of_all_less() -> None:
    image = picture(320, 320, (100, 60, 164, 124))
    finder, silent = Member(Bright(STUB), decode, 1), Member(Bright(STUB), nothing, 1)
    vote = float(np.log(3))
    for members, score in (
        ((finder,), 0.5),
        ((finder, finder), 0.75),
        ((finder, silent), 0.25),
        ((finder, silent, finder), 0.5),
        ((finder, silent, silent), 0.1),
    ):
        [faces] = Ensemble(members, 0.05, vote=vote)([image])
        assert faces.scores[0] == pytest.approx(score)
    assert not len(Ensemble((finder, silent), 0.4, vote=vote)([image])[0])


@pytest.mark.parametrize(
    ("box", "finder", "other"),
    # Of 12 pixels, which only the larger zoom sees as more than 20, and of 300, which only the
    # smaller sees as less than 256.
    [((100, 60, 112, 72), 3, 1), ((100, 100, 400, 400), 0.5, 1)],
)
def test_looks_that_do_not_see_such_a_size_have_no_vote(
    box: tuple[int, int, int, int], finder: float, other: float
) -> None:
    members = (
        Member(Bright(STUB), decode, finder, own_size=1),
        Member(Bright(STUB), nothing, other, own_size=1),
    )
    [faces] = Ensemble(members, 0.05, vote=2.0)([picture(512, 512, box)])
    assert faces.scores.max() == pytest.approx(0.5)


def shifted(maps: dict[str, Array], index: int, floor: float) -> tuple[Array, Array]:
    boxes, scores = decode(maps, index, floor)
    return boxes + np.array([0, 40, 0, 40], np.float32), scores


def test_a_member_that_sees_the_face_elsewhere_abstains() -> None:
    image = picture(320, 320, (100, 60, 164, 124))
    finder, beside = Member(Bright(STUB), decode, 1), Member(Bright(STUB), shifted, 1)
    # They overlap by 64 x 24 of 64 x 104: too little for one face, too much for nothing there.
    [faces] = Ensemble((finder, beside), 0.05, vote=2.0)([image])
    assert faces.scores.tolist() == pytest.approx([0.5, 0.5])


def lower(maps: dict[str, Array], index: int, floor: float) -> tuple[Array, Array]:
    boxes, scores = decode(maps, index, floor)
    return boxes + np.array([0, 8, 0, 8], np.float32), scores


def test_a_box_reaches_as_far_as_its_members_disagree() -> None:
    image = picture(320, 320, (100, 60, 164, 124))
    members = Member(Bright(STUB), decode, 1), Member(Bright(STUB), lower, 1)
    # The mean lies 4 pixels lower than the first, and so much do both deviate from it.
    for spread, box in ((0, (100, 64, 164, 128)), (0.5, (100, 62, 164, 130))):
        [faces] = Ensemble(members, 0.3, spread=spread)([image])
        np.testing.assert_allclose(faces.boxes, [box], atol=1e-3)


@dataclass(frozen=True)
class Scored:
    """Decodes to given boxes with given scores, down to the floor."""

    rows: tuple[tuple[float, ...], ...]

    def __call__(self, maps: dict[str, Array], index: int, floor: float) -> tuple[Array, Array]:
        rows = np.array(self.rows, np.float32).reshape(-1, 5)
        rows = rows[rows[:, 4] >= floor]
        return rows[:, :4], rows[:, 4]


def member_of(*rows: tuple[float, ...]) -> Member:
    return Member(Bright(STUB), Scored(rows), 1)


FACE, FAINT, DUST = (9, 9, 60, 60), (100, 100, 150, 150), (200, 200, 250, 250)


def test_what_is_nearly_a_face_is_told_beside_the_faces() -> None:
    members = (
        member_of((*FACE, 0.8), (*FAINT, 0.12), (*DUST, 0.05)),
        member_of((*FACE, 0.15), (*FAINT, 0.18)),
        member_of((*FACE, 0.11)),
    )
    image = np.zeros((320, 320, 3), np.uint8)
    faces, evidence = Ensemble(members, 0.2).search(image)
    assert faces == Ensemble(members, 0.2)([image])[0]
    np.testing.assert_allclose(faces.boxes, [FACE])
    # 0.11 and 0.12 are too faint to count.
    assert (evidence.passes, evidence.threshold, evidence.seen.tolist()) == (3, 0.2, [2])
    np.testing.assert_allclose(evidence.faint.boxes, [FAINT], atol=1e-3)
    assert evidence.faint.scores.tolist() == pytest.approx([0.18])
    assert evidence.faint_seen.tolist() == [1]


def test_what_is_told_beside_changes_no_face() -> None:
    """A box too faint to help does not move the ones that it overlaps, and gives no vote."""
    image = np.zeros((320, 320, 3), np.uint8)
    sure = member_of((*FACE, 0.3))
    for faint in ((), ((12, 12, 63, 63, 0.13),)):
        [faces] = Ensemble((sure, member_of(*faint)), 0.2, vote=0.5, spread=1)([image])
        np.testing.assert_array_equal(faces.boxes, [FACE])
        assert faces.scores[0] == pytest.approx(1 / (1 + np.exp(0.5) * 7 / 3), abs=1e-3)


def test_nothing_is_told_of_an_empty_picture() -> None:
    faces, evidence = Ensemble((member_of(), member_of()), 0.2).search(
        np.zeros((0, 9, 3), np.uint8)
    )
    assert (len(faces), len(evidence.faint), evidence.passes) == (0, 0, 2)
