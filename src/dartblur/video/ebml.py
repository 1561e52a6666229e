"""The skeleton of a Matroska or WebM file, walked through without decoding anything.

FFmpeg's reader jumps over what it does not understand, and with it over lost frames; here nothing
may be left over. The numbers are those of RFC 9559.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

_SEGMENT, _CLUSTER, _CRC32, _VOID = 0x18538067, 0x1F43B675, 0xBF, 0xEC
_IN_SEGMENT = frozenset(
    {0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1043A770, 0x1C53BB6B, 0x1941A469, 0x1254C367}
    | {_CLUSTER, _CRC32, _VOID}
)
_IN_CLUSTER = frozenset({0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF, _CRC32, _VOID})
_UNKNOWN = -1


class BrokenError(ValueError):
    """The skeleton is broken; the message says at which byte."""


def check(path: Path) -> None:
    """Walks through a file.

    Raises:
        BrokenError: it holds what does not belong there, ends too early or fails a checksum.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        at, name = 0, 0
        # What follows the film is no part of it.
        while at < size and name != _SEGMENT:
            name, start, end = _element(file, at, size)
            if name == _SEGMENT:
                _segment(file, start, size if end == _UNKNOWN else end)
            at = end


def _segment(file: BinaryIO, at: int, end: int) -> None:
    for name, start, stop in _elements(file, at, end, _IN_SEGMENT):
        if name == _CLUSTER:
            for _ in _elements(file, start, stop, _IN_CLUSTER):
                pass
        _check_sum(file, start, stop)


def _elements(
    file: BinaryIO, at: int, end: int, known: frozenset[int]
) -> Iterator[tuple[int, int, int]]:
    """The children in a range of bytes: each one's name, and where its content begins and ends."""
    while at < end:
        name, start, stop = _element(file, at, end)
        if name not in known:
            raise BrokenError(f"what lies at byte {at} does not belong there")
        if stop == _UNKNOWN:
            # A live recording: a cluster lasts until the next thing that is not in clusters.
            stop = _live_end(file, start, end)
        yield name, start, stop
        at = stop


def _live_end(file: BinaryIO, at: int, end: int) -> int:
    while at < end:
        name, _, stop = _element(file, at, end)
        if name not in _IN_CLUSTER:
            break
        at = stop
    return at


def _element(file: BinaryIO, at: int, end: int) -> tuple[int, int, int]:
    file.seek(at)
    head = file.read(12)
    name_length = _length(head[:1], at, 4)
    name = int.from_bytes(head[:name_length], "big")
    size_length = _length(head[name_length : name_length + 1], at, 8)
    start = at + name_length + size_length
    bits = 7 * size_length
    size = int.from_bytes(head[name_length : name_length + size_length], "big") & (1 << bits) - 1
    if size == (1 << bits) - 1:
        return name, start, _UNKNOWN
    if start + size > end:
        raise BrokenError(f"what begins at byte {at} is cut off")
    return name, start, start + size


def _length(first: bytes, at: int, most: int) -> int:
    """How many bytes a number of EBML takes: its leading zero bits, and one."""
    length = 9 - first[0].bit_length() if first else most + 1
    if length > most:
        raise BrokenError(f"nothing that can be read at byte {at}")
    return length


def _check_sum(file: BinaryIO, start: int, stop: int) -> None:
    """A checksum comes first in what it covers, if there is one."""
    file.seek(start)
    head = file.read(6)
    if stop - start >= 6 and head[:2] == b"\xbf\x84":
        found = crc32(file.read(stop - start - 6))
        if found != int.from_bytes(head[2:], "little"):
            raise BrokenError(f"the checksum of what begins at byte {start} is wrong")
