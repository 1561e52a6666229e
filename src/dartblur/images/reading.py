"""Decoding of pictures: upright, checked, with what may stay of their metadata."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import JpegImagePlugin, TiffImagePlugin, UnidentifiedImageError

from dartblur.errors import PictureError
from dartblur.faces import Image
from dartblur.images import png
from dartblur.images.exif import orientation_of
from dartblur.images.integrity import defects, repaired
from dartblur.images.metadata import metadata_of
from dartblur.images.orientation import upright
from dartblur.images.picture import Encoding, Picture, Samples, shown

HEIF_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".dib", ".avif"}
    | {".gif", ".mpo", ".apng"}
    | HEIF_SUFFIXES
)
# Loads the decoders: asking for them by name does not.
Pillow.init()
# Pillow knows 16-bit grey that counts from white in the one byte order, and not in the other.
TiffImagePlugin.OPEN_INFO.setdefault(
    (TiffImagePlugin.MM, 0, (1,), 1, (16,), ()), ("I;16B", "I;16B")
)
# Only these decoders are ever tried: others (PostScript, say) run programs or have no use here.
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "AVIF", "GIF", "HEIF")
_MODES = {"1": "L", "PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "YCbCr": "RGB"}
_SAME_TIFF_COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")
MAX_MEGAPIXELS = 178.0
_TOLERATE = "--tolerant writes what there is of it"
_BITS, _PHOTOMETRIC, _MIN_IS_WHITE = 258, 262, 0
_KINDS = "JPEG, PNG, WebP, TIFF, BMP, AVIF, GIF, HEIC"
# How each kind's files begin: its name, where, and with what.
_STARTS = (
    ("JPEG", 0, b"\xff\xd8\xff"),
    ("PNG", 0, b"\x89PNG\r\n\x1a\n"),
    ("WebP", 8, b"WEBP"),
    ("TIFF", 0, b"II*\0"),
    ("TIFF", 0, b"MM\0*"),
    ("TIFF", 0, b"II+\0"),
    ("TIFF", 0, b"MM\0+"),
    ("BMP", 0, b"BM"),
    ("GIF", 0, b"GIF8"),
    ("AVIF", 4, b"ftypavif"),
    ("HEIC", 4, b"ftyphei"),
)


def read_picture(
    path: Path, max_megapixels: float = MAX_MEGAPIXELS, *, tolerant: bool = False
) -> Picture:
    """Reads a picture of any supported kind, upright; see `decode_picture`.

    Raises:
        PictureError: the file cannot be read or decoded; the message names it.
    """
    return decode_picture(read_file(path), path, max_megapixels, tolerant=tolerant)


def read_file(path: Path) -> bytes:
    """The bytes of a picture's file.

    Raises:
        PictureError: it cannot be read, or is empty.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not data:
        raise PictureError(f"{path}: the file is empty")
    return data


def decode_picture(
    data: bytes, path: Path, max_megapixels: float = MAX_MEGAPIXELS, *, tolerant: bool = False
) -> Picture:
    """The upright picture that a file's bytes hold.

    Of a JPEG that holds several pictures (MPO: a phone's depth or gain map) the first is read.

    tolerant: a damaged file is decoded as far as it goes; `Picture.warnings` says what is wrong.

    Raises:
        PictureError: no picture, broken, larger than `max_megapixels` (millions of pixels), an
            animation, or of a kind that is not supported; the message names `path`.
    """
    if _looks_like_heif(data):
        _register_heif(path)
    try:
        return _decode(path, data, max_megapixels, tolerant=tolerant)
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        raise PictureError(f"{path}: {_unknown(data)}") from error
    except MemoryError as error:
        raise PictureError(f"{path}: too large for the memory there is") from error
    # Decoders raise all kinds of errors at hostile bytes; each means the same to the caller.
    except Exception as error:
        raise PictureError(f"{path}: broken or cut off: {error}") from error


