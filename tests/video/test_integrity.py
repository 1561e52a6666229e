"""A film that lost frames is refused; with `tolerant` it is written, and its report says so."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.video.films import hide, is_red, make_film, pictures, scene

from dartblur.errors import VideoError
from dartblur.faces import Image
from dartblur.video import ebml
from dartblur.video.container import choose_streams, open_container
from dartblur.video.integrity import IntegrityCheck

MILLI = Fraction(1, 1000)
FRAMES = 14
CONTAINERS: dict[str, dict[str, Any]] = {
    "a.mp4": {"sound": True},
    "a.mkv": {"base": MILLI, "sound": True},
    "a.webm": {"codec": "libvpx", "base": MILLI},
    "b.webm": {"codec": "libvpx-vp9", "base": MILLI},
    "a.avi": {"codec": "mpeg4", "base": Fraction(1, 25)},
    "h.avi": {"base": Fraction(1, 25), "sound": True},
}


def noisy() -> list[Image]:
    noise = np.random.default_rng(0).integers(-20, 20, (FRAMES, 64, 96, 3))
    return [np.clip(scene(i) + noise[i], 0, 255).astype(np.uint8) for i in range(FRAMES)]


def cut(data: bytearray, dice: random.Random) -> bytearray:
    return data[: dice.randrange(len(data) // 3, len(data))]


def flipped(data: bytearray, dice: random.Random) -> bytearray:
    for _ in range(dice.choice((1, 3, 20))):
        data[dice.randrange(len(data))] ^= dice.randrange(1, 256)
    return data


def zeroed(data: bytearray, dice: random.Random) -> bytearray:
    start, size = dice.randrange(len(data)), dice.randrange(1, len(data) // 4)
    size = min(size, len(data) - start)
    data[start : start + size] = bytes(size)
    return data


def lacking(data: bytearray, dice: random.Random) -> bytearray:
    start = dice.randrange(len(data))
    del data[start : start + dice.randrange(1, len(data) // 4)]
    return data


@pytest.mark.parametrize("damage", [cut, flipped, zeroed, lacking])
@pytest.mark.parametrize("name", CONTAINERS)
def test_no_damaged_film_is_written_with_frames_lost(
    name: str, damage: Callable[[bytearray, random.Random], bytearray], tmp_path: Path
) -> None:
    film = make_film(tmp_path / name, noisy(), **CONTAINERS[name])
    clean, safe = film.read_bytes(), tmp_path / f"safe-{name}"
    for seed in range(5):
        film.write_bytes(damage(bytearray(clean), random.Random(seed)))
        with suppress(VideoError):
            hide(film, safe)
            assert len(pictures(safe)) == FRAMES
            safe.unlink()
        assert not safe.exists()


def without_packets(source: Path, target: Path, lost: set[int]) -> Path:
    """A film some of whose packets were never written; all else about it is right."""
    with av.open(str(source)) as given, av.open(str(target), "w") as out:
        stream = out.add_stream_from_template(given.streams.video[0])
        for i, packet in enumerate(given.demux(given.streams.video[0])):
            if packet.dts is not None and i not in lost:
                packet.stream = stream
                out.mux(packet)
    return target


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_frame_that_the_decoder_never_gave_is_missed(name: str, tmp_path: Path) -> None:
    film = make_film(tmp_path / name, noisy(), **CONTAINERS[name])
    for lost in (None, 0, 5, 13):
        with open_container(str(film)) as container:
            streams = choose_streams(container, str(film), sound=True, metadata=False)
            check = IntegrityCheck(container, streams, str(film), tolerant=True)
            number = 0
            for packet in container.demux(streams.picture, *streams.copied):
                check.packet(packet)
                for frame in packet.decode() if packet.stream is streams.picture else ():
                    if number != lost:
                        check.frame(frame)
                    number += 1
            check.check_end()
        # What comes before the first frame was cut off on purpose; AVI does not tell which it was.
        assert bool(check.notes) == (lost is not None and (lost > 0 or name == "a.avi"))
        if lost == 5 and name != "a.avi":
            assert "a frame is lost" in check.notes[0]
            assert "0:00:00.200" in check.notes[0]


def test_a_short_film_whose_end_is_missing(tmp_path: Path) -> None:
    """Six of fourteen frames are 0.24 s: by the sum of seconds alone nobody would notice."""
    source = make_film(tmp_path / "source.mkv", noisy(), base=MILLI, codec="mpeg4")
    data = source.read_bytes()
    with av.open(str(source)) as given:
        where = [packet.pos for packet in given.demux(video=0) if packet.size]
    # The block of a frame begins some bytes before its data; a cluster of unknown length may end.
    (tmp_path / "film.mkv").write_bytes(data[: where[8]])
    with pytest.raises(VideoError, match="part is missing"):
        hide(tmp_path / "film.mkv", tmp_path / "safe.mkv")


def test_tolerant_writes_what_there_is_and_says_so(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv"):
        film = make_film(tmp_path / name, noisy(), **CONTAINERS[name])
        data = bytearray(film.read_bytes())
        third, share = len(data) // 3, len(data) // 8
        data[third : third + share] = bytes(share)
        film.write_bytes(data)
        with pytest.raises(VideoError, match="--tolerant"):
            hide(film, tmp_path / f"safe-{name}")
        report = hide(film, tmp_path / f"safe-{name}", tolerant=True)
        assert report.notes[0].startswith("DAMAGED source: ")
        safe = pictures(tmp_path / f"safe-{name}")
        assert len(safe) == report.frames
        assert not any(is_red(image).any() for image in safe)


def test_a_whole_film_has_no_note_where_damage_is_tolerated(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4")
    assert hide(film, tmp_path / "safe.mp4", tolerant=True).notes == ()


def test_a_film_that_begins_between_key_frames_is_whole(tmp_path: Path) -> None:
    """Cut without being encoded anew: the first packets hang on what was cut off."""
    source = make_film(
        tmp_path / "source.ts", noisy() * 2, base=Fraction(1, 25), codec="mpeg2video"
    )
    film = without_packets(source, tmp_path / "film.ts", {0, 1, 2})
    report = hide(film, tmp_path / "safe.ts")
    assert report.frames == len(pictures(film))


def test_the_skeleton_of_matroska(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", noisy(), base=MILLI, sound=True)
    ebml.check(film)
    data = film.read_bytes()
    film.write_bytes(data + b"harmless")
    ebml.check(film)
    for at in range(600, len(data) - 200, 37):
        film.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        with pytest.raises(ebml.BrokenError):
            ebml.check(film)


def test_the_skeleton_of_a_live_recording(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    source = make_film(tmp_path / "source.mp4", noisy())
    with (
        av.open(str(source)) as given,
        av.open(str(film), "w", options={"live": "1", "cluster_time_limit": "100"}) as out,
    ):
        stream = out.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    ebml.check(film)
    assert hide(film, tmp_path / "safe.mkv").frames == FRAMES
