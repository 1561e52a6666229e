"""Nothing beside the picture shows a face, and no film opens another file."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.video.films import RedFinder, hide, is_red, make_film, pictures, scene

from dartblur.errors import VideoError
from dartblur.video.extradata import strip_extradata

MILLI = Fraction(1, 1000)
FACE = b"\xff\xd8\xff\xe0 a face"


def test_a_text_that_names_another_film_is_refused(tmp_path: Path) -> None:
    make_film(tmp_path / "other.mp4")
    for name, text in (
        ("list.mp4", "ffconcat version 1.0\nfile other.mp4\n"),
        ("list.ts", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.mp4\n#EXT-X-ENDLIST\n"),
        ("list.mkv", "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(VideoError, match=f"{name}: cannot be opened as a film"):
            hide(tmp_path / name, tmp_path / "safe.mp4")
    assert not (tmp_path / "safe.mp4").exists()


@pytest.mark.parametrize(
    "name", ["12:30.mp4", "subfile,,start,0,end,9,,:x.mp4", "http:x.mp4", "pipe:0.mkv", "-x.mp4"]
)
def test_names_are_names_of_files(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = make_film(tmp_path / f"film{Path(name).suffix}", base=MILLI)
    monkeypatch.chdir(tmp_path)
    folder = Path("1:2")
    folder.mkdir()
    shutil.copy(film, folder / name)
    shutil.copy(film, name)
    for source in (Path(name), folder / name):
        assert hide(source, folder / f"safe-{name}").frames == 12


def with_words(path: Path, kind: str, header: bytes = b"") -> Path:
    """A film with a stream of subtitles of some codec."""
    with av.open(str(path), "w") as out:
        picture = out.add_stream("libx264", 25)
        picture.width, picture.height, picture.pix_fmt = 96, 64, "yuv420p"
        words: Any = out.add_stream(kind)
        words.codec_context.subtitle_header = header or HEAD + STYLE + EVENTS
        words.time_base = words.codec_context.time_base = MILLI
        out.start_encoding()
        packet = av.Packet(b"0,0,Default,,0,0,0,,words")
        packet.pts = packet.dts = 0
        packet.duration, packet.time_base, packet.stream = 400, MILLI, words
        out.mux(packet)
        for i in range(12):
            out.mux(picture.encode(av.VideoFrame.from_ndarray(scene(i))))
        out.mux(picture.encode(None))
    return path


def test_subtitles_that_are_pictures_go_and_are_told(tmp_path: Path) -> None:
    for kind, pictured in (("dvdsub", True), ("subrip", False), ("ass", False)):
        report = hide(with_words(tmp_path / "film.mkv", kind), tmp_path / "safe.mkv")
        with av.open(str(tmp_path / "safe.mkv")) as safe:
            assert len(safe.streams.subtitles) == (not pictured)
        assert [("subtitles that are pictures" in line) for line in report.dropped] == (
            [True] if pictured else []
        )


HEAD = b"[Script Info]\r\nScriptType: v4.00+\r\n\r\n"
STYLE = b"[V4+ Styles]\r\nFormat: Name\r\nStyle: Default\r\n\r\n"
EVENTS = b"[Events]\r\nFormat: Layer, Start, End, Text\r\n"


def test_scripts_keep_no_pictures() -> None:
    pictured = HEAD + b"[Graphics]\r\nfilename: a.jpg\r\n" + FACE + b"\r\n" + STYLE
    pictured += b"[Fonts]\r\nfontname: a.ttf\r\n" + FACE + b"\r\n" + EVENTS
    assert strip_extradata("ass", pictured) == HEAD + STYLE + EVENTS


def test_a_script_in_a_film_keeps_no_pictures(tmp_path: Path) -> None:
    header = HEAD + b"[Graphics]\r\n" + FACE + b"\r\n" + STYLE + EVENTS
    film = with_words(tmp_path / "film.mkv", "ass", header)
    assert FACE in film.read_bytes()
    hide(film, tmp_path / "safe.mkv")
    data = (tmp_path / "safe.mkv").read_bytes()
    assert FACE not in data
    assert STYLE in data


def vorbis(comment: bytes) -> bytes:
    parts = [b"\x01vorbis" + bytes(23), b"\x03vorbis" + comment + b"\x01", b"\x05vorbis" + FACE]
    lengths = b"".join(b"\xff" * (len(p) // 255) + bytes([len(p) % 255]) for p in parts[:2])
    return b"\x02" + lengths + b"".join(parts)


@pytest.mark.parametrize("size", [0, 254, 255, 256, 70_000])
def test_vorbis_keeps_its_setup_and_no_comments(size: int) -> None:
    bare = vorbis(bytes(8))
    assert strip_extradata("vorbis", vorbis(b"METADATA_BLOCK_PICTURE=" + bytes(size))) == bare
    assert strip_extradata("vorbis", bare) == bare


def test_flac_keeps_its_stream_info_alone() -> None:
    info = bytes(range(34))
    assert strip_extradata("flac", b"fLaC\x00\x00\x00\x22" + info + b"\x86" + FACE) == info
    assert strip_extradata("flac", info + FACE) == info


def test_sound_whose_header_holds_a_picture(tmp_path: Path) -> None:
    """A whole film with Vorbis sound still plays, without the comments of its header."""
    film = tmp_path / "film.mkv"
    with av.open(str(film), "w") as out:
        picture = out.add_stream("libx264", 25)
        picture.width, picture.height, picture.pix_fmt = 96, 64, "yuv420p"
        voice = out.add_stream(
            "vorbis", rate=48_000, layout="stereo", options={"strict": "experimental"}
        )
        for i in range(12):
            out.mux(picture.encode(av.VideoFrame.from_ndarray(scene(i))))
        tone = (np.sin(np.arange(48_000) * 0.05) * 0.3).astype(np.float32)
        sample = av.AudioFrame.from_ndarray(np.stack([tone, tone]), "fltp", "stereo")
        sample.sample_rate, sample.pts = 48_000, 0
        out.mux(voice.encode(sample))
        out.mux(voice.encode(None))
        out.mux(picture.encode(None))
    hide(film, tmp_path / "safe.mkv")
    heard = []
    for path in (film, tmp_path / "safe.mkv"):
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
            header = container.streams.audio[0].codec_context.extradata
            heard.append((np.concatenate(frames, axis=1), header))
    np.testing.assert_array_equal(heard[0][0], heard[1][0])
    assert heard[1][1] == strip_extradata("vorbis", heard[0][1])


def test_long_tags_go_even_where_tags_are_kept(tmp_path: Path) -> None:
    tags = {"comment": "short", "METADATA_BLOCK_PICTURE": "AAAA" * 400, "title": "T" * 3000}
    film = make_film(tmp_path / "film.mkv", tags=tags, base=MILLI)
    hide(film, tmp_path / "safe.mkv", keep_metadata=True)
    data = (tmp_path / "safe.mkv").read_bytes()
    assert b"short" in data
    assert b"AAAA" not in data
    assert b"TTTT" not in data


def test_chapters_keep_their_titles_and_no_more(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    with av.open(str(film), "w") as out:
        stream = out.add_stream("libx264", 25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        tags = {"title": "Opening", "cover": "a-face"}
        chapter: Any = {"id": 1, "start": 0, "end": 200, "time_base": MILLI, "metadata": tags}
        out.set_chapters([chapter])
        for i in range(12):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(scene(i))))
        out.mux(stream.encode(None))
    assert b"a-face" in film.read_bytes()
    hide(film, tmp_path / "safe.mkv")
    with av.open(str(tmp_path / "safe.mkv")) as safe:
        assert [chapter["metadata"]["title"] for chapter in safe.chapters()] == ["Opening"]
    assert b"a-face" not in (tmp_path / "safe.mkv").read_bytes()


def test_a_film_of_an_unknown_codec_is_refused_in_words(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4")
    film.write_bytes(film.read_bytes().replace(b"avc1", b"zzz9"))
    with pytest.raises(VideoError, match="its video codec is not one that FFmpeg can read"):
        hide(film, tmp_path / "safe.mp4")


def test_an_unknown_stream_beside_a_known_one_goes(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", sound=True)
    film.write_bytes(film.read_bytes().replace(b"mp4a", b"zzz9").replace(b"esds", b"zsds"))
    report = hide(film, tmp_path / "safe.mp4", RedFinder())
    assert "codec that is not known" in report.dropped[0]
    assert not any(is_red(image).any() for image in pictures(tmp_path / "safe.mp4"))


@pytest.mark.parametrize(
    ("name", "kind", "kept"),
    [("a.mp4", "bin_data", True), ("a.ts", "klv", True), ("a.ts", "bin_data", False)],
)
def test_data_of_unknown_kinds_goes_even_where_metadata_is_kept(
    name: str, kind: str, kept: bool, tmp_path: Path
) -> None:
    film = tmp_path / name
    with av.open(str(film), "w") as out:
        picture = out.add_stream("libx264", 25)
        picture.width, picture.height, picture.pix_fmt = 96, 64, "yuv420p"
        data = out.add_data_stream(kind)
        data.time_base = MILLI
        out.start_encoding()
        for i in range(12):
            out.mux(picture.encode(av.VideoFrame.from_ndarray(scene(i))))
            packet = av.Packet(b"what it is")
            packet.pts = packet.dts = i * 40
            packet.time_base, packet.stream = MILLI, data
            out.mux(packet)
        out.mux(picture.encode(None))
    hide(film, tmp_path / f"bare-{name}")
    assert b"what it is" not in (tmp_path / f"bare-{name}").read_bytes()
    report = hide(film, tmp_path / f"safe-{name}", keep_metadata=True)
    assert (b"what it is" in (tmp_path / f"safe-{name}").read_bytes()) == kept
    assert ("unknown kind" in str(report.dropped)) == (not kept)
