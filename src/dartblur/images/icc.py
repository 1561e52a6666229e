"""Colour profiles made anew: the numbers that say what colours are, and nothing else.

A profile is a header, and tags that anybody may add to: private ones take pictures, places and
names along. Of each tag named here the value is read and written; what it weighs is what its
numbers ask for. See ICC.1:2022; deprecated tags and types are version 2's.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import ImageCms

Rewrite = Callable[[bytes], bytes | None]

_HEADER = 128
_MEAN_TRAVEL, _LONGEST_TRAVEL = 1.0, 2.0
_CLASSES = (b"mntr", b"scnr", b"prtr", b"spac")
_SPACES = (b"RGB ", b"GRAY", b"CMYK")
_CONNECTIONS = (b"XYZ ", b"Lab ")
_PICTURE = re.compile(rb"\xff\xd8\xff[\xc0-\xfe]|\x89PNG\r\n|RIFF....WEBP|GIF8[79]a", re.S)
_WORDS = b"Colour profile"
# A description may name a person or a place. These are of profiles that come with cameras,
# telephones and programs.
_KNOWN_WORDS = frozenset(
    """
    sRGB|sRGB IEC61966-2.1|sRGB IEC61966-2-1|sRGB built-in|sRGB2014|sRGB IEC61966-2-1 black scaled
    Display P3|Display P3 Linear|DCI-P3|Adobe RGB (1998)|AdobeRGB|Apple RGB|ColorMatch RGB
    ProPhoto RGB|ROMM RGB|Wide Gamut RGB|Rec. 2020|Rec. 709|ITU-R BT.709|ITU-R BT.2020|Rec.2100 PQ
    Rec.2100 HLG|Generic RGB Profile|Generic Gray Profile|Generic CMYK Profile|Color LCD|c2|c2ci
    Generic Gray Gamma 2.2 Profile|Dot Gain 15%|Dot Gain 20%|Gray Gamma 1.8|Gray Gamma 2.2|uRGB
    U.S. Web Coated (SWOP) v2|U.S. Sheetfed Coated v2|Coated FOGRA27 (ISO 12647-2:2004)
    Coated FOGRA39 (ISO 12647-2:2004)|Japan Color 2001 Coated|ISO Coated v2 (ECI)|eciRGB v2
    IEC http://www.iec.ch|IEC 61966-2.1 Default RGB colour space - sRGB|Public Domain|CC0|PD
    Reference Viewing Condition in IEC61966-2.1|No copyright, use freely
    Copyright (c) 1998 Hewlett-Packard Company|Copyright 1999 Adobe Systems Incorporated
    Copyright 2000 Adobe Systems Incorporated|Copyright 2007 Apple Inc., all rights reserved.
    Copyright Apple Inc., 2015|Copyright Apple Inc., 2016|Copyright Apple Inc., 2017
    Copyright Apple Inc., 2020|Copyright Apple Inc., 2022|Copyright International Color Consortium
    """.strip()
    .replace("\n", "|")
    .split("|")
)
_KNOWN_WORDS = frozenset(words.strip() for words in _KNOWN_WORDS)


@dataclass(frozen=True)
class _Tag:
    """rewrite: the value made anew, or None where it is not one. needed: colours hang on it."""

    rewrite: Rewrite
    needed: bool = True


# Most pictures of a folder carry the same one.
@lru_cache(maxsize=8)
def rebuilt(profile: bytes) -> bytes | None:
    """The profile with known tags alone, by which colours come out the same; None if malformed."""
    header = _header(profile)
    if header is None:
        return None
    kept: list[tuple[bytes, int, bytes]] = []
    for name, start, value in _tags(profile):
        tag = _TAGS.get(name)
        rewritten = tag.rewrite(value) if tag else None
        if rewritten:
            kept.append((name, start, rewritten))
        elif tag and tag.needed:
            return None
    names = [name for name, _, _ in kept]
    if len(set(names)) < len(names) or not _is_enough(set(names), profile[16:20]):
        return None
    return _checked(_assembled(header, kept, profile))


def _header(profile: bytes) -> bytes | None:
    """The header without private flags, spare bytes and the digest of what was."""
    length = int.from_bytes(profile[:4], "big")
    if not _HEADER + 4 <= length <= len(profile) or profile[36:40] != b"acsp":
        return None
    kind, space, connection = profile[12:16], profile[16:20], profile[20:24]
    if kind not in _CLASSES or space not in _SPACES or connection not in _CONNECTIONS:
        return None
    version, date = profile[8:12], _date(profile[24:36])
    intent, illuminant = int.from_bytes(profile[64:68], "big"), profile[68:80]
    if version[0] not in (2, 4, 5) or any(version[2:]) or intent > 3:
        return None
    flags, attributes = profile[47] & 3, profile[63] & 15
    return b"".join(
        [
            profile[:4],
            _signature(profile[4:8]),
            version + kind + space + connection + date + b"acsp",
            _signature(profile[40:44]),
            flags.to_bytes(4, "big"),
            _signature(profile[48:52]) + _signature(profile[52:56]),
            attributes.to_bytes(8, "big"),
            intent.to_bytes(4, "big") + illuminant,
            _signature(profile[80:84]),
            bytes(44),
        ]
    )


def _date(twelve: bytes) -> bytes:
    year, month, day, *time = struct.unpack(">6H", twelve)
    right = 1980 <= year < 2200 and month <= 12 and day <= 31 and max(time) <= 60
    return twelve if right else bytes(12)


def _signature(four: bytes) -> bytes:
    """Who made what: four letters."""
    return four if re.fullmatch(rb"[A-Za-z0-9 ._-]{4}", four) else bytes(4)


def _tags(profile: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Name, place and value of each tag within the profile."""
    length, count = int.from_bytes(profile[:4], "big"), int.from_bytes(profile[128:132], "big")
    for i in range(min(count, 200)):
        entry = profile[132 + 12 * i : 144 + 12 * i]
        if len(entry) == 12:
            name, start, size = struct.unpack(">4sII", entry)
            yield name, start, profile[start : start + size] if start + size <= length else b""


