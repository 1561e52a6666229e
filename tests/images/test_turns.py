"""EXIF's eight orientations come out upright, in each format that has them."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from tests.images.files import heif_is_there, pillow_file, png
from tests.pictures import Array, smooth

from dartblur.images import encode_picture, read_picture

UPRIGHT = smooth(40, 64)
# How each orientation stores an upright picture, by EXIF's table of rows and columns.
STORED: dict[int, Callable[[Array], Array]] = {
    1: lambda u: u,
    2: lambda u: u[:, ::-1],
    3: lambda u: u[::-1, ::-1],
    4: lambda u: u[::-1],
    5: lambda u: u.swapaxes(0, 1),
    6: lambda u: np.rot90(u, 1),
    7: lambda u: u[::-1, ::-1].swapaxes(0, 1),
    8: lambda u: np.rot90(u, -1),
}


def _with_exif(kind: str, **options: object) -> Callable[[Array, int], bytes]:
    def make(stored: Array, orientation: int) -> bytes:
        exif = Pillow.Exif()
        exif[0x0112] = orientation
        return pillow_file(Pillow.fromarray(stored), kind, exif=exif, **options)

    return make


def _tiff(stored: Array, orientation: int) -> bytes:
    return pillow_file(Pillow.fromarray(stored), "TIFF", tiffinfo={274: orientation})


def _deep_tiff(stored: Array, orientation: int) -> bytes:
    buffer = io.BytesIO()
    samples = np.ascontiguousarray(stored.astype(np.uint16) * 257)
    turn = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(buffer, samples, photometric="rgb", extratags=turn)
    return buffer.getvalue()


def _deep_png(stored: Array, orientation: int) -> bytes:
    height, width = stored.shape[:2]
    rows = (stored.astype(">u2") * 257).astype(">u2").reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" + bytes([orientation]) + b"\0" * 6
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return png([(b"IHDR", header), (b"eXIf", exif), (b"IDAT", data), (b"IEND", b"")])


def _heic(stored: Array, orientation: int) -> bytes:
    if not heif_is_there():
        pytest.skip("pillow-heif is not installed")
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    # As bytes: given so, the encoder also writes the format's own mark of a turn.
    return pillow_file(Pillow.fromarray(stored), "HEIF", quality=95, exif=exif.tobytes())


FORMATS: dict[str, tuple[str, Callable[[Array, int], bytes]]] = {
    "JPEG": (".jpg", _with_exif("JPEG", quality=95)),
    "PNG": (".png", _with_exif("PNG")),
    "WebP": (".webp", _with_exif("WEBP", lossless=True)),
    "TIFF": (".tif", _tiff),
    "AVIF": (".avif", _with_exif("AVIF", quality=95)),
    "HEIC": (".heic", _heic),
    "16-bit TIFF": (".tif", _deep_tiff),
    "16-bit PNG": (".png", _deep_png),
}


@pytest.mark.parametrize("keep_metadata", [False, True])
@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(("suffix", "make"), FORMATS.values(), ids=FORMATS)
def test_upright(
    tmp_path: Path,
    suffix: str,
    make: Callable[[Array, int], bytes],
    orientation: int,
    keep_metadata: bool,
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(make(np.ascontiguousarray(STORED[orientation](UPRIGHT)), orientation))
    picture = read_picture(path)
    assert picture.size == UPRIGHT.shape[:2]
    assert np.abs(picture.rgb.astype(int) - UPRIGHT).mean() < 4
    data = encode_picture(picture, path, keep_metadata=keep_metadata)
    with Pillow.open(io.BytesIO(data)) as out:
        out.load()
        assert out.getexif().get(0x0112, 1) == 1
        assert np.abs(np.array(out.convert("RGB")).astype(int) - UPRIGHT).mean() < 4


@pytest.mark.parametrize("nonsense", [0, 9, 255])
def test_nonsense_is_upright(tmp_path: Path, nonsense: int) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(_with_exif("JPEG")(UPRIGHT, nonsense))
    assert read_picture(path).size == UPRIGHT.shape[:2]
