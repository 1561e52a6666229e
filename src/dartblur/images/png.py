"""The chunks of a PNG: read with their checksums, and the few about colour made anew."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_LENGTH = 13
_CRITICAL = (b"IHDR", b"PLTE")
# Adam7: where each pass begins, and its steps.
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
# What follows a fault within so many deflated bytes is lost with it.
_PIECE = 4096


@dataclass(frozen=True)
class Chunk:
    """One chunk; whole: all of it is there. intact: so is its checksum."""

    name: bytes
    content: bytes
    whole: bool
    intact: bool


def chunks_of(data: bytes) -> Iterator[Chunk]:
    """The chunks of a PNG up to its end; nothing for another kind of file."""
    at = len(SIGNATURE)
    while data.startswith(SIGNATURE) and at + 8 <= len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        end = at + 8 + length
        content = data[at + 8 : end]
        whole = end + 4 <= len(data)
        sum_ = zlib.crc32(content, zlib.crc32(name))
        yield Chunk(name, content, whole, whole and data[end : end + 4] == sum_.to_bytes(4, "big"))
        if name == b"IEND":
            return
        at = end + 4


def chunk(name: bytes, content: bytes) -> bytes:
    """One chunk as it is written."""
    checksum = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I4s", len(content), name) + content + checksum.to_bytes(4, "big")


def repaired(data: bytes) -> bytes:
    """A damaged PNG as a whole one: broken additions left out, rows that are missing black."""
    whole = list(chunks_of(data))
    if not whole or len(whole[0].content) != _HEADER_LENGTH:
        return data
    rows = bytearray().join(inflated(whole))
    rows = rows.ljust(_rows_length(whole[0].content), b"\0")
    kept = [
        (each.name, each.content)
        for each in whole
        if each.name in _CRITICAL or (each.intact and each.name not in (b"IDAT", b"IEND"))
    ]
    kept += [(b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(name, content) for name, content in kept)


def samples_alone(data: bytes) -> bytes:
    """Only what a decoder needs for the samples: some stumble over additions of no use to them."""
    needed = (*_CRITICAL, b"tRNS", b"IDAT", b"IEND")
    return SIGNATURE + b"".join(
        chunk(each.name, each.content) for each in chunks_of(data) if each.name in needed
    )


def samples_missing(whole: list[Chunk]) -> bool:
    """True where the deflated samples end early, are damaged, or fail their checksum."""
    if not whole or len(whole[0].content) != _HEADER_LENGTH:
        return True
    there = sum(len(part) for part in inflated(whole))
    return there < _rows_length(whole[0].content)


def inflated(chunks: Iterable[Chunk]) -> Iterator[bytes]:
    """The filtered rows, as far as they can be had; without their last byte on a wrong checksum."""
    stream = zlib.decompressobj()
    kept = b""
    try:
        for each in chunks:
            for at in range(0, len(each.content) if each.name == b"IDAT" else 0, _PIECE):
                yield kept
                kept = b""
                kept = stream.decompress(each.content[at : at + _PIECE])
    except zlib.error:
        pass
    yield kept if stream.eof else kept[:-1]


def _rows_length(header: bytes) -> int:
    """How many bytes the rows of a picture take, each with the number of its filter."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    total = 0
    for x, y, dx, dy in _PASSES if interlaced else [(0, 0, 1, 1)]:
        columns, rows = ceil((width - x) / dx), ceil((height - y) / dy)
        if columns > 0 and rows > 0:
            total += rows * (1 + ceil(columns * bits / 8))
    return total


def colour_chunks(data: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """gAMA, cHRM, sRGB and cICP, one of each, written from the numbers that were read in them."""
    found: dict[bytes, bytes] = {}
    for each in chunks_of(data):
        if each.name == b"IDAT":
            break
        rewritten = _rewritten(each.name, each.content) if each.intact else None
        if rewritten and each.name not in found:
            found[each.name] = rewritten
    return tuple(found.items())


def _rewritten(name: bytes, content: bytes) -> bytes | None:
    """None where it is no chunk about colour, or not of its exact length and in range."""
    layout = {b"gAMA": ">I", b"cHRM": ">8I", b"sRGB": ">B", b"cICP": ">4B"}.get(name)
    if layout is None or len(content) != struct.calcsize(layout):
        return None
    numbers = struct.unpack(layout, content)
    right = {
        b"gAMA": 0 < numbers[0] < 2**31,
        # White point and primaries, times 100,000: imaginary colours reach little beyond 0 to 1.
        b"cHRM": max(numbers) < 1_000_000,
        b"sRGB": numbers[0] <= 3,
        # The third is the matrix, which RGB has not; the fourth says whether the range is full.
        b"cICP": len(numbers) == 4 and numbers[2] == 0 and numbers[3] <= 1,
    }[name]
    return struct.pack(layout, *numbers) if right else None
