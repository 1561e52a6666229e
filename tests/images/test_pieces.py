"""A thumbnail in pieces, each as short as a word: over keywords, fields and names, on request."""

import base64
import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
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
    xmp_packet,
)

from dartblur.images import encode_picture, read_picture

# Without the beginning that all JPEGs share, which anybody can put back.
SPELLED = base64.b64encode(THUMBNAIL[20:]).decode()
PIECES = [SPELLED[i : i + 48] for i in range(0, len(SPELLED), 48)]
LINES = [" ".join(PIECES[i : i + 3]) for i in range(0, len(PIECES), 3)]
NAMES = [" ".join(PIECES[i : i + 2]) for i in range(0, len(PIECES), 2)]
CAPTIONS = (120, 105, 40, 110, 115, 116, 90, 95, 101, 85, 80, 5)
KEYS = [
    "Title",
    "Author",
    "Description",
    "Copyright",
    "Software",
    "Disclaimer",
    "Warning",
    "Source",
    "Comment",
]


def _iptc(fields: list[tuple[int, str]]) -> bytes:
    records = b"".join(
        b"\x1c\x02" + bytes([field]) + struct.pack(">H", len(text.encode())) + text.encode()
        for field, text in fields
    )
    return jpeg_with(segment(0xED, photoshop((0x0404, records))))


def _png(texts: dict[str, str]) -> bytes:
    info = PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    return pillow_file(rgb(), "PNG", pnginfo=info)


def _exif(first: tuple[int, ...], camera: tuple[int, ...], texts: list[str]) -> bytes:
    exif = Pillow.Exif()
    exif[0x0112] = 1
    left = iter(texts)
    for directory, tags in ((exif, first), (exif.get_ifd(0x8769), camera)):
        for tag, text in zip(tags, left, strict=False):
            windows, comment = 0x9C9B <= tag <= 0x9C9F, tag == 0x9286
            directory[tag] = (
                (text + "\0").encode("utf-16-le")
                if windows
                else b"ASCII\0\0\0" + text.encode() if comment else text
            )  # fmt: skip
    return pillow_file(rgb(), "JPEG", exif=exif)


def exif_with(camera: dict[int, tuple[int, bytes]]) -> bytes:
    """A block whose first directory has nothing but the camera's."""
    first = {0x8769: (4, bytes(4))}
    start = 8 + len(tiff_directory(first))
    first[0x8769] = (4, struct.pack("<I", start))
    return b"II*\0\x08\0\0\0" + tiff_directory(first) + tiff_directory(camera, start=start)


def _xmp(body: str) -> bytes:
    spaces = (
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
        'xmlns:aux="http://ns.adobe.com/exif/1.0/aux/" '
        'xmlns:exifEX="http://cipa.jp/exif/1.0/"'
    )
    packet = xmp_packet(body).replace(b'about=""', f'about="" {spaces}'.encode())
    return jpeg_with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet))


_XMP_NAMES = "tiff:Make tiff:Model tiff:Software aux:Lens aux:LensID aux:Firmware exifEX:LensModel"
PLACES: dict[str, Callable[[], bytes]] = {
    "IPTC keywords": lambda: _iptc([(25, piece) for piece in PIECES]),
    "IPTC fields": lambda: _iptc(list(zip(CAPTIONS, LINES, strict=False))),
    "IPTC field repeated": lambda: _iptc([(5, piece) for piece in PIECES]),
    "IPTC dates": lambda: _iptc([(field, PIECES[0]) for field in (55, 60, 62, 63, 30, 35, 100)]),
    "PNG texts": lambda: _png({f"k{i}": piece for i, piece in enumerate(PIECES)}),
    "PNG keys": lambda: _png(dict.fromkeys(PIECES, "text")),
    "PNG known keys": lambda: _png(dict(zip(KEYS, LINES, strict=False))),
    "EXIF texts": lambda: _exif((0x010E, 0x8298, 0x010D, 0x011D, 0x013B, 0x013C), (), LINES),
    "EXIF Windows texts": lambda: _exif(
        (0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F), (0x9286, 0xA430), LINES
    ),
    "EXIF names": lambda: _exif((0x010F, 0x0110, 0x0131), (0xA431, 0xA433, 0xA434, 0xA435), NAMES),
    "XMP list": lambda: _xmp(
        f"<dc:subject><rdf:Bag>{''.join(f'<rdf:li>{p}</rdf:li>' for p in PIECES)}</rdf:Bag>"
        "</dc:subject>"
    ),
    "XMP names": lambda: _xmp(
        "".join(
            f"<{name}>{text}</{name}>"
            for name, text in zip(_XMP_NAMES.split(), NAMES, strict=False)
        )
    ),
}


def _pieces_in(data: bytes) -> int:
    return sum(p.encode() in data or p.encode("utf-16-le") in data for p in PIECES)


