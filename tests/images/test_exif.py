"""EXIF keeps named tags of their own type and size, on request; a picture fits in none of them."""

import base64
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo
from tests.images.files import pillow_file, rgb
from tests.images.planting import (
    THUMBNAIL,
    exif_segment,
    jpeg_with,
    photoshop,
    segment,
    tiff_directory,
    traces,
    xmp_packet,
)

from dartblur.images import encode_picture, read_picture
from dartblur.images.plain_text import is_plain_text

Entries = dict[int, tuple[int, bytes]]
BYTE, ASCII, SHORT, LONG, RATIO, UNDEFINED = 1, 2, 3, 4, 5, 7
EXIF, GPS = 0x8769, 0x8825
DECIMAL = " ".join(str(n) for n in THUMBNAIL).encode()
# The thumbnail in each type that an entry can have, and spelled out.
SPELLINGS: dict[str, tuple[int, bytes]] = {
    "BYTE": (BYTE, THUMBNAIL),
    "UNDEFINED": (UNDEFINED, THUMBNAIL),
    "ASCII": (ASCII, THUMBNAIL.replace(b"\0", b"\1") + b"\0"),
    "SHORT": (SHORT, b"".join(struct.pack("<H", n) for n in THUMBNAIL)),
    "packed SHORT": (SHORT, THUMBNAIL + b"\0" * (len(THUMBNAIL) % 2)),
    "LONG": (LONG, b"".join(struct.pack("<I", n) for n in THUMBNAIL)),
    "packed LONG": (LONG, THUMBNAIL + b"\0" * (-len(THUMBNAIL) % 4)),
    "RATIONAL": (RATIO, THUMBNAIL + b"\0" * (-len(THUMBNAIL) % 8)),
    "decimal": (ASCII, DECIMAL + b"\0"),
    "hex": (ASCII, THUMBNAIL.hex(" ").encode() + b"\0"),
    "base64": (ASCII, base64.b64encode(THUMBNAIL) + b"\0"),
    "base64 in words": (ASCII, _in_words := b" ".join(
        base64.b64encode(THUMBNAIL)[i : i + 7] for i in range(0, len(THUMBNAIL), 7)
    ) + b"\0"),
    "ASCII comment": (UNDEFINED, b"ASCII\0\0\0" + DECIMAL),
    "comment in words": (UNDEFINED, b"ASCII\0\0\0" + _in_words),
    "binary comment": (UNDEFINED, b"ASCII\0\0\0" + THUMBNAIL),
    "plain comment": (UNDEFINED, b"\0" * 8 + THUMBNAIL),
    "UNICODE comment": (UNDEFINED, b"UNICODE\0" + DECIMAL.decode().encode("utf-16-le")),
    "UTF-16": (BYTE, DECIMAL.decode().encode("utf-16-le")),
}  # fmt: skip
PLACES = {
    "first directory": (0, (0x010E, 0x010F, 0x013B, 0x8298, 0x9C9C, 0x4746, 0x011A)),
    "private tags": (0, (0xC4A5, 0xEA1C, 0xC634, 0x02BC, 0x8649, 0x0201, 0x0111)),
    "camera": (EXIF, (0x9286, 0x9000, 0x9003, 0x927C, 0x8827, 0xA420, 0xA430, 0xA432, 0x9214)),
    "camera, private": (EXIF, (0xEA1C, 0xFDE8, 0xA302, 0xA40B, 0x8828)),
    "place": (GPS, (0, 2, 5, 7, 8, 0x12, 0x1B, 0x1C, 0x1D, 99)),
}
PLAIN: Entries = {0x0110: (ASCII, b"Model 7\0")}


def block(first: Entries, camera: Entries | None = None, place: Entries | None = None) -> bytes:
    first = dict(first)
    parts = {EXIF: camera or {}, GPS: place or {}}
    first |= {pointer: (LONG, bytes(4)) for pointer in parts}
    start, rest = 8 + len(tiff_directory(first)), b""
    for pointer, entries in parts.items():
        first[pointer] = (LONG, struct.pack("<I", start + len(rest)))
        rest += tiff_directory(entries, start=start + len(rest))
    return b"II*\0\x08\0\0\0" + tiff_directory(first) + rest


def planted(place: int, tag: int, value: tuple[int, bytes]) -> bytes:
    if place == 0:
        return block(PLAIN | {tag: value})
    return block(PLAIN, **{"camera" if place == EXIF else "place": {tag: value}})


def kept(path: Path, exif: bytes) -> Pillow.Exif:
    path.write_bytes(jpeg_with(exif_segment(exif)))
    out = encode_picture(read_picture(path), path, keep_metadata=True)
    with Pillow.open(io.BytesIO(out)) as image:
        return image.getexif()


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize(("place", "tags"), PLACES.values(), ids=PLACES)
def test_a_thumbnail_goes_whatever_its_type(
    tmp_path: Path, place: int, tags: tuple[int, ...], spelling: tuple[int, bytes]
) -> None:
    for tag in tags:
        exif = kept(tmp_path / "a.jpg", planted(place, tag, spelling))
        assert traces(exif.tobytes()) == []
        # The model, and nothing that is as long as a picture.
        assert exif[0x0110] == "Model 7"
        assert len(exif.tobytes()) < 150


