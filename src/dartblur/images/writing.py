"""Encoding of pictures: in their own format and quality, with what metadata stays."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import PngImagePlugin

from dartblur.errors import PictureError
from dartblur.faces import Image
from dartblur.images.orientation import as_stored
from dartblur.images.picture import Metadata, Picture, Samples
from dartblur.images.png import chunk

# What a lossy source does not tell of its own quality is written at about what cameras use.
LOSSY_QUALITY = 90
_NO_METADATA = Metadata()
_ORIENTATION = 0x0112


def encode_picture(
    picture: Picture, name: Path, *, keep_metadata: bool = False, turned_back: bool = False
) -> bytes:
    """The bytes of a file in the picture's own format and quality.

    Colour profile and resolution always stay; `keep_metadata` keeps what `Metadata` holds besides.

    turned_back: pixels lie as in the source's file, and EXIF says nothing but how to turn them:
        labels in pixels of the stored picture still fit. It goes before `keep_metadata`.

    Raises:
        PictureError: the picture cannot be stored so; the message names `name`.
    """
    if turned_back and picture.orientation != 1:
        picture, keep_metadata = _turned_back(picture), True
    try:
        if picture.samples.dtype == np.uint16 and picture.samples.ndim == 3:
            return _encode_deep(picture, keep_metadata=keep_metadata)
        return _encode(picture, keep_metadata=keep_metadata)
    # Encoders raise all kinds of errors; each means that nothing can be written for this picture.
    except Exception as error:
        kind = picture.encoding.format
        raise PictureError(f"{name}: cannot be written as {kind}: {error}") from error


def _turned_back(picture: Picture) -> Picture:
    exif = Pillow.Exif()
    exif[_ORIENTATION] = picture.orientation
    meta = picture.metadata
    kept = Metadata(meta.icc, meta.colour_chunks, meta.dpi, exif.tobytes())
    samples = as_stored(picture.samples, picture.orientation)
    return replace(picture, samples=samples, metadata=kept)


def _encode(picture: Picture, *, keep_metadata: bool) -> bytes:
    image = Pillow.fromarray(picture.samples, None if picture.mode != "P" else "P")
    if picture.mode == "CMYK":
        image = Pillow.frombytes("CMYK", image.size, picture.samples.tobytes())
    if picture.palette is not None:
        image.putpalette(_used_colours(picture.samples, picture.palette).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, picture.encoding.format, **_arguments(picture, keep_metadata=keep_metadata))
    return buffer.getvalue()


def _used_colours(indices: Samples, palette: Image) -> Image:
    """The palette, in which entries that no pixel has repeat one that some pixel has.

    Any bytes fit into the others: a thumbnail, or the colours of what is hidden now.
    """
    used = np.isin(np.arange(len(palette)), indices)
    return np.where(used[:, None], palette, palette[used][0])


def _arguments(picture: Picture, *, keep_metadata: bool) -> dict[str, Any]:
    kind, meta = picture.encoding.format, picture.metadata
    arguments: dict[str, Any] = {"icc_profile": meta.icc, **picture.encoding.options}
    if meta.dpi and kind in ("JPEG", "PNG", "TIFF", "BMP"):
        arguments["dpi"] = meta.dpi
    if kind == "WEBP":
        arguments |= {"lossless": picture.encoding.lossless, "exact": True}
        arguments |= {"quality": 100 if picture.encoding.lossless else LOSSY_QUALITY}
    if kind in ("AVIF", "HEIF"):
        arguments["quality"] = LOSSY_QUALITY
    if kind == "PNG":
        arguments["pnginfo"] = _png_info(meta, keep_metadata=keep_metadata)
    if kind == "GIF":
        arguments["optimize"] = False
    if keep_metadata:
        arguments |= {"exif": meta.exif} if meta.exif else {}
        arguments |= {"xmp": meta.xmp} if meta.xmp and kind in ("JPEG", "WEBP", "AVIF") else {}
        if kind in ("JPEG", "GIF") and meta.comment:
            arguments["comment"] = meta.comment
        if kind == "JPEG" and meta.iptc:
            arguments["extra"] = _photoshop_segment(meta.iptc)
    return arguments


def _png_info(meta: Metadata, *, keep_metadata: bool) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for name, content in meta.colour_chunks:
        # A profile and sRGB exclude each other; the profile says more.
        if not (meta.icc and name == b"sRGB"):
            info.add(name, content)
    if keep_metadata:
        for key, value in meta.texts:
            info.add_itxt(key, value)
        if meta.xmp:
            info.add_itxt("XML:com.adobe.xmp", meta.xmp.decode("utf-8", "replace"))
    return info


def _photoshop_segment(iptc: bytes) -> bytes:
    """A JPEG APP13 segment that holds the IPTC records and nothing else."""
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    body = b"Photoshop 3.0\0" + resource
    if len(body) > 65533:
        return b""
    return b"\xff\xed" + struct.pack(">H", len(body) + 2) + body


def _encode_deep(picture: Picture, *, keep_metadata: bool) -> bytes:
    """16-bit colour, which Pillow cannot write."""
    meta = picture.metadata
    if picture.encoding.format == "TIFF":
        import tifffile  # takes a moment to load

        buffer = io.BytesIO()
        compressed = picture.encoding.options.get("compression") is not None
        tifffile.imwrite(
            buffer,
            picture.samples,
            photometric="rgb",
            compression="zlib" if compressed else None,
            iccprofile=meta.icc,
            extrasamples=["unassalpha"] if picture.mode == "RGBA" else None,
            metadata=None,
            software=False,
        )
        return buffer.getvalue()
    order = [2, 1, 0, 3][: picture.samples.shape[2]]
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(picture.samples[..., order]))
    if not done:
        raise ValueError("the encoder gave no reason")
    chunks = [_iccp(meta.icc)] if meta.icc else []
    info = _png_info(meta, keep_metadata=keep_metadata)
    chunks += [chunk(name, content) for name, content, *_ in info.chunks]
    if keep_metadata and meta.exif:
        chunks.append(chunk(b"eXIf", meta.exif.removeprefix(b"Exif\0\0")))
    data = encoded.tobytes()
    header = 8 + 25  # signature and IHDR
    return data[:header] + b"".join(chunks) + data[header:]


def _iccp(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))
