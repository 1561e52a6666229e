"""What a picture says of itself, and what of that may be kept.

A thumbnail still shows the face, and hides in many places: EXIF's second directory, the maker's
notes, XMP, Photoshop's resources, a second picture in the file. None of them is ever kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from PIL import Image as Pillow

from dartblur.images.exif import kept_exif
from dartblur.images.icc import rebuilt
from dartblur.images.picture import Metadata
from dartblur.images.plain_text import are_plain_text_together, is_plain_text
from dartblur.images.png import colour_chunks
from dartblur.images.xmp import kept_xmp

_IPTC_RESOURCE = 0x0404
# IPTC's datasets: of record 1 the characters' name, of record 2 numbers and dates, codes, and what
# an agency tells in words; see IIM 4.2.
_CHARACTERS = (1, 90)
_VERSION = 0
_CODES = {
    **dict.fromkeys((55, 62), re.compile(rb"\d{8}")),
    **dict.fromkeys((60, 63), re.compile(rb"\d{6}([+-]\d{4})?")),
    10: re.compile(rb"\d"),
    **dict.fromkeys((100, 130, 131, 135), re.compile(rb"[A-Za-z0-9]{1,3}")),
}
_CAPTIONS = frozenset(
    {5, 12, 15, 20, 25, 26, 27, 40, 45, 65, 70, 80, 85, 90, 92, 95}
    | {101, 103, 105, 110, 115, 116, 118, 120, 122}
)
_REPEATED = frozenset({12, 20, 25, 26, 27, 80, 85, 118, 122})
# What PNG's standard names, and what ImageMagick and GIMP add.
# fmt: off
_KEYWORDS = frozenset({
    "title", "author", "description", "copyright", "creation time", "software", "disclaimer",
    "warning", "source", "comment", "collection", "artist", "make", "model",
    "date:create", "date:modify", "date:timestamp",
})
# fmt: on
# Raw, or spelled in base64 or hex: both begin in a known way, and run on without spaces.
_PICTURE_IN_BYTES = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|RIFF....WEBP|GIF8[79]a"
    rb"|/9j/|iVBORw0K|UklGR|(?i:ffd8ff|89504e47)|(?:[A-Za-z0-9+/]{60,}[\s=]*){3}",
    re.S,
)


def metadata_of(image: Pillow.Image, data: bytes, size: tuple[int, int]) -> Metadata:
    """All that may be kept of a loaded picture's metadata.

    data: the whole file. size: height and width of the upright picture.
    """
    icc = image.info.get("icc_profile")
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    dpi = image.info.get("dpi")
    return Metadata(
        icc=rebuilt(icc) if isinstance(icc, bytes) else None,
        colour_chunks=colour_chunks(data),
        dpi=_valid_dpi(dpi),
        exif=_without_pictures(kept_exif(image, size)),
        xmp=kept_xmp(xmp.encode("utf-8", "replace") if isinstance(xmp, str) else xmp)
        if xmp
        else None,
        iptc=_kept_iptc(image),
        comment=_kept_comment(image.info.get("comment")),
        texts=tuple(_kept_texts(image)),
    )


def _kept_iptc(image: Pillow.Image) -> bytes | None:
    resources = image.info.get("photoshop")
    records = resources.get(_IPTC_RESOURCE) if isinstance(resources, dict) else None
    if not isinstance(records, bytes):
        return None
    kept, words, seen = b"", [], set()
    for record, dataset, content, stored in _iptc_datasets(records):
        if (record, dataset) in seen and dataset not in _REPEATED:
            continue
        caption = _caption(content) if record == 2 and dataset in _CAPTIONS else None
        if caption is None and not _is_iptc_number(record, dataset, content):
            continue
        kept += stored
        words += [caption] if caption else []
        seen.add((record, dataset))
    return _without_pictures(kept) if are_plain_text_together(words) else None


def _iptc_datasets(records: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Number of record and dataset, its content, and all as it is stored."""
    at = 0
    while records[at : at + 1] == b"\x1c" and at + 5 <= len(records):
        # A longer one, with its length's length here, is no text.
        end = at + 5 + int.from_bytes(records[at + 3 : at + 5], "big")
        if end > len(records):
            return
        yield records[at + 1], records[at + 2], records[at + 5 : end], records[at:end]
        at = end


def _is_iptc_number(record: int, dataset: int, content: bytes) -> bool:
    if (record, dataset) == _CHARACTERS:
        return len(content) <= 8
    if record != 2:
        return False
    if dataset == _VERSION:
        return len(content) == 2
    return dataset in _CODES and _CODES[dataset].fullmatch(content) is not None


def _caption(content: bytes) -> str | None:
    words = content.decode("utf-8", "replace")
    return words if is_plain_text(words) else None


def _kept_comment(comment: object) -> bytes | None:
    packet = comment.encode("utf-8", "replace") if isinstance(comment, str) else comment
    if not isinstance(packet, bytes):
        return None
    words = packet.rstrip(b"\0")
    return _without_pictures(words) if is_plain_text(words.decode("utf-8", "replace")) else None


def _kept_texts(image: Pillow.Image) -> list[tuple[str, str]]:
    texts = getattr(image, "text", None) or {}
    kept = [
        (key, str(value))
        for key, value in texts.items()
        if key.lower() in _KEYWORDS
        and is_plain_text(str(value))
        and _without_pictures(f"{key} {value}".encode("latin-1", "replace"))
    ]
    # A key is there once, in whatever letters.
    single = len({key.lower() for key, _ in kept}) == len(kept)
    return kept if single and are_plain_text_together(value for _, value in kept) else []


def _without_pictures(packet: bytes | None) -> bytes | None:
    return packet if packet and not _PICTURE_IN_BYTES.search(packet) else None


def _valid_dpi(dpi: object) -> tuple[float, float] | None:
    if not isinstance(dpi, tuple) or len(dpi) != 2:
        return None
    x, y = float(dpi[0]), float(dpi[1])
    return (x, y) if np.isfinite([x, y]).all() and min(x, y) > 0 and max(x, y) < 65536 else None
