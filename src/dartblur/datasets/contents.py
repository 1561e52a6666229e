"""What of a data set may be copied as it is: text in which no picture is spelled."""

from __future__ import annotations

import re

# How files of pictures begin, by what every decoder asks for.
_PICTURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|BM....\0\0\0\0|II[*+]\0|MM\0[*+]"
    rb"|RIFF....WEBP|....ftyp(?:avif|heic|heix|mif1)",
    re.S,
)
# The same in base64 and in hexadecimal, and any other base64 that is too long for a word or a hash.
_SPELLED = re.compile(
    rb"(?:/9j/|iVBORw0K|UklGR|R0lGOD|SUkqA|TU0AK)[A-Za-z0-9+/\\]{60}"
    rb"|(?i:ffd8ff|89504e47)[0-9a-fA-F]{200}"
    rb"|[A-Za-z0-9+/]{1000}"
)
# Grey values one after the other, as some tables hold whole faces; and pictures in letters.
_VALUES = re.compile(rb"(?:\d{1,3} ){700}")
_IN_LETTERS = re.compile(rb"P[123]\s|/\* XPM")
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))


def is_picture(data: bytes) -> bool:
    """True where a file begins as one of a picture does."""
    return _PICTURE.match(data) is not None


def why_not_plain(data: bytes) -> str | None:
    """Why a file might show somebody; None for text in which no picture is spelled."""
    if data.translate(None, _CONTROLS) != data:
        return "is no text"
    if _SPELLED.search(data):
        return "spells what may be a picture, in base64 or hexadecimal"
    if _IN_LETTERS.match(data) or _VALUES.search(data):
        return "spells what may be a picture, pixel by pixel"
    return None
