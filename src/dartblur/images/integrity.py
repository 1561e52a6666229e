"""Integrity checks: decoders pass over damage in silence and make something up."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

import simplejpeg
from PIL import Image as Pillow

from dartblur.images import png

# An entropy-coded stretch ends at a marker that is neither a stuffed byte nor a restart.
_AFTER_SCAN = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_START_OF_SCAN, _END = 0xDA, 0xD9
_END_MARKER = b"\xff\xd9"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_STRIP_STARTS, _TILE_STARTS = 273, 324
_RAW, _JPEG, _DEFLATES = 1, 7, (8, 32946)
_INKS, _LUMA_CHROMA = 5, 6


def defects(image: Pillow.Image, data: bytes) -> list[str]:
    """What is wrong with a file beyond what its decoder tells, in words; empty where nothing is.

    image: opened, not yet loaded. data: the whole file. Bytes behind a picture's end are no damage.
    """
    check = {
        "JPEG": lambda: _of_jpeg(data, image.mode),
        "MPO": lambda: _of_jpeg(data, image.mode),
        "PNG": lambda: _of_png(data),
        "TIFF": lambda: _of_tiff(image, data),
        "WEBP": lambda: _of_webp(data),
        "GIF": lambda: _of_gif(data),
    }.get(str(image.format))
    return list(check()) if check else []


def repaired(data: bytes) -> bytes:
    """A damaged file so that its decoder goes on as far as there is anything."""
    if data.startswith(png.SIGNATURE):
        return png.repaired(data) if any(_of_png(data)) else data
    return _ended(data) if data.startswith(b"\xff\xd8") else data


def _of_jpeg(data: bytes, mode: str) -> Iterator[str]:
    error = _jpeg_error(data, mode)
    if error and "before marker 0xd9" in error:
        # Some cameras fill up with zeros before the end.
        error = _jpeg_error(re.sub(rb"\x00+\xff\xd9", _END_MARKER, data), mode)
    if error:
        yield error
    elif missing := _missing_scans(data):
        yield missing


def _jpeg_error(data: bytes, mode: str) -> str | None:
    """What libjpeg warns of, which it is asked for at an eighth of the size: that is quick."""
    colour = "CMYK" if mode == "CMYK" else "GRAY"
    try:
        simplejpeg.decode_jpeg(data, colour, fastdct=True, min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        return str(error)
    return None


def _missing_scans(data: bytes) -> str | None:
    """A file cut between two scans is whole to libjpeg; so is one that lacks a colour."""
    frame: dict[int, int] = {}  # of each component the coefficients that are there in full, as bits
    progressive = False
    for marker, body in _segments(data):
        if marker in _FRAMES and len(body) >= 6:
            progressive = marker in _PROGRESSIVE
            frame = {body[6 + 3 * i]: 0 for i in range(body[5]) if len(body) > 6 + 3 * i}
        elif marker == _START_OF_SCAN and body and len(body) >= 4 + 2 * body[0]:
            first, last, bits = body[1 + 2 * body[0] :][:3]
            sent = (2 << min(last, 63)) - (1 << min(first, 63)) if progressive else ~0
            for i in range(body[0]):
                if bits & 15 == 0 or not progressive:
                    frame[body[1 + 2 * i]] = frame.get(body[1 + 2 * i], 0) | sent
    if not all(frame.values()):
        return "Corrupt JPEG data: a colour is missing"
    if progressive and any(sent & (2**64 - 1) != 2**64 - 1 for sent in frame.values()):
        return "Corrupt JPEG data: the last scans are missing"
    return None


def _ended(data: bytes) -> bytes:
    """A JPEG with an end behind what is whole: without one nothing progressive is shown."""
    there = len(data.removesuffix(_END_MARKER))
    cut = (start for _, start, end in _places(data) if end > there)
    return data[: next(cut, len(data))] + _END_MARKER


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment up to the first picture's end."""
    for marker, start, end in _places(data):
        yield marker, data[start + 4 : end]


