"""What a copied stream's header may say: how to decode it, and nothing beside."""

from __future__ import annotations

import re

_SECTION = re.compile(rb"^\[[^\]\r\n]*\]", re.MULTILINE)
# An ASS script may carry whole fonts and pictures in sections of their own.
_SCRIPT_SECTIONS = frozenset({b"[script info]", b"[v4 styles]", b"[v4+ styles]", b"[events]"})
_COMMENT = b"\x03vorbis"
# No vendor's name, no comments, and the bit that ends them.
_NO_COMMENTS = _COMMENT + bytes(8) + b"\x01"


def strip_extradata(codec: str, header: bytes) -> bytes:
    """The header of a stream without its comments, fonts and pictures.

    codec: as FFmpeg names it.
    """
    if codec == "vorbis":
        return _without_comments(header)
    if codec in ("ass", "ssa"):
        return _script(header)
    if codec == "flac":
        # STREAMINFO; blocks of pictures may follow it.
        return header[8:42] if header.startswith(b"fLaC") else header[:34]
    return header


def _script(header: bytes) -> bytes:
    starts = [match.start() for match in _SECTION.finditer(header)]
    ends = [*starts[1:], len(header)]
    parts = [header[a:b] for a, b in zip(starts, ends, strict=True)]
    return b"".join(p for p in parts if p.split(b"]")[0].lower() + b"]" in _SCRIPT_SECTIONS)


def _without_comments(header: bytes) -> bytes:
    """Vorbis: three packets, laced as Matroska or as Ogg (two bytes of length each) laces them."""
    packets = _laced(header)
    if packets is None or not packets[1].startswith(_COMMENT):
        return header
    first, _, last = packets
    lengths = b"".join(_lacing(len(p)) for p in (first, _NO_COMMENTS))
    return b"\x02" + lengths + first + _NO_COMMENTS + last


def _laced(header: bytes) -> list[bytes] | None:
    if header[:1] == b"\x02":
        at, sizes = 1, []
        for _ in range(2):
            size = 0
            while at < len(header) and header[at] == 255:
                size, at = size + 255, at + 1
            if at >= len(header):
                return None
            sizes.append(size + header[at])
            at += 1
        first, second = at + sizes[0], at + sum(sizes)
        return [header[at:first], header[first:second], header[second:]]
    packets = []
    for _ in range(3):
        size = int.from_bytes(header[:2], "big")
        packets.append(header[2 : 2 + size])
        header = header[2 + size :]
    return packets


def _lacing(size: int) -> bytes:
    return b"\xff" * (size // 255) + bytes([size % 255])