def _decode(path: Path, data: bytes, max_megapixels: float, *, tolerant: bool) -> Picture:
    original = data
    if tolerant:
        data = repaired(data)
    try:
        image = Pillow.open(io.BytesIO(data), formats=[f for f in _FORMATS if f in Pillow.OPEN])
    except Pillow.DecompressionBombError as error:
        raise PictureError(f"{path}: {error}; raise --max-megapixels if you trust it") from error
    with image:
        if image.width * image.height > max_megapixels * 1e6:
            raise PictureError(
                f"{path}: {image.width} × {image.height} pixels are more than {max_megapixels:g} "
                "megapixels; raise --max-megapixels if you trust it"
            )
        _refuse_several(path, image)
        warnings = defects(image, original)
        if warnings and not tolerant:
            raise PictureError(f"{path}: broken or cut off: {warnings[0]}; {_TOLERATE}")
        deep = _has_deep_colour(image, data)
        if not deep:
            warnings += _load(image, tolerant=tolerant)
        samples, mode, palette = _deep_samples(path, data) if deep else _samples(path, image)
        # After loading: HEIF, AVIF and 8-bit TIFF are turned by their decoders, which then say so.
        # OpenCV's turns a 16-bit TIFF too, but Pillow is not told.
        turned = image.format == "TIFF" and samples.dtype == np.uint16 and samples.ndim == 3
        orientation = 1 if turned else orientation_of(image)
        samples = upright(samples, orientation)
        height, width = samples.shape[:2]
        encoding = _encoding(image, data, turned=orientation > 4)
        metadata = metadata_of(image, data, (height, width))
    rgb, dynamic_range = shown(samples, mode, palette, encoding)
    return Picture(
        rgb, samples, mode, encoding, metadata, palette, dynamic_range, tuple(warnings), orientation
    )


def _load(image: Pillow.Image, *, tolerant: bool) -> list[str]:
    """Decodes; where it is asked to be tolerant, returns why it had to stop.

    What came before that stays in the image. Pillow's own switch for this is one for all threads.
    """
    try:
        image.load()
    except OSError as error:
        if not tolerant:
            raise
        image.tile = []  # type: ignore[attr-defined]
        image.load()
        return [str(error)]
    return []


def _refuse_several(path: Path, image: Pillow.Image) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        raise PictureError(
            f"{path}: holds {frames} pictures (an animated or many-paged {image.format}); "
            "take them apart, or make a film of them, first"
        )


def _samples(path: Path, image: Pillow.Image) -> tuple[Samples, str, Image | None]:
    if image.mode.startswith("I;16"):
        return _dark_is_low(np.array(image).astype(np.uint16), image), "L", None
    if image.format == "GIF" and image.mode in ("P", "L"):
        return _indexed_samples(image)
    mode = _MODES.get(image.mode, image.mode)
    if image.mode == "P":
        mode = "RGB"
    if "transparency" in image.info and mode in ("L", "RGB"):
        mode = "LA" if mode == "L" else "RGBA"
    if mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):
        raise PictureError(
            f"{path}: pictures of kind {image.mode!r} are not supported; save it as RGB first"
        )
    if image.mode != mode:
        image = image.convert(mode)
    return np.array(image), mode, None


def _dark_is_low(grey: npt.NDArray[np.uint16], image: Pillow.Image) -> npt.NDArray[np.uint16]:
    """16-bit grey in which 0 is black; Pillow sees to it only up to 8 bits."""
    if image.format != "TIFF" or image.tag_v2.get(_PHOTOMETRIC) != _MIN_IS_WHITE:  # type: ignore[attr-defined]
        return grey
    [bits] = image.tag_v2.get(_BITS, (16,))  # type: ignore[attr-defined]
    return np.asarray((1 << bits) - 1 - grey, np.uint16)


def _indexed_samples(image: Pillow.Image) -> tuple[Samples, str, Image]:
    """A GIF's own indices: going through colours would choose its palette anew."""
    if image.mode == "L":
        return np.array(image), "P", np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    colours = np.frombuffer(image.im.getpalette("RGB", "RGB"), np.uint8).reshape(-1, 3)
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(colours)] = colours
    # Unused entries repeat the first colour, so that none is chosen that the file lacks.
    palette[len(colours) :] = colours[0]
    return np.array(image), "P", palette


