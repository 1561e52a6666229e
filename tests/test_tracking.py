"""Faces through time: what is promised about gaps, ends, cuts and delays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur import boxes as boxlib
from dartblur.faces import Faces
from dartblur.tracking import Tracked, Tracker

STEP = 0.04


def box_at(x: float, y: float = 50, size: float = 30) -> Faces:
    return Faces(np.array([[x, y, x + size, y + size]], np.float32))


def follow(
    frames: list[Faces | None], tracker: Tracker | None = None, cuts: frozenset[int] = frozenset()
) -> list[Tracked]:
    tracker = tracker or Tracker()
    out = []
    for i, faces in enumerate(frames):
        out += tracker.push(i * STEP, faces, cut=i in cuts)
    return out + tracker.flush()


def holds(cover: Tracked, faces: Faces) -> bool:
    shares = boxlib.hidden_share(faces.boxes, cover.faces.boxes)
    return bool((shares > 1 - 1e-6).all())


def test_a_gap_between_two_sightings_is_filled_along_the_way() -> None:
    truth = [box_at(10 + 4 * i) for i in range(60)]
    seen = [f if i < 15 or i >= 45 else Faces.empty() for i, f in enumerate(truth)]
    covers = follow(list(seen))
    for cover, faces in zip(covers, truth, strict=True):
        assert boxlib.hidden_share(faces.boxes, cover.faces.boxes)[0] > 0.9
    assert len({number for cover in covers for number in cover.faces.tracks}) == 1
    assert [bool(c.seen.any()) for c in covers] == [len(f) > 0 for f in seen]


def test_a_gap_longer_than_the_bridge_is_left_open() -> None:
    frames = [box_at(10) if i in (0, 80) else Faces.empty() for i in range(81)]
    covers = follow(list(frames), Tracker(lookaround=0.2, bridge=1.0))
    hidden = [len(c.faces) > 0 for c in covers]
    assert hidden == [i <= 5 or i >= 75 for i in range(81)]


def test_a_track_reaches_half_a_second_beyond_both_its_ends() -> None:
    truth = [box_at(100 + 2 * i) for i in range(50)]
    frames = [f if 20 <= i < 30 else Faces.empty() for i, f in enumerate(truth)]
    covers = follow(list(frames), Tracker(lookaround=0.5))
    assert [i for i, c in enumerate(covers) if len(c.faces)] == list(range(8, 42))
    # It moves on as it moved, so that a face that the detector lost stays covered.
    for i in (16, 19, 30, 33):
        assert boxlib.hidden_share(truth[i].boxes, covers[i].faces.boxes)[0] > 0.9


def test_a_single_sighting_is_extended_too() -> None:
    covers = follow([box_at(10) if i == 20 else Faces.empty() for i in range(41)])
    assert sum(len(c.faces) for c in covers) == 2 * 12 + 1


def faint(score: float) -> Faces:
    return Faces(box_at(10).boxes, np.array([score], np.float32))


@pytest.mark.parametrize(
    ("score", "every", "others", "hidden"),
    [
        (0.19, 1, (), 1),  # where it was seen, alone
        (0.21, 1, (), 25),
        (0.19, 1, (24,), 29),  # seen twice
        (0.19, 10, (), 25),  # looked at too seldom to say
    ],
)
def test_one_faint_sighting_is_hidden_where_it_was_seen(
    score: float, every: int, others: tuple[int, ...], hidden: int
) -> None:
    frames: list[Faces | None] = [Faces.empty() if i % every == 0 else None for i in range(60)]
    for i in (20, *others):
        frames[i] = faint(score)
    covers = follow(frames)
    assert sum(len(c.faces) for c in covers) == hidden
    assert len(covers[20].faces) == 1


def test_a_cut_of_scene_ends_tracks_on_both_sides() -> None:
    frames = [box_at(10) if i < 10 else Faces.empty() for i in range(20)]
    frames += [box_at(300) if i >= 10 else Faces.empty() for i in range(20)]
    covers = follow(list(frames), cuts=frozenset({20}))
    assert all(c.faces.boxes[:, 0].max(initial=0) < 200 for c in covers[:20])
    assert all(c.faces.boxes[:, 0].min(initial=400) > 200 for c in covers[20:])


def test_frames_that_were_not_looked_at_are_carried() -> None:
    truth = [box_at(10 + 3 * i) for i in range(61)]
    frames = [f if i % 5 == 0 else None for i, f in enumerate(truth)]
    covers = follow(list(frames))
    for i, (cover, faces) in enumerate(zip(covers, truth, strict=True)):
        if i > 10:
            assert boxlib.hidden_share(faces.boxes, cover.faces.boxes)[0] > 0.9


def test_fast_faces_keep_their_track() -> None:
    covers = follow([box_at(15 * i) if i % 2 == 0 else None for i in range(20)])
    assert len({number for cover in covers for number in cover.faces.tracks}) == 1


def test_still_boxes_stay_still_under_a_jittering_detector() -> None:
    noise = np.random.default_rng(0).normal(0, 2, 80)
    covers = follow([box_at(100 + float(n)) for n in noise])
    middles = np.array([c.faces.boxes[0, [0, 2]].mean() for c in covers])
    assert np.abs(np.diff(middles)).mean() < 0.6 * np.abs(np.diff(noise)).mean()


@given(
    st.lists(
        st.lists(
            st.tuples(st.floats(0, 300), st.floats(0, 200), st.floats(1, 90), st.floats(1, 90)),
            max_size=4,
        ),
        min_size=1,
        max_size=40,
    ),
    st.sets(st.integers(0, 40), max_size=3),
)
def test_every_frame_comes_out_once_and_its_detections_are_covered(
    rows: list[list[tuple[float, float, float, float]]], cuts: set[int]
) -> None:
    frames = [Faces(np.array([(x, y, x + w, y + h) for x, y, w, h in r])) for r in rows]
    covers = follow(list(frames), cuts=frozenset(cuts))
    assert [c.time for c in covers] == [i * STEP for i in range(len(frames))]
    for cover, faces in zip(covers, frames, strict=True):
        grown = cover.faces.with_boxes(boxlib.grow(cover.faces.boxes, 1e-4))
        assert holds(Tracked(cover.time, grown, cover.seen), faces)


def test_the_delay_is_bounded_and_so_is_what_is_kept() -> None:
    tracker = Tracker(lookaround=0.5, bridge=2.0)
    for i in range(3000):
        tracker.push(i * STEP, box_at(100 + 50 * np.sin(i / 20)))
        assert tracker.waiting <= 2.0 / STEP + 2
    assert max(len(track.times) for track in tracker._tracks) < 100
    assert len(tracker._tracks) == 1


def test_the_oldest_frame_can_be_had_early() -> None:
    tracker = Tracker()
    tracker.push(0.0, box_at(10))
    tracker.push(0.04, box_at(12))
    assert holds(tracker.oldest(), box_at(10))
    assert tracker.waiting == 1


@pytest.mark.parametrize("later", [0.0, -1.0, 1.0])
def test_time_must_grow(later: float) -> None:
    tracker = Tracker()
    tracker.push(1.0, None)
    with pytest.raises(ValueError, match="order of time"):
        tracker.push(later, None)


@pytest.mark.parametrize(("lookaround", "bridge"), [(-1, 1), (1, -1), (float("nan"), 1)])
def test_negative_seconds_are_refused(lookaround: float, bridge: float) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        Tracker(lookaround, bridge)
