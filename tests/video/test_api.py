"""What Python users call: one film, or frames of any source, by the rules of films."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.video.films import COVER, RedFinder, is_red, make_film, pictures, scene

from dartblur.errors import UsageError, VideoError
from dartblur.faces import Image
from dartblur.pipeline import Pipeline
from dartblur.video import VideoOptions, processor
from dartblur.video.api import anonymize_frames, anonymize_video

BLIND = frozenset({0, 1, *range(9, 20), 58, 59})


def pipeline(blind: frozenset[int] = frozenset()) -> Pipeline:
    return Pipeline(RedFinder(blind), COVER)


def test_frames_come_back_in_order_with_every_face_hidden() -> None:
    frames = [scene(i % 30) for i in range(60)]
    clear = [frame.copy() for frame in frames]
    safe = list(anonymize_frames(frames, fps=25, pipeline=pipeline(BLIND)))
    assert len(safe) == 60
    assert not any(is_red(image).any() for image in safe)
    for before, after, made in zip(clear, frames, safe, strict=True):
        np.testing.assert_array_equal(before, after)
        np.testing.assert_array_equal(before[:11], made[:11])


def test_frames_follow_the_rules_of_films(tmp_path: Path) -> None:
    """The same covers as for the same frames in a lossless film, cut and gaps included."""
    dark = [np.full((64, 96, 3), 10, np.uint8) for _ in range(10)]
    frames = [scene(i) for i in range(25)] + dark
    source = make_film(tmp_path / "film.mkv", frames, codec="ffv1", pixel_format="bgr0")
    anonymize_video(source, tmp_path / "safe.mkv", pipeline=pipeline(BLIND))
    made = anonymize_frames(frames, fps=25, pipeline=pipeline(BLIND))
    for wanted, image in zip(pictures(tmp_path / "safe.mkv"), made, strict=True):
        np.testing.assert_array_equal(image, wanted)


def test_times_may_be_uneven_and_delay_is_bounded() -> None:
    times = [0.0, 0.04, 0.1, 0.5, 0.52, 1.0, 1.9, 2.5, 2.6, 3.0, 9.0]
    taken: list[int] = []
    told: list[int] = []

    def frames() -> Iterator[Image]:
        for i in range(len(times)):
            taken.append(i)
            yield scene(i)

    options = VideoOptions(lookaround=0.5, bridge=1.0)
    made = anonymize_frames(
        frames(), times=times, pipeline=pipeline(), options=options, progress=told.append
    )
    assert taken == []
    waited = [times[taken[-1]] - times[i] for i, _ in enumerate(made)]
    assert told == list(range(1, 12))
    # The first frame that is more than a second later settles it.
    assert waited[0] == 1.9
    assert len(waited) == 11


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "HELD_BYTES", 5 * 64 * 96 * 3)
    taken = 0

    def frames() -> Iterator[Image]:
        nonlocal taken
        buffer = np.empty((64, 96, 3), np.uint8)
        for i in range(40):
            # A camera's buffer is written to again and again.
            buffer[:] = scene(i % 30)
            taken += 1
            yield buffer

    for done, safe in enumerate(anonymize_frames(frames(), fps=25, pipeline=pipeline())):
        assert taken - done <= 6
        assert not is_red(safe).any()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "fps or times"),
        ({"fps": 25, "times": [0]}, "fps or times"),
        ({"fps": 0}, "more than 0"),
        ({"fps": 25, "options": VideoOptions(every=0)}, "every"),
        ({"fps": 25, "method": "none-such"}, "none-such"),
    ],
)
def test_a_wrong_call_fails_before_the_first_frame(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        anonymize_frames([], **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("frames", "times", "said"),
    [
        ([scene(0), scene(0, 32, 32, size=5)], [0, 1], "frame 1 is"),
        ([scene(0)[..., 0]], [0], "frame 0 must have shape"),
        ([scene(0) / 255], [0], "uint8"),
        ([scene(0), scene(1)], [0], "no time for frame 1"),
        ([scene(0), scene(1)], [1, 1], "in order of time"),
    ],
)
def test_frames_that_do_not_fit(frames: list[Image], times: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        list(anonymize_frames(frames, times=times, pipeline=pipeline()))


def test_a_film_by_one_call(tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.mp4")
    told: list[float] = []
    report = anonymize_video(
        source,
        tmp_path / "safe.mp4",
        pipeline=pipeline(),
        boxes_out=tmp_path / "boxes.jsonl",
        progress=lambda done, _: told.append(done),
    )
    assert (report.frames, report.faces, len(told)) == (12, 1, 12)
    assert not any(is_red(image).any() for image in pictures(tmp_path / "safe.mp4"))
    assert len((tmp_path / "boxes.jsonl").read_text().splitlines()) == 13


def test_a_film_by_one_call_that_is_wrong(tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.mp4")
    before = source.read_bytes()
    with pytest.raises(UsageError, match="replace its source"):
        anonymize_video(source, source, pipeline=pipeline())
    with pytest.raises(UsageError, match="must end in"):
        anonymize_video(source, tmp_path / "safe.txt", pipeline=pipeline())
    with pytest.raises(VideoError, match=r"missing\.mp4"):
        anonymize_video(tmp_path / "missing.mp4", tmp_path / "safe.mp4", pipeline=pipeline())
    assert source.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["film.mp4"]
