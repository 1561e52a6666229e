"""What cannot be done is told by file and place, and leaves nothing behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from tests.video.films import COVER, RedFinder, hide, make_film, pictures, scene

from dartblur.errors import UsageError, VideoError
from dartblur.faces import Faces, Image
from dartblur.video import VideoOptions, VideoTask, anonymize_video


def noisy(frames: int = 40) -> list[Image]:
    noise = np.random.default_rng(0).integers(-20, 20, (frames, 64, 96, 3))
    return [
        np.clip(scene(i % 20).astype(int) + noise[i], 0, 255).astype(np.uint8)
        for i in range(frames)
    ]


def refused(source: Path, said: str, **options: object) -> str:
    target = source.with_name("safe" + source.suffix)
    before = sorted(source.parent.iterdir())
    with pytest.raises(VideoError, match=said) as caught:
        hide(source, target, **options)
    assert sorted(source.parent.iterdir()) == before
    assert str(source) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("name", "base"), [("a.mp4", 12_800), ("a.mkv", 1000), ("a.ts", 90_000)])
@pytest.mark.parametrize("seed", range(3))
def test_damage_in_the_middle_is_told_with_its_time(
    name: str, base: int, seed: int, tmp_path: Path
) -> None:
    film = make_film(tmp_path / name, noisy(), base=Fraction(1, base))
    data, dice = bytearray(film.read_bytes()), random.Random(seed)
    for _ in range(20):
        data[dice.randrange(len(data) // 3, len(data) * 2 // 3)] ^= 0xFF
    film.write_bytes(data)
    refused(film, r"brok.* at -?\d+:\d\d:\d\d\.\d\d\d")


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_film_cut_in_the_middle(share: float, tmp_path: Path) -> None:
    for name, base in (("a.mp4", 12_800), ("a.mkv", 1000)):
        film = make_film(tmp_path / name, noisy(100), sound=True, base=Fraction(1, base))
        film.write_bytes(film.read_bytes()[: int(film.stat().st_size * share)])
        refused(film, "cannot be opened|a part is missing|broken at")
        film.unlink()


def test_a_film_whose_index_comes_first_cut_in_the_middle(tmp_path: Path) -> None:
    film = tmp_path / "a.mp4"
    with av.open(str(film), "w", options={"movflags": "faststart"}) as out:
        stream = out.add_stream("libx264", 25, options={"crf": "8"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for image in noisy():
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        out.mux(stream.encode(None))
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    refused(film, r"broken at 0:00:00\.\d+")


def test_what_is_no_film(tmp_path: Path) -> None:
    for name, data in (("a.mp4", b""), ("b.mkv", b"hello" * 99), ("c.avi", bytes(5000))):
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name, "cannot be opened")
        (tmp_path / name).unlink()
    refused(tmp_path / "missing.mp4", "No such file")


def test_a_film_without_a_frame(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.mkv", [], sound=False, base=Fraction(1, 1000))
    refused(film, "no frame|cannot be opened")


def test_a_sound_file(tmp_path: Path) -> None:
    film = tmp_path / "a.mp4"
    with av.open(str(film), "w") as out:
        voice = out.add_stream("aac", rate=48_000, layout="mono")
        sample = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sample.sample_rate = 48_000
        out.mux(voice.encode(sample))
        out.mux(voice.encode(None))
    refused(film, "no video in it")


def test_a_size_that_changes_is_told_with_its_time(tmp_path: Path) -> None:
    film = tmp_path / "a.webm"
    with av.open(str(film), "w") as out:
        joined = out.add_mux_stream("vp8", width=96, height=64)
        joined.time_base = Fraction(1, 1000)
        for part, height in enumerate((64, 80)):
            encoder = av.CodecContext.create("libvpx", "w")
            encoder.width, encoder.height, encoder.pix_fmt = 96, height, "yuv420p"
            encoder.time_base = Fraction(1, 25)
            frames = [av.VideoFrame.from_ndarray(scene(i, height)) for i in range(10)]
            for packet in [p for f in (*frames, None) for p in encoder.encode(f)]:
                packet.pts += part * 10
                packet.dts = packet.pts
                packet.time_base, packet.stream = Fraction(1, 25), joined
                out.mux(packet)
    refused(film, r"size changes at 0:00:00\.400")


def test_an_encoder_that_refuses(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.mp4")
    refused(film, "failed at 0:00:00", preset="no-such-preset")
    refused(film, "does not support", codec="vp8")
    for codec in ("no-such-codec", "aac"):
        with pytest.raises(UsageError, match="choose one of"):
            hide(film, tmp_path / "b.mp4", codec=codec)


def test_a_detector_or_an_anonymizer_that_fails(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.mp4")

    def failing(images: Sequence[Image]) -> list[Faces]:
        raise RuntimeError("no memory on the card")

    def careless(image: Image, faces: Faces) -> Image:
        raise RuntimeError("no colour left")

    for task in (
        VideoTask(str(film), COVER, failing),
        VideoTask(str(film), careless, RedFinder()),
    ):
        with pytest.raises(RuntimeError, match="no "):
            anonymize_video(task, tmp_path / "b.mp4")
        assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"every": -1},
        {"audio": "louder"},
        {"lookaround": -1},
        {"bridge": 100},
        {"quality": -3},
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=str(next(iter(wrong)))):
        VideoOptions(**wrong)  # type: ignore[arg-type]


def test_no_worker_is_refused() -> None:
    with pytest.raises(UsageError, match="workers"):
        VideoTask("film.mp4", COVER, None, workers=0)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.video.films import hide
from dartblur.video import processor
from dartblur.video.writer import Writer

def child(wanted):
    left = wanted
    def moment(name):
        nonlocal left
        if left == 0:
            print(os.getpid(), name, flush=True)
            while True:
                signal.pause()
        left -= 1
    def around(owner, name, label):
        inner = getattr(owner, name)
        def told(*args, **kwargs):
            moment("before " + label)
            result = inner(*args, **kwargs)
            moment("after " + label)
            return result
        setattr(owner, name, told)
    around(Writer, "write", "a frame")
    around(Writer, "finish", "the end")
    around(processor, "verify", "the check")
    around(Path, "replace", "the name")
    hide(Path(sys.argv[1]), Path(sys.argv[2]))
    print(0, "done", flush=True)
    os._exit(0)

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        child(int(line))
    os.waitpid(pid, 0)
    print("dead", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to start 40 processes fast")
def test_killed_at_any_moment_no_part_of_a_film_has_its_name(tmp_path: Path) -> None:
    """The child says how far it is, and waits there to be killed: no clock decides."""
    film = make_film(tmp_path / "film.mp4", noisy(10), sound=True)
    target = tmp_path / "out" / "film.mp4"
    target.parent.mkdir()
    whole = len(pictures(film))
    moments: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(film), str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        while "done" not in moments:
            process.stdin.write(f"{len(moments)}\n")
            process.stdin.flush()
            child, moment = process.stdout.readline().rstrip().split(" ", 1)
            if moment != "done":
                os.kill(int(child), signal.SIGKILL)
            assert process.stdout.readline() == "dead\n"
            moments.append(moment)
            assert target.exists() == (moment in ("after the name", "done"))
            if target.exists():
                assert len(pictures(target)) == whole
                target.unlink()
            for part in target.parent.iterdir():
                assert part.suffix == ".part"
                part.unlink()
        process.stdin.close()
    assert moments.count("before a frame") == whole
    assert {"after the end", "before the check", "before the name"} < set(moments)
