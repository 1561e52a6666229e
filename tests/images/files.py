"""Picture files of every kind that is supported, made from scratch."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
import tifffile
from PIL import Image as Pillow
from tests.pictures import Array, textured

HEIGHT, WIDTH = 48, 64


def heif_is_there() -> bool:
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener(thumbnails=False)
    return True


def pillow_file(image: Pillow.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def rgb() -> Pillow.Image:
    return Pillow.fromarray(textured(HEIGHT, WIDTH))


def grey() -> Pillow.Image:
    return rgb().convert("L")


def alpha() -> Array:
    return np.linspace(0, 255, HEIGHT * WIDTH).astype(np.uint8).reshape(HEIGHT, WIDTH)


def rgba() -> Pillow.Image:
    return Pillow.fromarray(np.dstack([textured(HEIGHT, WIDTH), alpha()]))


def grey_alpha() -> Pillow.Image:
    image = grey().convert("LA")
    image.putalpha(Pillow.fromarray(alpha()))
    return image


def palette() -> Pillow.Image:
    return rgb().quantize(200)


def deep(channels: int) -> Array:
    rng = np.random.default_rng(channels)
    shape = (HEIGHT, WIDTH) if channels == 1 else (HEIGHT, WIDTH, channels)
    return rng.integers(0, 65536, shape, np.uint16)


def deep_png(channels: int) -> bytes:
    """16-bit samples (grey, RGB or RGBA), written by hand: Pillow cannot."""
    samples = deep(channels).astype(">u2").reshape(HEIGHT, -1)
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, colour_type, 0, 0, 0)
    return png([(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")])


def png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, content in chunks:
        crc = struct.pack(">I", zlib.crc32(name + content))
        parts += [struct.pack(">I", len(content)), name, content, crc]
    return b"".join(parts)


def deep_tiff(channels: int, **options: object) -> bytes:
    buffer = io.BytesIO()
    kind = "minisblack" if channels == 1 else "rgb"
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    tifffile.imwrite(buffer, deep(channels), photometric=kind, **extra, **options)
    return buffer.getvalue()


def plain_tiff(**options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, textured(HEIGHT, WIDTH), photometric="rgb", **options)
    return buffer.getvalue()


def bmp_of(image: Pillow.Image) -> bytes:
    return pillow_file(image, "BMP")


@dataclass(frozen=True)
class Kind:
    """A kind of file: its suffix, and what makes one.

    lossless: what is outside the boxes comes out equal. mode: Pillow's name for what comes out.
    deep: 16 bits a sample.
    """

    suffix: str
    make: Callable[[], bytes]
    lossless: bool = True
    mode: str = "RGB"
    deep: bool = False
    needs: Callable[[], bool] = field(default=lambda: True)


KINDS: dict[str, Kind] = {
    "jpeg": Kind(".jpg", lambda: pillow_file(rgb(), "JPEG", quality=92), False),
    "jpeg progressive": Kind(".jpeg", lambda: pillow_file(rgb(), "JPEG", progressive=True), False),
    "jpeg grey": Kind(".jpg", lambda: pillow_file(grey(), "JPEG"), False, "L"),
    "jpeg CMYK": Kind(".jpe", lambda: pillow_file(rgb().convert("CMYK"), "JPEG"), False, "CMYK"),
    "png": Kind(".png", lambda: pillow_file(rgb(), "PNG")),
    "png interlaced": Kind(".png", lambda: pillow_file(rgb(), "PNG", interlace=1)),
    "png grey": Kind(".png", lambda: pillow_file(grey(), "PNG"), mode="L"),
    "png grey alpha": Kind(".png", lambda: pillow_file(grey_alpha(), "PNG"), mode="LA"),
    "png alpha": Kind(".png", lambda: pillow_file(rgba(), "PNG"), mode="RGBA"),
    "png 1 bit": Kind(".png", lambda: pillow_file(rgb().convert("1"), "PNG"), mode="L"),
    "png palette": Kind(".png", lambda: pillow_file(palette(), "PNG")),
    "png palette transparent": Kind(
        ".png", lambda: pillow_file(palette(), "PNG", transparency=3), mode="RGBA"
    ),
    "png colour key": Kind(
        ".png",
        lambda: pillow_file(
            rgb(), "PNG", transparency=tuple(textured(HEIGHT, WIDTH)[3, 4].tolist())
        ),
        mode="RGBA",
    ),
    "png grey colour key": Kind(
        ".png", lambda: pillow_file(grey(), "PNG", transparency=100), mode="LA"
    ),
    "png grey 16": Kind(".png", lambda: deep_png(1), mode="L", deep=True),
    "png grey alpha 16": Kind(".png", lambda: deep_png(2), mode="RGBA", deep=True),
    "png RGB 16": Kind(".png", lambda: deep_png(3), deep=True),
    "png RGBA 16": Kind(".png", lambda: deep_png(4), mode="RGBA", deep=True),
    "webp lossless": Kind(".webp", lambda: pillow_file(rgb(), "WEBP", lossless=True)),
    "webp lossless alpha": Kind(
        ".webp", lambda: pillow_file(rgba(), "WEBP", lossless=True, exact=True), mode="RGBA"
    ),
    "webp": Kind(".webp", lambda: pillow_file(rgb(), "WEBP", quality=90), False),
    "webp alpha": Kind(".webp", lambda: pillow_file(rgba(), "WEBP", quality=90), False, "RGBA"),
    "tiff": Kind(".tif", lambda: pillow_file(rgb(), "TIFF")),
    "tiff LZW": Kind(".tiff", lambda: pillow_file(rgb(), "TIFF", compression="tiff_lzw")),
    "tiff LZW predicted": Kind(
        ".tiff", lambda: pillow_file(rgb(), "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    ),
    "tiff deflate": Kind(
        ".tif", lambda: pillow_file(rgb(), "TIFF", compression="tiff_adobe_deflate")
    ),
    "tiff packbits": Kind(".tif", lambda: pillow_file(rgb(), "TIFF", compression="packbits")),
    "tiff JPEG": Kind(".tif", lambda: pillow_file(rgb(), "TIFF", compression="jpeg")),
    "tiff tiled": Kind(".tif", lambda: plain_tiff(tile=(16, 16))),
    "tiff planar": Kind(
        ".tif",
        lambda: pillow_file(rgb(), "TIFF", compression="tiff_lzw", tiffinfo={284: 1}),
    ),
    "tiff big-endian": Kind(".tif", lambda: plain_tiff(byteorder=">")),
    "tiff grey": Kind(".tif", lambda: pillow_file(grey(), "TIFF"), mode="L"),
    "tiff alpha": Kind(".tif", lambda: pillow_file(rgba(), "TIFF"), mode="RGBA"),
    "tiff CMYK": Kind(".tif", lambda: pillow_file(rgb().convert("CMYK"), "TIFF"), mode="CMYK"),
    "tiff palette": Kind(".tif", lambda: pillow_file(palette(), "TIFF")),
    "tiff 1 bit": Kind(
        ".tif", lambda: pillow_file(rgb().convert("1"), "TIFF", compression="group4"), mode="L"
    ),
    "tiff grey 16": Kind(".tif", lambda: deep_tiff(1), mode="L", deep=True),
    "tiff grey 16 big-endian": Kind(
        ".tif", lambda: deep_tiff(1, byteorder=">"), mode="L", deep=True
    ),
    "tiff RGB 16": Kind(".tif", lambda: deep_tiff(3), deep=True),
    "tiff RGB 16 big-endian": Kind(".tif", lambda: deep_tiff(3, byteorder=">"), deep=True),
    "tiff RGB 16 deflate": Kind(".tif", lambda: deep_tiff(3, compression="zlib"), deep=True),
    "tiff RGB 16 LZW predicted": Kind(
        ".tif",
        lambda: cv2.imencode(".tif", deep(3))[1].tobytes(),
        deep=True,
    ),
    "tiff RGB 16 tiled": Kind(".tif", lambda: deep_tiff(3, tile=(16, 16)), deep=True),
    "tiff RGBA 16": Kind(".tif", lambda: deep_tiff(4), mode="RGBA", deep=True),
    "bmp": Kind(".bmp", lambda: bmp_of(rgb())),
    "bmp grey": Kind(".bmp", lambda: bmp_of(grey()), mode="L"),
    "bmp palette": Kind(".dib", lambda: bmp_of(palette())),
    "bmp 1 bit": Kind(".bmp", lambda: bmp_of(rgb().convert("1")), mode="L"),
    "gif": Kind(".gif", lambda: pillow_file(palette(), "GIF")),
    "gif transparent": Kind(
        ".gif", lambda: pillow_file(palette(), "GIF", transparency=3), mode="RGBA"
    ),
    "gif grey transparent": Kind(
        ".gif", lambda: pillow_file(grey(), "GIF", transparency=100), mode="RGBA"
    ),
    "gif grey": Kind(".gif", lambda: pillow_file(grey(), "GIF"), mode="L"),
    "avif": Kind(".avif", lambda: pillow_file(rgb(), "AVIF", quality=90), False),
    "avif alpha": Kind(".avif", lambda: pillow_file(rgba(), "AVIF", quality=90), False, "RGBA"),
    "heic": Kind(
        ".heic", lambda: pillow_file(rgb(), "HEIF", quality=90), False, needs=heif_is_there
    ),
    "heic alpha": Kind(
        ".heif",
        lambda: pillow_file(rgba(), "HEIF", quality=90),
        False,
        "RGBA",
        needs=heif_is_there,
    ),
}


def samples_of(data: bytes) -> Array:
    """What a reader that is not ours sees in a file: 16 bits where there are, RGBA otherwise."""
    with Pillow.open(io.BytesIO(data)) as image:
        deep_colour = (image.format == "PNG" and data[24] == 16) or (
            image.format == "TIFF" and max(image.tag_v2.get(258, (1,))) == 16  # type: ignore[attr-defined]
        )
        if deep_colour and image.format == "TIFF":
            try:
                return tifffile.imread(io.BytesIO(data))
            except ValueError:  # compressed by what it cannot undo
                return cv2.imdecode(np.frombuffer(data, np.uint8), -1)[..., ::-1]
        if deep_colour:
            decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            return decoded if decoded.ndim == 2 else decoded[..., [2, 1, 0, 3][: decoded.shape[2]]]
        if image.mode == "CMYK":
            return np.array(image)
        return np.array(image.convert("RGBA"))
