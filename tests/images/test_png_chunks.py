"""A PNG's chunks about colour are written from their numbers: nothing rides along."""

import struct
from pathlib import Path

import pytest
from tests.images.files import deep_png, pillow_file, png, rgb
from tests.images.planting import THUMBNAIL, traces
from tests.images.profiles import display_p3

from dartblur.images import encode_picture, read_picture
from dartblur.images.png import chunks_of

COLOUR = {
    b"gAMA": struct.pack(">I", 45455),
    b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
    b"sRGB": b"\1",
    b"cICP": b"\1\x0d\0\1",
}
FILES = {"8 bits": lambda: pillow_file(rgb(), "PNG"), "16 bits": lambda: deep_png(3)}
# What Pillow writes of itself, and OpenCV.
OWN = {b"IHDR", b"IDAT", b"IEND"}


def through(path: Path, make: str, *extra: tuple[bytes, bytes], keep: bool = False) -> bytes:
    data = FILES[make]()
    path.write_bytes(data[:33] + png(list(extra))[8:] + data[33:])
    return encode_picture(read_picture(path), path, keep_metadata=keep)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("make", FILES)
@pytest.mark.parametrize("name", COLOUR)
def test_nothing_rides_behind_the_numbers(
    tmp_path: Path, make: str, name: bytes, keep: bool
) -> None:
    longer = (name, COLOUR[name] + THUMBNAIL)
    out = through(tmp_path / "a.png", make, longer, keep=keep)
    assert traces(out) == []
    assert {chunk.name for chunk in chunks_of(out)} == OWN
    out = through(tmp_path / "a.png", make, longer, (name, COLOUR[name]), keep=keep)
    assert [c.content for c in chunks_of(out) if c.name == name] == [COLOUR[name]]


@pytest.mark.parametrize("make", FILES)
@pytest.mark.parametrize("name", COLOUR)
def test_one_of_each_stays_as_it_was(tmp_path: Path, make: str, name: bytes) -> None:
    out = through(tmp_path / "a.png", make, *[(name, COLOUR[name])] * 3)
    assert [c.content for c in chunks_of(out) if c.name == name] == [COLOUR[name]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (b"gAMA", b"\0\0\0\0"),
        (b"cHRM", b"\xff\xd8\xff\xe0" * 8),
        (b"sRGB", b"\4"),
        (b"cICP", b"\1\x0d\1\1"),
        (b"cICP", b"\1\x0d\0\2"),
    ],
)
def test_numbers_out_of_range_go(tmp_path: Path, name: bytes, content: bytes) -> None:
    out = through(tmp_path / "a.png", "8 bits", (name, content))
    assert {chunk.name for chunk in chunks_of(out)} == OWN


@pytest.mark.parametrize("make", FILES)
def test_every_other_chunk_goes(tmp_path: Path, make: str) -> None:
    others = (b"sBIT", b"hIST", b"sPLT", b"pHYs", b"oFFs", b"tIME", b"vpAg", b"mDCV", b"cLLI")
    bodies = [(name, THUMBNAIL) for name in (*others, b"bKGD", b"caNv", b"acTl", b"dSIG")]
    out = through(tmp_path / "a.png", make, *bodies, keep=True)
    assert traces(out) == []
    assert {chunk.name for chunk in chunks_of(out)} == OWN


@pytest.mark.parametrize("make", FILES)
def test_a_profiles_name_goes(tmp_path: Path, make: str) -> None:
    import zlib

    content = b"Zoe Zeller's screen\0\0" + zlib.compress(display_p3())
    out = through(tmp_path / "a.png", make, (b"iCCP", content))
    [chunk] = [c for c in chunks_of(out) if c.name == b"iCCP"]
    assert chunk.content.startswith(b"ICC Profile\0\0")