def _places(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each segment's marker, and where it begins and ends; a scan's is without what follows."""
    at = 2
    while (found := _MARKER.search(data, at)) is not None:
        marker, at = found[1][0], found.end()
        if marker == _END:
            return
        if 0xD0 <= marker <= 0xD7 or marker == 1:
            continue
        start, at = at - 2, at + int.from_bytes(data[at : at + 2], "big")
        yield marker, start, at
        if marker == _START_OF_SCAN:
            after = _AFTER_SCAN.search(data, at)
            at = after.start() if after else len(data)


def _of_png(data: bytes) -> Iterator[str]:
    whole = list(png.chunks_of(data))
    for chunk in whole:
        name = chunk.name.decode("latin-1")
        if not chunk.whole:
            yield f"cut off in its chunk {name!r}"
        elif not chunk.intact:
            yield f"the checksum of its chunk {name!r} is wrong"
    if not whole or whole[-1].name != b"IEND":
        yield "cut off: its end is missing"
    if png.samples_missing(whole):
        yield "its samples end early or are damaged"


def _of_tiff(image: Pillow.Image, data: bytes) -> Iterator[str]:
    tags = image.tag_v2  # type: ignore[attr-defined]
    kind = "tile" if _TILE_STARTS in tags else "strip"
    starts, lengths = (
        _numbers(tags.get(tag))
        for tag in ((_TILE_STARTS, 325) if kind == "tile" else (_STRIP_STARTS, 279))
    )
    needed = _needed(tags)
    if not needed or len(starts) != len(needed) or len(lengths) not in (0, len(needed)):
        yield f"it has {len(starts)} {kind}s instead of {len(needed)}"
        return
    compression = tags.get(259, _RAW)
    if not lengths:
        lengths = needed if compression == _RAW else (0,) * len(needed)
    end = 0
    for start, length in sorted(set(zip(starts, lengths, strict=True))):
        if length and start < max(end, 8):
            yield f"its {kind}s overlap"
            return
        end = start + length
    for i, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        strip = data[start : start + length]
        cut = "cut off" if len(strip) < length else None
        fault = cut or _of_strip(strip, compression, needed[i], tags)
        if fault:
            yield f"{kind} {i + 1} of {len(needed)}: {fault}"


def _needed(tags: Mapping[int, Any]) -> tuple[int, ...]:
    """Bytes that each strip or tile of a TIFF must hold unpacked; 0 where that is not plain."""
    bits = _numbers(tags.get(258, 1))
    planes = len(bits) if tags.get(284, 1) == 2 else 1
    depth = bits[0] if planes > 1 else sum(bits)
    # As they are stored: Pillow gives the size of the upright picture.
    width, height = tags[256], tags[257]
    if _TILE_STARTS in tags:
        columns, rows = tags[322], tags[323]
        heights = [rows] * (ceil(width / columns) * ceil(height / rows))
    else:
        columns, rows = width, min(tags.get(278, height), height)
        heights = [min(rows, height - top) for top in range(0, height, rows)]
    # Luma and chroma have rows of their own lengths.
    row = 0 if tags.get(262) == _LUMA_CHROMA else ceil(columns * depth / 8)
    return tuple(row * each for each in heights) * planes


def _of_strip(strip: bytes, compression: int, needed: int, tags: Mapping[int, Any]) -> str | None:
    """What is wrong with one strip or tile; needed: the bytes that it must hold, 0 if unknown."""
    if compression == _RAW and len(strip) < needed:
        return f"{len(strip)} bytes instead of {needed}"
    if compression in _DEFLATES:
        unpacked = zlib.decompressobj()
        try:
            there = len(unpacked.decompress(strip, max(needed, 1)))
            # The checksum comes behind the last sample.
            unpacked.decompress(unpacked.unconsumed_tail, 64)
        except zlib.error as error:
            return str(error)
        if there < needed or not (unpacked.eof or unpacked.unconsumed_tail):
            return "the end is missing"
    if compression == _JPEG:
        tables = tags.get(347)
        whole = tables[:-2] + strip[2:] if isinstance(tables, bytes) and tables else strip
        return _jpeg_error(whole, "CMYK" if tags.get(262) == _INKS else "L")
    return None


def _of_webp(data: bytes) -> Iterator[str]:
    if int.from_bytes(data[4:8], "little") + 8 > len(data):
        yield "cut off"


def _of_gif(data: bytes) -> Iterator[str]:
    """Its blocks up to the trailer."""
    at = 13 + _gif_colours(data[10])
    while at < len(data):
        block = data[at]
        if block == 0x3B:
            return
        if block == 0x2C and at + 10 < len(data):
            at += 10 + _gif_colours(data[at + 9]) + 1  # the descriptor, a palette, the code size
        elif block == 0x21:
            at += 2
        else:
            yield "broken between its blocks"
            return
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    yield "cut off: its end is missing"


def _gif_colours(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _numbers(value: object) -> tuple[int, ...]:
    if isinstance(value, tuple):
        return value
    return (value,) if isinstance(value, int) else ()