def _is_enough(names: set[bytes], space: bytes) -> bool:
    by_matrix = {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"}
    return (
        b"A2B0" in names
        or (space == b"GRAY" and b"kTRC" in names)
        or (space == b"RGB " and by_matrix <= names)
    )


def _assembled(header: bytes, kept: list[tuple[bytes, int, bytes]], before: bytes) -> bytes:
    """A profile of header and tags: values in their old order, equal ones in one place."""
    places: dict[tuple[int, bytes], int] = {}
    at = _HEADER + 4 + 12 * len(kept)
    values = b""
    for _, start, value in sorted(kept, key=lambda tag: tag[1]):
        if (start, value) not in places:
            values += bytes(-len(values) % 4)
            places[start, value] = at + len(values)
            values += value
    values += bytes(-len(values) % 4)
    table = struct.pack(">I", len(kept)) + b"".join(
        struct.pack(">4sII", name, places[start, value], len(value)) for name, start, value in kept
    )
    profile = (at + len(values)).to_bytes(4, "big") + header[4:] + table + values
    # Its digest is said where it was: over all but flags, intent and the digest itself.
    if any(before[84:100]):
        hashed = profile[:44] + bytes(4) + profile[48:64] + bytes(4) + profile[68:]
        digest = hashlib.md5(hashed, usedforsecurity=False).digest()
        profile = profile[:84] + digest + profile[100:]
    return profile


def _checked(profile: bytes) -> bytes | None:
    # Its tables may hold any three bytes by chance: a JPEG must also go on as one.
    for found in _PICTURE.finditer(profile):
        at = found.start() + 4
        after = at + int.from_bytes(profile[at : at + 2], "big")
        if found[0][:1] != b"\xff" or profile[after : after + 1] == b"\xff":
            return None
    try:
        ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (OSError, ImageCms.PyCMSError):
        return None
    return profile


def _exactly(kind: bytes, length: int) -> Rewrite:
    """A type of one length."""

    def rewrite(value: bytes) -> bytes | None:
        return kind + bytes(4) + value[8:] if value[:4] == kind and len(value) == length else None

    return rewrite


def _numbers(value: bytes) -> bytes | None:
    """One XYZ number; some writers leave spare bytes behind it."""
    return b"XYZ \0\0\0\0" + value[8:20] if value[:4] == b"XYZ " and len(value) >= 20 else None


def _curve(value: bytes) -> bytes | None:
    size = _curve_size(value)
    if size is None or len(value) < size:
        return None
    # A curve goes one way, which no picture's bytes do.
    if value[:4] == b"curv" and not _goes_one_way(np.frombuffer(value[12:size], ">u2")):
        return None
    return value[:4] + bytes(4) + value[8:size]


def _curve_size(value: bytes) -> int | None:
    """The length of the curve with which `value` begins; None where it does with none."""
    if len(value) < 12:
        return None
    if value[:4] == b"curv":
        count = int.from_bytes(value[8:12], "big")
        return 12 + 2 * count if count <= 65536 else None
    kind = int.from_bytes(value[8:10], "big")
    if value[:4] == b"para" and kind <= 4:
        return 12 + 4 * (1, 3, 4, 5, 7)[kind]
    return None


def _table(value: bytes) -> bytes | None:
    """A conversion by tables, of 8 or 16 bits."""
    if value[:4] in (b"mAB ", b"mBA "):
        return _staged_table(value)
    if value[:4] not in (b"mft1", b"mft2") or len(value) < 52:
        return None
    inputs, outputs, grid = value[8:11]
    if not (1 <= inputs <= 4 and 1 <= outputs <= 4 and grid >= 2):
        return None
    if value[:4] == b"mft1":
        start, width, lengths = 48, 1, (256, 256)
    else:
        start, width, lengths = 52, 2, struct.unpack(">2H", value[48:52])
    cells = grid**inputs * outputs
    size = start + width * (lengths[0] * inputs + cells + lengths[1] * outputs)
    if len(value) < size:
        return None
    numbers = np.frombuffer(value[start:size], ">u1" if width == 1 else ">u2")
    before, nodes, behind = np.split(numbers, np.cumsum([lengths[0] * inputs, cells]))
    curves = [*before.reshape(inputs, -1), *behind.reshape(outputs, -1)]
    if not all(map(_goes_one_way, curves)) or not _is_continuous(nodes, (grid,) * inputs):
        return None
    return value[:4] + bytes(4) + value[8:11] + b"\0" + value[12:size]


def _goes_one_way(points: npt.NDArray[np.integer]) -> bool:
    steps = np.diff(points.astype(np.int64))
    return not (steps.min(initial=0) < 0 < steps.max(initial=0))


def _is_continuous(nodes: npt.NDArray[np.integer], points: tuple[int, ...]) -> bool:
    """False for a grid whose values leap from node to node: any bytes but those of colours do.

    Along a line of the grid a colour goes from one end of its range to the other, and back at the
    most: profiles of printers travel up to 1.4 of the range, 0.1 to 0.7 in the mean. Bytes that
    mean nothing travel a third of the range at each step.
    """
    values = nodes.reshape(*points, -1) / np.iinfo(nodes.dtype).max
    travels = [np.abs(np.diff(values, axis=axis)).sum(axis) for axis in range(len(points))]
    return all(t.mean() <= _MEAN_TRAVEL and t.max() <= _LONGEST_TRAVEL for t in travels)


def _staged_table(value: bytes) -> bytes | None:
    """lutAToB and lutBToA: curves, a matrix and a grid, each in its place; gaps become zeros."""
    if len(value) < 32:
        return None
    inputs, outputs = value[8:10]
    if not (1 <= inputs <= 4 and 1 <= outputs <= 4):
        return None
    b, matrix, m, grid, a = struct.unpack(">5I", value[12:32])
    near, far = (outputs, inputs) if value[:4] == b"mAB " else (inputs, outputs)
    parts: list[tuple[int, bytes]] = []
    for start, count in ((b, near), (m, near), (a, far)):
        found = _curves(value, start, count) if start else []
        if found is None:
            return None
        parts += found
    if matrix:
        parts.append((matrix, value[matrix : matrix + 48]))
    if grid:
        points = value[grid : grid + inputs]
        cells = outputs
        for point in points:
            cells *= point
        width = value[grid + 16 : grid + 17]
        if width not in (b"\1", b"\2") or not cells or cells > 2**24:
            return None
        content = value[grid + 20 : grid + 20 + cells * width[0]]
        if len(content) < cells * width[0]:
            return None
        nodes = np.frombuffer(content, ">u1" if width == b"\1" else ">u2")
        if not _is_continuous(nodes, tuple(points)):
            return None
        parts.append((grid, points.ljust(16, b"\0") + width + bytes(3) + content))
    made = bytearray(max(start + len(part) for start, part in parts) if parts else 32)
    made[:32] = value[:4] + bytes(4) + value[8:10] + bytes(2) + value[12:32]
    for start, part in parts:
        if start < 32 or start + len(part) > len(value):
            return None
        made[start : start + len(part)] = part
    return bytes(made)


def _curves(value: bytes, start: int, count: int) -> list[tuple[int, bytes]] | None:
    found = []
    for _ in range(count):
        curve = _curve(value[start : start + (_curve_size(value[start:]) or 0)])
        if curve is None:
            return None
        found.append((start, curve))
        start += len(curve) + -len(curve) % 4
    return found


def _text(value: bytes) -> bytes | None:
    """A known text, in its own type; any other says what the tag is, in the same type."""
    kind = value[:4]
    if kind not in (b"desc", b"text", b"mluc") or len(value) < 9:
        return None
    words = _words_of(value)
    return _as_text(kind, words if words in _KNOWN_WORDS else _WORDS.decode(), value)


def _known_text(value: bytes) -> bytes | None:
    words = _words_of(value)
    return _as_text(value[:4], words, value) if words in _KNOWN_WORDS else None


def _words_of(value: bytes) -> str:
    """The text of a tag, in English or the first language that there is."""
    kind = value[:4]
    if kind == b"text":
        return value[8:].split(b"\0")[0].decode("latin-1")
    if kind == b"desc":
        return value[12:].split(b"\0")[0].decode("latin-1")
    if kind == b"mluc" and len(value) >= 28:
        count = min(int.from_bytes(value[8:12], "big"), 200)
        records = [value[16 + 12 * i : 28 + 12 * i] for i in range(count)]
        records = [r for r in records if len(r) == 12]
        best = next((r for r in records if r[:2] == b"en"), records[0] if records else b"")
        length, start = struct.unpack(">2I", best[4:]) if best else (0, 0)
        return value[start : start + length].decode("utf-16-be", "replace").rstrip("\0")
    return ""


def _as_text(kind: bytes, words: str, value: bytes) -> bytes:
    if kind == b"text":
        return b"text\0\0\0\0" + words.encode("latin-1") + b"\0"
    if kind == b"desc":
        ascii_ = words.encode("latin-1") + b"\0"
        made = b"desc\0\0\0\0" + len(ascii_).to_bytes(4, "big") + ascii_ + bytes(78)
        # Some writers leave the two other spellings out in part.
        return made[: len(value)] if value[: len(made)] == made[: len(value)] else made
    encoded = words.encode("utf-16-be")
    head = b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(encoded), 28)
    return head + encoded


_TAGS: dict[bytes, _Tag] = {
    **dict.fromkeys((b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt"), _Tag(_numbers)),
    **dict.fromkeys((b"bkpt", b"lumi"), _Tag(_numbers, False)),
    **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC", b"kTRC"), _Tag(_curve)),
    **dict.fromkeys((b"A2B0", b"A2B1", b"A2B2", b"B2A0", b"B2A1", b"B2A2"), _Tag(_table)),
    b"gamt": _Tag(_table, False),
    b"chad": _Tag(_exactly(b"sf32", 44)),
    b"meas": _Tag(_exactly(b"meas", 36), False),
    b"view": _Tag(_exactly(b"view", 36), False),
    b"tech": _Tag(_exactly(b"sig ", 12), False),
    b"cicp": _Tag(_exactly(b"cicp", 12), False),
    b"chrm": _Tag(_exactly(b"chrm", 36), False),
    b"desc": _Tag(_text),
    b"cprt": _Tag(_text),
    **dict.fromkeys((b"dmnd", b"dmdd", b"vued"), _Tag(_known_text, False)),
}
