"""No frame in which a face shows: gaps, cuts, given boxes, tight memory, live sources."""

from __future__ import annotations

import gc
import io
import itertools
import json
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from tests.video.films import (
    COVER,
    RedFinder,
    frame_times,
    hide,
    is_red,
    make_film,
    packets,
    pictures,
    scene,
)

from dartblur.errors import BoxesError
from dartblur.faces import Faces, Image
from dartblur.video import (
    VideoOptions,
    VideoReport,
    VideoTask,
    anonymize_video,
    is_video,
    processor,
)
from dartblur.video.planes import plane_arrays
from dartblur.video.writer import Writer


def red_shows(path: Path) -> list[bool]:
    return [bool(is_red(image).any()) for image in pictures(path)]


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def with_boxes(
    source: Path, target: Path, given: Path | None = None, out: Path | None = None
) -> VideoReport:
    task = VideoTask(str(source), COVER, None if given else RedFinder(), given=given, boxes_out=out)
    return anonymize_video(task, target)


def test_what_the_detector_misses_is_hidden_all_the_same(tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.mp4", [scene(i % 30) for i in range(30)])
    blind = frozenset({0, 1, *range(9, 20), 28, 29})
    hide(source, tmp_path / "safe.mp4", RedFinder(blind))
    assert not any(red_shows(tmp_path / "safe.mp4"))
    hide(source, tmp_path / "bare.mp4", RedFinder(blind), lookaround=0, bridge=0)
    # A frame before the next sighting is reached by smoothing alone; the others show.
    assert sum(red_shows(tmp_path / "bare.mp4")) >= len(blind) - 2


@pytest.mark.parametrize("every", [2, 3, 4])
def test_looking_at_every_nth_frame_only(every: int, tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.mp4", [scene(i) for i in range(24)])
    finder = RedFinder()
    report = hide(source, tmp_path / "safe.mp4", finder, every=every)
    assert report.searched == finder.calls == -(-24 // every)
    assert not any(red_shows(tmp_path / "safe.mp4"))


def test_a_cut_of_scene_ends_the_cover(tmp_path: Path) -> None:
    dark = [np.full((64, 96, 3), 10, np.uint8) for _ in range(10)]
    source = make_film(tmp_path / "film.mp4", [scene(i) for i in range(10)] + dark)
    hide(source, tmp_path / "safe.mp4")
    blue = [int((p[..., 2] > p[..., 0] + 60).sum()) for p in pictures(tmp_path / "safe.mp4")]
    assert min(blue[:10]) > 0
    assert max(blue[10:]) == 0


def test_a_flash_is_no_cut(tmp_path: Path) -> None:
    frames = [scene(i) for i in range(20)]
    bright = [np.clip(f.astype(int) + 25, 0, 255).astype(np.uint8) for f in frames]
    mixed = [bright[i] if i in (8, 9) else f for i, f in enumerate(frames)]
    source = make_film(tmp_path / "film.mp4", mixed)
    hide(source, tmp_path / "safe.mp4", RedFinder(frozenset({8, 9, 10})))
    assert not any(red_shows(tmp_path / "safe.mp4"))


def test_films_that_wait_as_packets_come_out_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_film(tmp_path / "film.mp4", [scene(i % 30) for i in range(70)], sound=True)
    encoded: list[list[bytes]] = []
    write = Writer.write

    def spy(writer: Writer, frame: av.VideoFrame, pts: int, duration: int) -> None:
        encoded[-1].append(b"".join(plane.tobytes() for plane in plane_arrays(frame)))
        write(writer, frame, pts, duration)

    monkeypatch.setattr(Writer, "write", spy)
    for name, held in (("held", processor.HELD_BYTES), ("again", 400_000)):
        encoded.append([])
        monkeypatch.setattr(processor, "HELD_BYTES", held)
        hide(source, tmp_path / f"{name}.mp4", RedFinder(frozenset({5, 6})))
    assert encoded[0] == encoded[1]
    assert len(encoded[0]) == 70
    assert packets(tmp_path / "held.mp4", "audio") == packets(tmp_path / "again.mp4", "audio")


def test_where_little_may_wait_seen_faces_are_hidden_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_film(tmp_path / "film.mp4", [scene(i % 30) for i in range(70)])
    monkeypatch.setattr(processor, "HELD_BYTES", 3000)
    hide(source, tmp_path / "safe.mp4", RedFinder(frozenset({30})))
    assert not any(red_shows(tmp_path / "safe.mp4"))


def test_boxes_go_out_and_come_in_again(tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.mp4", rotation=90)
    first = with_boxes(source, tmp_path / "a.mp4", out=tmp_path / "a.jsonl")
    assert (first.faces, first.boxes, first.frames) == (1, 12, 12)
    head, *frames = rows(tmp_path / "a.jsonl")
    assert head == {"video": "film.mp4", "width": 64, "height": 96}
    assert [row["frame"] for row in frames] == list(range(12))
    assert np.allclose([row["time"] for row in frames], [float(t) for t in frame_times(source)])
    second = with_boxes(source, tmp_path / "b.mp4", tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert (first.faces, first.boxes) == (second.faces, second.boxes)
    assert second.searched == 0
    assert not any(red_shows(tmp_path / "b.mp4"))
    for a, b in zip(frames, rows(tmp_path / "b.jsonl")[1:], strict=True):
        assert [box[:5] for box in a["boxes"]] == [box[:5] for box in b["boxes"]]  # type: ignore[attr-defined]


def test_a_person_may_mend_boxes(tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.mp4")
    mended = [{"frame": 3, "boxes": [[0, 0, 96, 64]]}, {"frame": 7, "boxes": []}]
    (tmp_path / "m.jsonl").write_text("\n".join(json.dumps(row) for row in mended) + "\n\n")
    report = with_boxes(source, tmp_path / "safe.mp4", tmp_path / "m.jsonl")
    assert report.faces == 1
    assert red_shows(tmp_path / "safe.mp4") == [i != 3 for i in range(12)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"frame": 0, "boxes": [[1, 2, 3]]}', "line 1.*x1, y1, x2, y2"),
        ('{"frame": 0, "boxes": [[9, 2, 3, 4]]}', "line 1.*inverted"),
        ('{"frame": 2}\n{"frame": 1}', "line 2: frame 1 is not"),
        ("nonsense", "line 1: is not JSON"),
        ("[1]", "not an object"),
        ('{"frame": 99, "boxes": [[1, 2, 3, 4]]}', "has 12 frames"),
        ('{"width": 5, "height": 5}\n{"frame": 0}', "for pictures of 5 × 5"),
        ('{"frame": 0, "boxes": 7}', "line 1"),
    ],
)
def test_boxes_that_do_not_fit_are_refused(text: str, said: str, tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.mp4")
    (tmp_path / "m.jsonl").write_text(text)
    with pytest.raises(BoxesError, match=said):
        with_boxes(source, tmp_path / "safe.mp4", tmp_path / "m.jsonl")
    assert not (tmp_path / "safe.mp4").exists()


def test_given_and_detected_boxes_together(tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.mp4")
    (tmp_path / "m.jsonl").write_text('{"frame": 0, "boxes": [[80, 50, 96, 64]]}')
    task = VideoTask(str(source), COVER, RedFinder(), given=tmp_path / "m.jsonl")
    anonymize_video(task, tmp_path / "safe.mp4")
    assert not any(red_shows(tmp_path / "safe.mp4"))
    corner = pictures(tmp_path / "safe.mp4")[0][56:, 86:]
    assert (corner[..., 2] > 150).all()


def test_progress_is_told_in_seconds_of_film(tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.mp4")
    told: list[tuple[float, float | None]] = []
    task = VideoTask(str(source), COVER, RedFinder())
    anonymize_video(task, tmp_path / "safe.mp4", progress=lambda *now: told.append(now))
    assert [done for done, _ in told] == pytest.approx([0.04 * i for i in range(1, 13)])
    assert {total for _, total in told} == {0.48}


def test_nothing_has_its_name_before_the_caller_knows(tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.mp4")
    seen: list[bool] = []
    task = VideoTask(str(source), COVER, RedFinder())
    target = tmp_path / "safe.mp4"
    anonymize_video(task, target, before_naming=lambda: seen.append(target.exists()))
    assert seen == [False]
    assert target.exists()


@pytest.mark.parametrize("every", [0, 1])
def test_a_pipe(every: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_film(tmp_path / "film.mkv", [scene(i % 30) for i in range(30)])

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.left = io.BytesIO(source.read_bytes())

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            return self.left.read(size)

    class Input:
        buffer = Pipe()

    monkeypatch.setattr(sys, "stdin", Input())
    task = VideoTask("-", COVER, RedFinder(), options=VideoOptions(every=every), workers=2)
    report = anonymize_video(task, tmp_path / "safe.mkv")
    assert report.frames == 30
    assert report.searched <= 30
    assert every == 0 or not any(red_shows(tmp_path / "safe.mkv"))


def test_names_of_films() -> None:
    assert is_video(Path("a/B.MP4"))
    assert is_video(Path("x.mkv"))
    assert not is_video(Path("x.jpg"))


def test_anonymizers_get_context_and_the_right_boxes(tmp_path: Path) -> None:
    shown: list[tuple[Image, Faces]] = []

    def spy(image: Image, faces: Faces) -> Image:
        shown.append((image.copy(), faces))
        return COVER(image, faces)

    source = make_film(tmp_path / "film.mp4", [scene(10)], rotation=90)
    anonymize_video(VideoTask(str(source), spy, RedFinder(), margin=0), tmp_path / "safe.mp4")
    [(image, faces)] = shown
    x1, y1, x2, y2 = faces.boxes[0].astype(int)
    red = is_red(image)
    assert red[y1 : y2 - 1, x1 : x2 - 1].mean() > 0.85
    outside = red.copy()
    outside[y1:y2, x1:x2] = False
    assert not outside.any()
    assert image.shape[0] > y2 - y1


def test_frames_that_are_done_leave_memory_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # At the end a decoder gives a frame for each of its threads: as many as there are cores.
    monkeypatch.setattr(
        "dartblur.video.container.prepare_decoder",
        lambda picture, strict: setattr(picture.codec_context, "thread_count", 1),
    )
    source = make_film(tmp_path / "film.mp4", [scene(i % 30) for i in range(60)])
    (tmp_path / "none.jsonl").write_text("")
    alive: list[int] = []

    def count(_done: float, _total: float | None) -> None:
        # To look at every object takes half a second.
        if next(turn) % 6 == 0:
            alive.append(sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects()))

    turn = itertools.count()
    task = VideoTask(str(source), COVER, None, given=tmp_path / "none.jsonl")
    gc.collect()
    gc.disable()
    try:
        anonymize_video(task, tmp_path / "safe.mp4", progress=count)
    finally:
        gc.enable()
    assert len(alive) > 5
    # What the reader may run ahead, and what the two sides have in hand.
    assert max(alive) <= 12 + 10