def _has_deep_colour(image: Pillow.Image, data: bytes) -> bool:
    """True for 16-bit colour, which Pillow would cut to 8 bits."""
    if image.format == "PNG":
        depth, colour_type = struct.unpack("BB", data[24:26])
        return bool(depth == 16 and colour_type in (2, 4, 6))
    if image.format == "TIFF":
        bits = image.tag_v2.get(_BITS, (1,))  # type: ignore[attr-defined]
        return len(bits) > 1 and max(bits) > 8
    return False


def _deep_samples(path: Path, data: bytes) -> tuple[Samples, str, None]:
    if data.startswith(png.SIGNATURE):
        data = png.samples_alone(data)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3:
        raise PictureError(
            f"{path}: broken, cut off, or 16-bit colour of a kind that is not supported; "
            "open it elsewhere and save it as 16-bit RGB"
        )
    samples: npt.NDArray[np.uint16] = decoded.astype(np.uint16)
    if samples.shape[2] == 4:
        return samples[..., [2, 1, 0, 3]], "RGBA", None
    return samples[..., ::-1], "RGB", None


def _encoding(image: Pillow.Image, data: bytes, *, turned: bool) -> Encoding:
    kind = str(image.format)
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        sampling = JpegImagePlugin.get_sampling(image)
        # 4:2:2 turned by 90° would need 4:4:0, which the encoder lacks; full colour loses nothing.
        # -1: grey, CMYK or an unusual scheme.
        sampling = 0 if sampling < 0 or (sampling == 1 and turned) else sampling
        options: dict[str, object] = {
            # Of four that a file may bring; a table that no channel names is no table.
            "qtables": [image.quantization[n] for n in sorted(_tables_named(image))],
            "subsampling": sampling,
            "progressive": bool(image.info.get("progressive")),
        }
        return Encoding("JPEG", False, options)
    if kind == "GIF" and isinstance(image.info.get("transparency"), int):
        return Encoding(kind, True, {"transparency": image.info["transparency"]})
    if kind == "WEBP":
        return Encoding(kind, b"VP8L" in data[12:64] or _has_chunk(data, b"VP8L"))
    if kind == "TIFF":
        compression = image.info.get("compression")
        kept = compression if compression in _SAME_TIFF_COMPRESSIONS else "tiff_adobe_deflate"
        return Encoding(kind, True, {"compression": None if kept == "raw" else kept})
    return Encoding("BMP" if kind == "DIB" else kind, kind not in ("AVIF", "HEIF"))


def _tables_named(image: JpegImagePlugin.JpegImageFile) -> set[int]:
    """Numbers of the quantisation tables that its channels name."""
    return {table for _, _, _, table in image.layer} & image.quantization.keys()


def _has_chunk(data: bytes, name: bytes) -> bool:
    """True where a RIFF file (WebP) has a top-level chunk of that name."""
    at = 12
    while at + 8 <= len(data):
        chunk, length = struct.unpack("<4sI", data[at : at + 8])
        if chunk == name:
            return True
        at += 8 + length + length % 2
    return False


def _looks_like_heif(data: bytes) -> bool:
    brands = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
    return data[4:8] == b"ftyp" and data[8:12] in brands and b"avif" not in data[8:64]


def _register_heif(path: Path) -> None:
    try:
        import pillow_heif
    except ImportError as error:
        raise PictureError(f"{path}: HEIC needs an extra: pip install 'dartblur[heic]'") from error
    pillow_heif.register_heif_opener(thumbnails=False)


def _unknown(data: bytes) -> str:
    """Why no decoder takes a file: it begins as one of the known kinds, or it does not."""
    for kind, start, signature in _STARTS:
        if data[start : start + len(signature)] == signature:
            return (
                f"broken, cut off, or a {kind} file of a sort that is not supported; "
                "open it elsewhere and save it anew, or leave it out"
            )
    return f"not a picture of a known kind ({_KINDS}); leave it out or convert it"
