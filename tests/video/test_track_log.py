"""What was hidden in a film is remembered box by box, and comes back as it was."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.video import films

from dartblur.faces import Faces
from dartblur.tracking import Tracked
from dartblur.video import FilmTracks, TrackLog, VideoOptions, VideoTask
from dartblur.video.job import hide_film

BASE = Fraction(1, 90_000)


def tracked(rows: list[tuple[float, ...]]) -> Tracked:
    table = np.array(rows, np.float64).reshape(-1, 7)
    faces = Faces(table[:, :4], table[:, 4], tracks=table[:, 5].astype(np.int64))
    return Tracked(0.0, faces, table[:, 6] == 1)


def test_there_and_back() -> None:
    log = TrackLog()
    log.begin((200, 300), BASE, VideoOptions(every=2))
    frames = [
        [],
        [(1.2, 3.7, 20.1, 40.0, 0.5, 1, 1), (-5, 8, 30, 250, 0.25, 3, 0), (7, 7, 9, 9, 1, 0, 1)],
        [(2, 3, 20, 40, 1, 1, 0)],
    ]
    faint = Faces(np.array([[50, 60, 70.5, 80], [9, 9, 400, 99]]), np.array([0.2, 0.15]))
    for number, rows in enumerate(frames):
        log.add((1 << 33) + 3600 * number, tracked(rows), faint if number == 1 else Faces.empty())
    told = FilmTracks.unpack(log.pack())
    assert (told.size, told.base, told.options) == ((200, 300), BASE, VideoOptions(every=2))
    assert told.pts.tolist() == [(1 << 33) + 3600 * n for n in range(3)]
    assert told.frames.tolist() == [1, 1, 1, 2]
    # The pixels that a box touches, within the picture; given ones last, as they were hidden.
    assert told.boxes.tolist() == [[1, 3, 21, 40], [0, 8, 30, 200], [7, 7, 9, 9], [2, 3, 20, 40]]
    assert told.tracks.tolist() == [1, 3, 0, 1]
    assert told.scores.tolist() == [0.5, 0.25, 1, 1]
    assert told.seen.tolist() == [True, False, True, False]
    assert told.faint_frames.tolist() == [1, 1]
    assert told.faint_boxes.tolist() == [[50, 60, 71, 80], [9, 9, 300, 99]]
    assert told.faint_scores.tolist() == [0.2, 0.15]


def test_many_frames_take_a_few_bytes_a_box() -> None:
    dice = np.random.default_rng(0)
    log = TrackLog()
    log.begin((1080, 1920), BASE, VideoOptions())
    place = dice.uniform(100, 900, (20, 2))
    boxes = []
    for number in range(1200):
        place = np.clip(place + dice.normal(0, 2, place.shape), 0, 1000)
        boxes.append(np.concatenate([place, place + 60], axis=1).round())
        rows = [(*box, 0.8, track, 1) for track, box in enumerate(boxes[-1].tolist(), 1)]
        log.add(3600 * number, tracked(rows), Faces.empty())
    packed = log.pack()
    assert len(packed) < 6 * 20 * 1200
    told = FilmTracks.unpack(packed)
    np.testing.assert_array_equal(told.boxes.reshape(1200, 20, 4), np.array(boxes))
    assert told.times[-1] == pytest.approx(1199 / 25)


def test_a_film_tells_what_was_hidden(tmp_path: Path) -> None:
    source = films.make_film(tmp_path / "film.mp4")
    log = TrackLog()
    finder = films.RedFinder(blind=frozenset({4, 5}))
    task = VideoTask(str(source), films.COVER, finder, options=VideoOptions())
    record = hide_film(task, tmp_path / "safe.mp4", tracks=log)
    told = FilmTracks.unpack(log.pack())
    assert len(told.pts) == record.frames == 12
    assert told.size == (64, 96)
    assert set(told.tracks.tolist()) == {1}
    assert told.frames.tolist() == list(range(12))
    assert told.frames[~told.seen].tolist() == [4, 5]
    np.testing.assert_allclose(told.times, np.arange(12) / 25, atol=1e-6)


@pytest.mark.parametrize("packed", [b"", b"{}", b"\x78\x9c\x03\x00\x00\x00\x00\x01"])
def test_something_else_is_no_log(packed: bytes) -> None:
    with pytest.raises(ValueError, match="no tracks of a film"):
        FilmTracks.unpack(packed)
