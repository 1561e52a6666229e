"""What a film is made of comes out as it went in: times, sound, words, colour, orientation."""

from __future__ import annotations

import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.video.films import (
    RedFinder,
    frame_times,
    hide,
    is_red,
    make_film,
    packets,
    pictures,
    scene,
)

from dartblur.video.encoders import ENCODERS, encoder_for

MILLI = Fraction(1, 1000)
ODD = [scene(i, 67, 101) for i in range(8)]
UNEVEN = [0, 512, 700, 1800, 1810, 5000, 5512, 6000, 9000, 9512, 10_000, 30_000]
FILMS: dict[str, dict[str, Any]] = {
    "plain.mp4": {},
    "uneven.mp4": {"times": UNEVEN},
    "uneven.mkv": {"times": [0, 40, 57, 130, 131, 400, 440, 470, 700, 740, 800, 2000]}
    | {"base": MILLI},
    "late.mp4": {"times": [6400 + 512 * i for i in range(12)], "sound": True},
    "turned.mp4": {"rotation": 90},
    "turned_back.mov": {"rotation": -90},
    "upside_down.mp4": {"rotation": 180},
    "odd.mp4": {"frames": ODD, "pixel_format": "yuv444p"},
    "odd.webm": {"frames": ODD, "codec": "libvpx-vp9", "base": MILLI},
    "odd.avi": {
        "frames": ODD,
        "codec": "mjpeg",
        "pixel_format": "yuvj420p",
        "base": Fraction(1, 25),
    },
    "deep.mp4": {"pixel_format": "yuv420p10le"},
    "hdr.mkv": {
        "codec": "libx265",
        "pixel_format": "yuv420p10le",
        "base": MILLI,
        "colour": (9, 1, 9, 16),
    },
    "all.mkv": {"sound": True, "subtitles": True, "chapters": True, "base": MILLI},
    "all.mp4": {"sound": True, "chapters": True},
    "grey.mkv": {"pixel_format": "gray", "base": MILLI},
    "wide.mp4": {"aspect": Fraction(4, 3), "colour": (1, 2, 1, 1)},
    "old.avi": {"codec": "mpeg4", "base": Fraction(1, 25)},
    "edit.mov": {"codec": "prores_ks", "pixel_format": "yuv422p10le"},
    "new.mp4": {"codec": "libsvtav1"},
    "lossless.mkv": {"codec": "ffv1", "pixel_format": "yuv422p", "base": MILLI},
    "stream.ts": {"base": Fraction(1, 90_000), "sound": True},
    "flash.flv": {"base": MILLI, "sound": True},
}


