"""Broken, hostile and merely odd files, by name."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import tifffile
from PIL import Image as Pillow
from tests.images.files import (
    HEIGHT,
    WIDTH,
    deep_png,
    deep_tiff,
    pillow_file,
    plain_tiff,
    png,
    rgb,
)
from tests.images.planting import exif_segment, jpeg_with, segment, tiff_directory
from tests.pictures import textured

Maker = Callable[[], bytes]


def _jpeg() -> bytes:
    return pillow_file(rgb(), "JPEG", quality=90)


def _cut(make: Maker, share: float) -> Maker:
    return lambda: make()[: max(1, int(len(make()) * share))]


def _flipped(make: Maker, seed: int) -> Maker:
    """Twenty bits turned over behind the first bytes, which say what kind of file it is."""

    def flip() -> bytes:
        data, rng = bytearray(make()), np.random.default_rng(seed)
        for at in rng.integers(16, len(data), 20):
            data[at] ^= 1 << int(rng.integers(8))
        return bytes(data)

    return flip


def _png_header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return png([(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")])


def _png_with_wrong_sum() -> bytes:
    data = bytearray(pillow_file(rgb(), "PNG"))
    at = data.index(b"IDAT")
    data[at + 40] ^= 0xFF
    return bytes(data)


def _png_with_text(chunk: bytes) -> bytes:
    data = pillow_file(rgb(), "PNG")
    return data[:33] + chunk + data[33:]


def _bmp_header(width: int, height: int) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + info + b"\0" * 64


def _gif_header(width: int, height: int) -> bytes:
    data = bytearray(pillow_file(rgb().quantize(16), "GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


def _tiff_header(width: int, height: int) -> bytes:
    return b"II*\0\x08\0\0\0" + tiff_directory(
        {
            256: (4, struct.pack("<I", width)),
            257: (4, struct.pack("<I", height)),
            258: (3, struct.pack("<H", 8)),
            259: (3, struct.pack("<H", 1)),
            262: (3, struct.pack("<H", 1)),
            273: (4, struct.pack("<I", 8)),
            277: (3, struct.pack("<H", 1)),
            278: (4, struct.pack("<I", height)),
            279: (4, struct.pack("<I", 100)),
        }
    )


def _webp_header(width: int, height: int) -> bytes:
    plain = pillow_file(rgb(), "WEBP")[12:]
    head = b"\0\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"VP8X" + struct.pack("<I", 10) + head + plain
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _jpeg_size(width: int, height: int) -> bytes:
    data = bytearray(_jpeg())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def _jpeg_frame(marker: int, precision: int = 8) -> bytes:
    """A JPEG that claims another process (arithmetic coding, lossless) or depth."""
    data = bytearray(_jpeg())
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, precision
    return bytes(data)


def _frames(kind: str, **options: object) -> bytes:
    pictures = [Pillow.fromarray(textured(HEIGHT, WIDTH, seed)) for seed in range(3)]
    if kind == "GIF":
        pictures = [picture.quantize(64) for picture in pictures]
    return pillow_file(pictures[0], kind, save_all=True, append_images=pictures[1:], **options)


def _odd_tiff(samples: np.ndarray, photometric: str) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, photometric=photometric)
    return buffer.getvalue()


def _without(data: bytes, marker: bytes) -> bytes:
    at = data.index(marker)
    length = struct.unpack(">H", data[at + 2 : at + 4])[0]
    return data[:at] + data[at + 2 + length :]


def _thin(height: int, width: int, kind: str) -> bytes:
    return pillow_file(Pillow.fromarray(textured(height, width)), kind)


_MAKERS: dict[str, tuple[str, Maker]] = {
    "JPEG": (".jpg", _jpeg),
    "progressive JPEG": (".jpg", lambda: pillow_file(rgb(), "JPEG", progressive=True)),
    "PNG": (".png", lambda: pillow_file(rgb(), "PNG")),
    "16-bit PNG": (".png", lambda: deep_png(3)),
    "WebP": (".webp", lambda: pillow_file(rgb(), "WEBP")),
    "lossless WebP": (".webp", lambda: pillow_file(rgb(), "WEBP", lossless=True)),
    "TIFF": (".tif", plain_tiff),
    "LZW TIFF": (".tif", lambda: pillow_file(rgb(), "TIFF", compression="tiff_lzw")),
    "16-bit TIFF": (".tif", lambda: deep_tiff(3)),
    "GIF": (".gif", lambda: pillow_file(rgb().quantize(64), "GIF")),
    "BMP": (".bmp", lambda: pillow_file(rgb(), "BMP")),
    "AVIF": (".avif", lambda: pillow_file(rgb(), "AVIF")),
}

BROKEN: dict[str, tuple[str, Maker]] = {
    "empty": (".jpg", lambda: b""),
    "one byte": (".jpg", lambda: b"\xff"),
    "two bytes of a JPEG": (".jpg", lambda: b"\xff\xd8"),
    "a text": (".jpg", lambda: b"no picture at all\n"),
    "zeros": (".png", lambda: b"\0" * 10_000),
    "noise": (".webp", lambda: np.random.default_rng(0).bytes(10_000)),
    "a PDF": (".jpg", lambda: b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF"),
    "PostScript": (
        ".jpg",
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage",
    ),
    "an SVG": (".png", lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    "a web page": (".jpg", lambda: b"<!DOCTYPE html><title>404</title>"),
    "an ICO": (".bmp", lambda: pillow_file(rgb(), "ICO")),
    "a PPM": (".png", lambda: pillow_file(rgb(), "PPM")),
    "a TGA": (".bmp", lambda: pillow_file(rgb(), "TGA")),
    "a ZIP": (".jpg", lambda: b"PK\3\4" + b"\0" * 60),
    "a PNG with a wrong sum": (".png", _png_with_wrong_sum),
    "a PNG of 100,000 × 100,000": (".png", lambda: _png_header(100_000, 100_000)),
    "a 16-bit PNG of 100,000 × 100,000": (".png", lambda: _png_header(100_000, 100_000, 16)),
    "a PNG of 2^31 × 1": (".png", lambda: _png_header(2**31 - 1, 1)),
    "a PNG of 0 × 5": (".png", lambda: _png_header(0, 5)),
    "a PNG of 5 × 0": (".png", lambda: _png_header(5, 0)),
    "a PNG of depth 3": (".png", lambda: _png_header(5, 5, 3)),
    "a PNG without data": (".png", lambda: png([(b"IHDR", _png_header(9, 9)[16:29])])),
    "a PNG with a text bomb": (
        ".png",
        lambda: _png_with_text(
            png([(b"zTXt", b"bomb\0\0" + zlib.compress(b"a" * 50_000_000))])[8:]
        ),
    ),
    "a PNG with a profile bomb": (
        ".png",
        lambda: _png_with_text(png([(b"iCCP", b"x\0\0" + zlib.compress(b"a" * 50_000_000))])[8:]),
    ),
    "a PNG with a huge text": (
        ".png",
        lambda: _png_with_text(png([(b"tEXt", b"long\0" + b"a" * 5_000_000)])[8:]),
    ),
    "a BMP of 60,000 × 60,000": (".bmp", lambda: _bmp_header(60_000, 60_000)),
    "a BMP of 0 × 0": (".bmp", lambda: _bmp_header(0, 0)),
    "a BMP of negative size": (".bmp", lambda: _bmp_header(-5, -5)),
    "a GIF of 65,535 × 65,535": (".gif", lambda: _gif_header(65_535, 65_535)),
    "a GIF of 0 × 0": (".gif", lambda: _gif_header(0, 0)),
    "a TIFF of 100,000 × 100,000": (".tif", lambda: _tiff_header(100_000, 100_000)),
    "a TIFF of 2^32 × 2^32": (".tif", lambda: _tiff_header(2**32 - 1, 2**32 - 1)),
    "a TIFF of 0 × 0": (".tif", lambda: _tiff_header(0, 0)),
    "a TIFF whose pages go in a circle": (
        ".tif",
        lambda: plain_tiff()[:4] + b"\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0",
    ),
    "a WebP of 16,384 × 16,384": (".webp", lambda: _webp_header(16_384, 16_384)),
    "a WebP of 2^24 × 2^24": (".webp", lambda: _webp_header(2**24, 2**24)),
    "a JPEG of 65,500 × 65,500": (".jpg", lambda: _jpeg_size(65_500, 65_500)),
    "a JPEG of 0 × 0": (".jpg", lambda: _jpeg_size(0, 0)),
    "a JPEG taller than its data": (".jpg", lambda: _jpeg_size(WIDTH, 5_000)),
    "an arithmetic JPEG": (".jpg", lambda: _jpeg_frame(0xC9)),
    "a lossless JPEG": (".jpg", lambda: _jpeg_frame(0xC3)),
    "a 12-bit JPEG": (".jpg", lambda: _jpeg_frame(0xC1, 12)),
    "a JPEG without tables": (".jpg", lambda: _without(_jpeg(), b"\xff\xdb")),
    "a JPEG without codes": (".jpg", lambda: _without(_jpeg(), b"\xff\xc4")),
    "a JPEG without an end": (".jpg", lambda: _jpeg()[:-2]),
    "a JPEG without a frame": (".jpg", lambda: _without(_jpeg(), b"\xff\xc0")),
    "a JPEG with garbage for EXIF": (
        ".jpg",
        lambda: jpeg_with(exif_segment(np.random.default_rng(1).bytes(3000))),
    ),
    "a JPEG with garbage for a profile": (
        ".jpg",
        lambda: jpeg_with(segment(0xE2, b"ICC_PROFILE\0\1\1" + b"\xff" * 500)),
    ),
    "a JPEG with a chapter missing in its profile": (
        ".jpg",
        lambda: jpeg_with(segment(0xE2, b"ICC_PROFILE\0\2\5" + b"\0" * 500)),
    ),
    "a JPEG with a broken MPO index": (
        ".jpg",
        lambda: jpeg_with(segment(0xE2, b"MPF\0II*\0\x08\0\0\0" + b"\xff" * 60)),
    ),
    "a JPEG with a broken Photoshop block": (
        ".jpg",
        lambda: jpeg_with(segment(0xED, b"Photoshop 3.0\x008BIM\4\4\xff\xff\xff\xff\xff")),
    ),
    "a CMYK JPEG without its maker's mark": (
        ".jpg",
        lambda: _without(pillow_file(rgb().convert("CMYK"), "JPEG"), b"\xff\xee"),
    ),
    "an animated GIF": (".gif", lambda: _frames("GIF")),
    "an animated WebP": (".webp", lambda: _frames("WEBP")),
    "an animated PNG": (".png", lambda: _frames("PNG")),
    "an animated PNG by its own name": (".apng", lambda: _frames("PNG", default_image=True)),
    "an animated AVIF": (".avif", lambda: _frames("AVIF")),
    "a TIFF of three pages": (".tif", lambda: _frames("TIFF")),
    "a TIFF of floats": (
        ".tif",
        lambda: _odd_tiff(textured(HEIGHT, WIDTH)[..., 0].astype(np.float32), "minisblack"),
    ),
    "a TIFF of three floats": (
        ".tif",
        lambda: _odd_tiff(textured(HEIGHT, WIDTH).astype(np.float32), "rgb"),
    ),
    "a TIFF of 32-bit numbers": (
        ".tif",
        lambda: _odd_tiff(textured(HEIGHT, WIDTH).astype(np.uint32), "rgb"),
    ),
    "a TIFF of signed numbers": (
        ".tif",
        lambda: _odd_tiff(textured(HEIGHT, WIDTH).astype(np.int16), "rgb"),
    ),
    "a LAB TIFF": (".tif", lambda: _odd_tiff(textured(HEIGHT, WIDTH), "cielab")),
    "a 16-bit LAB TIFF": (
        ".tif",
        lambda: _odd_tiff(textured(HEIGHT, WIDTH).astype(np.uint16) * 257, "cielab"),
    ),
    "a 16-bit CMYK TIFF": (
        ".tif",
        lambda: _odd_tiff(np.full((HEIGHT, WIDTH, 4), 9000, np.uint16), "separated"),
    ),
    "a TIFF of five colours": (
        ".tif",
        lambda: _odd_tiff(np.full((HEIGHT, WIDTH, 5), 90, np.uint8), "minisblack"),
    ),
    "a PNG named .jpg": (".jpg", lambda: pillow_file(rgb(), "PNG")),
    "a JPEG named .png": (".png", _jpeg),
    "a film named .jpg": (".jpg", lambda: b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0" * 200),
    "a HEIC of nothing": (".heic", lambda: b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + b"\0" * 200),
    "an AVIF of nothing": (".avif", lambda: b"\0\0\0\x18ftypavif\0\0\0\0avifmif1" + b"\0" * 200),
    "a picture of one pixel": (".png", lambda: _thin(1, 1, "PNG")),
    "a JPEG of one pixel": (".jpg", lambda: _thin(1, 1, "JPEG")),
    "a JPEG of 1 × 900": (".jpg", lambda: _thin(900, 1, "JPEG")),
    "a PNG of 900 × 1": (".png", lambda: _thin(1, 900, "PNG")),
    "a WebP of 1 × 900": (".webp", lambda: _thin(900, 1, "WEBP")),
    "an AVIF of 1 × 3": (".avif", lambda: _thin(3, 1, "AVIF")),
}
for _name, (_suffix, _make) in _MAKERS.items():
    for _share in (0.01, 0.1, 0.5, 0.9, 0.99):
        BROKEN[f"{_share:.0%} of a {_name}"] = (_suffix, _cut(_make, _share))
    for _seed in range(2):
        BROKEN[f"a {_name} with bits flipped ({_seed})"] = (_suffix, _flipped(_make, _seed))

# What none of these may be: passed on, or taken for another kind of picture.
MUST_FAIL = {
    *(name for name in BROKEN if name.startswith(("1% of", "10% of", "50% of"))),
    *(name for name in BROKEN if "animated" in name or "100,000" in name),
    *(name for name in BROKEN if " 0 ×" in name and "GIF" not in name),
    "empty",
    "one byte",
    "a text",
    "zeros",
    "noise",
    "a PDF",
    "PostScript",
    "an SVG",
    "a web page",
    "an ICO",
    "a PPM",
    "a TGA",
    "a ZIP",
    "a film named .jpg",
    "a HEIC of nothing",
    "an AVIF of nothing",
    "a TIFF of three pages",
    "a LAB TIFF",
    "a 16-bit LAB TIFF",
    "a 16-bit CMYK TIFF",
    "a TIFF of floats",
    "a TIFF of three floats",
    "a GIF of 65,535 × 65,535",
    "a WebP of 16,384 × 16,384",
    "a WebP of 2^24 × 2^24",
    "a JPEG of 65,500 × 65,500",
    "a BMP of 60,000 × 60,000",
    "a PNG with a wrong sum",
}