@pytest.mark.parametrize("keep_metadata", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_pieces_do_not_come_out(tmp_path: Path, place: str, keep_metadata: bool) -> None:
    path = tmp_path / ("a.png" if place.startswith("PNG") else "a.jpg")
    path.write_bytes(PLACES[place]())
    assert _pieces_in(path.read_bytes()) >= 1
    out = encode_picture(read_picture(path), path, keep_metadata=keep_metadata)
    # One alone is a short text, and no picture.
    assert _pieces_in(out) <= (place == "IPTC field repeated")


def test_a_full_set_of_words_stays(tmp_path: Path) -> None:
    """What an agency and a camera write, together."""
    fields = [
        *((25, word) for word in ("garden", "summer", "plum tree", "birthday", "Zürich")),
        (5, "In the garden"), (120, "Zoë on her third birthday; behind her the plum tree. " * 6),
        (55, "20261124"), (60, "221330+0100"), (80, "Tom"), (80, "Ann"), (90, "Zürich"),
        (100, "CHE"), (101, "Switzerland"), (10, "5"), (116, "© 2026 Tom & Ann"),
    ]  # fmt: skip
    path = tmp_path / "a.jpg"
    path.write_bytes(_iptc(fields))
    out = encode_picture(read_picture(path), path, keep_metadata=True)
    for _, text in fields:
        assert text.encode() in out
    names = {
        0x010F: "NIKON CORPORATION", 0x0110: "NIKON Z 6_2", 0x0131: "Adobe Photoshop 25.0",
        0x010E: "In the garden", 0x013B: "Tom", 0x8298: "2026 Tom and Ann",
    }  # fmt: skip
    camera = {0xA431: "3012345", 0xA433: "Nikon", 0xA434: "NIKKOR Z 24-70mm f/2.8 S"}
    path.write_bytes(_exif(tuple(names), tuple(camera), [*names.values(), *camera.values()]))
    out = encode_picture(read_picture(path), path, keep_metadata=True)
    with Pillow.open(io.BytesIO(out)) as image:
        exif = image.getexif()
        assert {tag: exif[tag] for tag in names} == names
        assert {tag: exif.get_ifd(0x8769)[tag] for tag in camera} == camera


@pytest.mark.parametrize("keep_metadata", [False, True])
def test_colours_that_no_pixel_has_go_from_a_palette(tmp_path: Path, keep_metadata: bool) -> None:
    picture = rgb().quantize(16)
    colours = bytes((picture.getpalette() or [])[:48])
    picture.putpalette((colours + THUMBNAIL[-700:]).ljust(768, b"\0"))
    path = tmp_path / "a.gif"
    path.write_bytes(pillow_file(picture, "GIF", optimize=False))
    assert THUMBNAIL[-700:] in path.read_bytes()
    out = encode_picture(read_picture(path), path, keep_metadata=keep_metadata)
    planted = THUMBNAIL[-700:]
    assert not any(planted[at : at + 12] in out for at in range(0, 688, 12))
    with Pillow.open(io.BytesIO(out)) as image:
        assert np.array_equal(np.array(image.convert("RGB")), np.array(picture.convert("RGB")))


def test_quantisation_tables_that_no_channel_names_go(tmp_path: Path) -> None:
    data = jpeg_with()
    planted = [bytes(each or 1 for each in THUMBNAIL[-at:][:64]) for at in (200, 136)]
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    plain = encode_picture(read_picture(path), path)
    tables = [segment(0xDB, bytes([n]) + table) for n, table in enumerate(planted, 2)]
    path.write_bytes(jpeg_with(*tables))
    assert encode_picture(read_picture(path), path) == plain


_FRACTIONS = {
    # as stored: what it comes to
    (1, 125): (1, 125), (28, 10): (28, 10), (1, 32000): (1, 32000), (0, 1): (0, 1),
    (54823, 8421): (54823, 8421), (2**32 - 1, 1): (2**32 - 1, 1),
    (30_123_456, 1_000_000): (30_123_456, 1_000_000), (16_667, 1_000_000): (16_667, 1_000_000),
}  # fmt: skip


@pytest.mark.parametrize("stored", _FRACTIONS)
def test_what_fractions_say_stays(tmp_path: Path, stored: tuple[int, int]) -> None:
    exif = {0x829A: (5, struct.pack("<2I", *stored))}
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg_with(exif_segment(exif_with(exif))))
    out = encode_picture(read_picture(path), path, keep_metadata=True)
    with Pillow.open(io.BytesIO(out)) as image:
        value = image.getexif().get_ifd(0x8769)[0x829A]
    over, under = _FRACTIONS[stored]
    assert float(value) == pytest.approx(over / under, rel=1e-6)


def test_fractions_hold_no_bytes(tmp_path: Path) -> None:
    tags = [0x829A, 0x829D, *range(0x9201, 0x9207), 0x920A, *range(0x9400, 0x9406), 0xA20B, 0xA404]
    planted = THUMBNAIL[-8 * len(tags) :]
    exif = {tag: (5, planted[8 * i : 8 * i + 8]) for i, tag in enumerate(tags)}
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg_with(exif_segment(exif_with(exif))))
    assert planted in path.read_bytes()
    out = encode_picture(read_picture(path), path, keep_metadata=True)
    pieces = [planted[at : at + 4] for at in range(0, len(planted), 4)]
    start = out.index(b"Exif")
    exif_part = out[start : start + 2000]
    found = [piece for piece in pieces if piece in exif_part or piece[::-1] in exif_part]
    assert found == []