WORDS = "Zoë in the garden, on her third birthday; behind her the old plum tree."
LONG_WORDS = (WORDS + "\n") * 8
RIGHT: dict[int, dict[int, tuple[tuple[int, bytes], object]]] = {
    0: {
        0x010E: ((ASCII, LONG_WORDS.encode("latin-1") + b"\0"), LONG_WORDS.rstrip("\0 ")),
        0x010F: ((ASCII, b"Kamera\0"), "Kamera"),
        0x013B: ((ASCII, "Zoë".encode() + b"\0"), "Zoë".encode().decode("latin-1")),
        0x011A: ((RATIO, struct.pack("<II", 300, 1)), 300.0),
        0x4746: ((SHORT, struct.pack("<H", 4)), 4),
        0x9C9C: (
            (BYTE, "a remark\0".encode("utf-16-le")),
            "a remark\0".encode("utf-16-le"),
        ),
    },
    EXIF: {
        0x829A: ((RATIO, struct.pack("<II", 1, 125)), 1 / 125),
        0x8827: ((SHORT, struct.pack("<H", 200)), 200),
        0x9000: ((UNDEFINED, b"0232"), b"0232"),
        0x9003: ((ASCII, b"2026:11:23 05:00:00\0"), "2026:11:23 05:00:00"),
        0x9214: ((SHORT, struct.pack("<4H", 1, 2, 3, 4)), (1, 2, 3, 4)),
        0x9286: (
            (UNDEFINED, b"UNICODE\0" + "Blüte".encode("utf-16-le")),
            b"UNICODE\0" + "Blüte".encode("utf-16-le"),
        ),
        0xA432: ((RATIO, struct.pack("<8I", 24, 1, 70, 1, 4, 1, 4, 1)), (24.0, 70.0, 4.0, 4.0)),
        0xA434: ((ASCII, b"Lens 24-70 mm\0"), "Lens 24-70 mm"),
    },
    GPS: {
        1: ((ASCII, b"N\0"), "N"),
        2: ((RATIO, struct.pack("<6I", 48, 1, 12, 1, 30, 1)), (48.0, 12.0, 30.0)),
        5: ((BYTE, b"\1"), b"\1"),
        6: ((RATIO, struct.pack("<2I", 519, 1)), 519.0),
        27: ((UNDEFINED, b"ASCII\0\0\0GPS"), b"ASCII\0\0\0GPS"),
        29: ((ASCII, b"2026:11:23\0"), "2026:11:23"),
    },
}


def test_what_cameras_say_stays(tmp_path: Path) -> None:
    first, camera, place = ({tag: v for tag, (v, _) in RIGHT[p].items()} for p in (0, EXIF, GPS))
    exif = kept(tmp_path / "a.jpg", block(first, camera, place))
    for pointer, entries in RIGHT.items():
        directory = exif if pointer == 0 else exif.get_ifd(pointer)
        for tag, (_, value) in entries.items():
            expected = pytest.approx(value) if isinstance(value, float | tuple) else value
            assert directory[tag] == expected, (ExifTags.TAGS.get(tag), tag)


def test_the_other_texts_hold_no_picture_either(tmp_path: Path) -> None:
    """A comment, XMP, IPTC and a PNG's texts: as a list of numbers there too."""
    packet = xmp_packet(f"<dc:description xmlns:dc='x'>{DECIMAL.decode()}</dc:description>")
    caption = b"\x1c\x02\x78" + struct.pack(">H", len(DECIMAL)) + DECIMAL
    path = tmp_path / "a.jpg"
    path.write_bytes(
        jpeg_with(
            segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet),
            segment(0xED, photoshop((0x0404, b"\x1c\x02\x05\0\x05title" + caption))),
            segment(0xFE, DECIMAL),
        )
    )
    out = encode_picture(read_picture(path), path, keep_metadata=True)
    info = PngInfo()
    info.add_text("Preview", DECIMAL.decode())
    path = tmp_path / "a.png"
    path.write_bytes(pillow_file(rgb(), "PNG", pnginfo=info))
    out += encode_picture(read_picture(path), path, keep_metadata=True)
    assert DECIMAL[:60] not in out
    assert b"title" in out


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        LONG_WORDS,
        "花" * 300,
        "Grüße aus München, 48.1374° N, 11.5755° E, am 3.10.2026 um 12:30 Uhr",
        "Canon EOS R5 with EF24-70mm f/2.8L II USM, 1/125 s at f/4, ISO 200, flash off. " * 4,
    ],
)
def test_words(text: str) -> None:
    assert is_plain_text(text)


def test_no_words() -> None:
    noise = np.random.default_rng(1).integers(0, 256, 900, np.uint8).tobytes()
    for text in (
        noise.decode("latin-1"),
        noise.hex(),
        noise.hex(" "),
        base64.b64encode(noise).decode(),
        " ".join(map(str, noise)),
        "word " * 1000,
        ",".join(map(str, noise)),
    ):
        assert not is_plain_text(text)