@pytest.fixture(params=FILMS.items(), ids=FILMS)
def film(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    name, how = request.param
    return make_film(tmp_path / name, **how)


def described(path: Path) -> tuple[Any, ...]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        frame = next(container.decode(stream))
        return (
            context.codec.canonical_name,
            frame.format.name,
            (frame.height, frame.width),
            stream.sample_aspect_ratio or 1,
            frame.rotation,
            [(c["start"] * c["time_base"], c["metadata"]["title"]) for c in container.chapters()],
            [(s.type, s.language) for s in container.streams if s.type != "data"],
        )


def colours(path: Path) -> tuple[int, ...]:
    with av.open(str(path)) as container:
        f = next(container.decode(video=0))
        return (f.colorspace, f.color_range, f.color_primaries, f.color_trc)


def test_every_kind_of_film(film: Path) -> None:
    safe = film.with_name("safe-" + film.name)
    report = hide(film, safe)
    assert frame_times(safe) == frame_times(film)
    for kind in ("audio", "subtitle"):
        assert packets(safe, kind) == packets(film, kind)
    assert described(safe) == described(film)
    for wanted, found in zip(colours(film), colours(safe), strict=True):
        assert wanted in (found, 0, 2)
    clear, hidden = pictures(film), pictures(safe)
    assert report.frames == len(clear) == len(hidden)
    if film.name != "grey.mkv":
        assert all(is_red(image).sum() > 200 for image in clear)
        assert not any(is_red(image).any() for image in hidden)
    assert report.notes == ()
    with av.open(str(film)) as a, av.open(str(safe)) as b:
        assert abs((a.duration or 0) - (b.duration or 0)) <= 40_000


def test_the_rest_of_the_picture_looks_as_before(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4")
    hide(film, tmp_path / "safe.mp4", lookaround=0, bridge=0)
    for i, (a, b) in enumerate(zip(pictures(film), pictures(tmp_path / "safe.mp4"), strict=True)):
        far = np.abs(a.astype(int) - b.astype(int))[:, 60 + 2 * i :]
        assert far.mean() < 2


def test_the_detector_sees_turned_films_upright(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", rotation=90)
    finder = RedFinder()
    report = hide(film, tmp_path / "safe.mp4", finder)
    assert set(finder.sizes) == {(96, 64)}
    assert report.size == (96, 64)


def test_hdr_light_levels_follow(tmp_path: Path) -> None:
    source = tmp_path / "film.mkv"
    levels = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    with av.open(str(source), "w") as out:
        stream = out.add_stream(
            "libx265", 25, options={"x265-params": f"log-level=none:{levels}:max-cll=1000,400"}
        )
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p10le"
        for i in range(4):
            out.mux(
                stream.encode(av.VideoFrame.from_ndarray(scene(i)).reformat(format="yuv420p10le"))
            )
        out.mux(stream.encode(None))
    hide(source, tmp_path / "safe.mkv")
    found = []
    for path in (source, tmp_path / "safe.mkv"):
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            data = {
                d.type.name: bytes(d)
                for d in (frame.side_data[i] for i in range(len(frame.side_data)))
            }
            found.append((data["MASTERING_DISPLAY_METADATA"], data["CONTENT_LIGHT_LEVEL"]))
    assert found[0] == found[1]
    assert struct.unpack("=2I", found[1][1]) == (1000, 400)


def test_tags_of_place_and_camera_go_unless_kept(tmp_path: Path) -> None:
    tags = {"location": "+48.1+011.6/", "make": "Camera", "title": "Holiday"}
    film = make_film(tmp_path / "film.mkv", tags=tags, sound=True, base=MILLI)
    hide(film, tmp_path / "safe.mkv")
    hide(film, tmp_path / "kept.mkv", keep_metadata=True)
    assert b"+48.1" not in (tmp_path / "safe.mkv").read_bytes()
    with av.open(str(tmp_path / "safe.mkv")) as safe, av.open(str(tmp_path / "kept.mkv")) as kept:
        assert {k.lower() for k in safe.metadata} <= {"encoder", "duration"}
        assert safe.streams.audio[0].metadata["language"] == "deu"
        assert {k.lower(): v for k, v in kept.metadata.items()}["location"] == tags["location"]


def test_cover_art_goes_and_is_told(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", cover=True, sound=True)
    report = hide(film, tmp_path / "safe.mp4")
    with av.open(str(tmp_path / "safe.mp4")) as safe:
        assert [s.type for s in safe.streams] == ["video", "audio"]
    assert len(report.dropped) == 1
    assert "cover" in report.dropped[0]


def test_the_picture_need_not_come_first_and_nothing_attached_stays(tmp_path: Path) -> None:
    film, source = tmp_path / "film.mkv", make_film(tmp_path / "source.mp4", sound=True)
    with av.open(str(source)) as given, av.open(str(film), "w") as out:
        streams = {
            stream.index: out.add_stream_from_template(stream)
            for stream in (*given.streams.audio, *given.streams.video)
        }
        # A media type can be forged, and a font can hold pictures.
        out.add_attachment("some.ttf", "font/ttf", b"\xff\xd8 a face")
        out.add_attachment("cover.jpg", "image/jpeg", b"a face")
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    report = hide(film, tmp_path / "safe.mkv")
    assert report.frames == 12
    assert frame_times(tmp_path / "safe.mkv") == frame_times(film)
    assert packets(tmp_path / "safe.mkv", "audio") == packets(film, "audio")
    with av.open(str(tmp_path / "safe.mkv")) as safe:
        assert [s.type for s in safe.streams] == ["audio", "video"]
    assert b"a face" not in (tmp_path / "safe.mkv").read_bytes()
    assert ["some.ttf" in report.dropped[0], "cover" in report.dropped[1]] == [True, True]


def test_sound_can_be_dropped(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", sound=True)
    hide(film, tmp_path / "safe.mp4", audio="drop")
    with av.open(str(tmp_path / "safe.mp4")) as safe:
        assert [s.type for s in safe.streams] == ["video"]


@pytest.mark.parametrize(
    ("codec", "canonical"), [("hevc", "hevc"), ("x265", "hevc"), ("mpeg4", "mpeg4")]
)
def test_another_codec_can_be_chosen(codec: str, canonical: str, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4")
    hide(film, tmp_path / "safe.mp4", codec=codec)
    assert described(tmp_path / "safe.mp4")[0] == canonical
    assert frame_times(tmp_path / "safe.mp4") == frame_times(film)


def test_quality_and_preset_reach_the_encoder(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (6, 64, 96, 3)).astype(np.uint8)
    film = make_film(tmp_path / "film.mp4", list(noise))
    hide(film, tmp_path / "fine.mp4", quality=10, preset="ultrafast")
    hide(film, tmp_path / "coarse.mp4", quality=45, preset="ultrafast")
    sizes = [(tmp_path / f"{name}.mp4").stat().st_size for name in ("fine", "coarse")]
    assert sizes[0] > 3 * sizes[1]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.avi", "a.ogv"])
def test_twice_the_same_film_is_twice_the_same_bytes(name: str, tmp_path: Path) -> None:
    codec = {"a.webm": "libvpx-vp9", "a.ogv": "libvpx"}.get(name, "libx264")
    base = Fraction(1, 25) if name in ("a.avi", "a.ogv") else MILLI
    frames = [scene(i) for i in range(14)]
    film = make_film(tmp_path / name, frames, codec=codec, base=base)
    made = set()
    for _ in range(4):
        hide(film, tmp_path / f"safe-{name}")
        made.add((tmp_path / f"safe-{name}").read_bytes())
    assert len(made) == 1


def encoded(threads: int) -> bytes:
    chosen = ENCODERS["h264"]
    context = av.CodecContext.create(chosen.name, "w")
    context.width, context.height, context.pix_fmt = 96, 64, "yuv420p"
    context.time_base, context.thread_count = Fraction(1, 25), threads
    context.options = {**chosen.options, "crf": "18", "preset": "veryfast"}
    frames = [av.VideoFrame.from_ndarray(scene(i)).reformat(format="yuv420p") for i in range(14)]
    for i, frame in enumerate(frames):
        frame.pts = i
    return b"".join(bytes(p) for f in (*frames, None) for p in context.encode(f))


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_x264_does_not_read_memory_that_nobody_wrote(threads: int) -> None:
    assert len({encoded(threads) for _ in range(100)}) == 1


def test_avi_shows_frames_in_the_order_in_which_they_lie(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.avi", base=Fraction(1, 25))
    with av.open(str(film)) as container:
        assert any(frame.pict_type == 3 for frame in container.decode(video=0))
    hide(film, tmp_path / "safe.avi")
    with av.open(str(tmp_path / "safe.avi")) as container:
        stream = container.streams.video[0]
        assert [entry.timestamp for entry in stream.index_entries] == list(range(12))
        frames = list(container.decode(stream))
    assert all(frame.pict_type != 3 for frame in frames)
    assert {b.pts - a.pts for a, b in pairwise(frames)} == {1}
    for a, b in zip(pictures(film), pictures(tmp_path / "safe.avi"), strict=True):
        assert np.abs(a.astype(int) - b.astype(int))[:, 60:].mean() < 2


def palette_film(path: Path) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("msrle", 25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "pal8"
        for i in range(12):
            numbers = np.full((64, 96), 1, np.uint8)
            numbers[20:40, 10 + i : 30 + i] = 2
            palette = np.full((256, 4), 255, np.uint8)
            palette[1, 1:], palette[2, 1:] = 120, (230, 20, 20)
            out.mux(stream.encode(av.VideoFrame.from_ndarray((numbers, palette), "pal8")))
        out.mux(stream.encode(None))
    return path


def test_films_with_palettes(tmp_path: Path) -> None:
    film = palette_film(tmp_path / "film.avi")
    assert all(is_red(image).sum() > 200 for image in pictures(film))
    report = hide(film, tmp_path / "safe.avi")
    assert "msrle" in report.notes[0]
    assert len(pictures(tmp_path / "safe.avi")) == 12
    assert not any(is_red(image).any() for image in pictures(tmp_path / "safe.avi"))
    grey = make_film(tmp_path / "grey.mov", codec="qtrle", pixel_format="gray")
    assert hide(grey, tmp_path / "safe.mov").frames == 12


def test_theora_becomes_what_ogg_can_hold(tmp_path: Path) -> None:
    encoder, note = encoder_for("theora", "ogg", None, None)
    assert (encoder.name, "theora" in str(note)) == ("libvpx", True)
    film = make_film(tmp_path / "film.ogv", codec="libvpx", base=Fraction(1, 25))
    hide(film, tmp_path / "safe.ogv")
    assert frame_times(tmp_path / "safe.ogv") == frame_times(film)
