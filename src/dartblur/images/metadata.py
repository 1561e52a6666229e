"""What a picture says of itself, and what of that may be kept.

A thumbnail still shows the face, and hides in many places: EXIF's second directory, the maker's
notes, XMP, Photoshop's resources, a second picture in the file. None of them is ever kept.
"""

from __future__ import annotations

import re
import struct

import numpy as np
from PIL import ExifTags
from PIL import Image as Pillow

from dartblur.images.icc import rebuilt
from dartblur.images.picture import Metadata
from dartblur.images.png import colour_chunks

ORIENTATION = ExifTags.Base.Orientation.value
_EXIF_IFD = ExifTags.IFD.Exif.value
_GPS_IFD = ExifTags.IFD.GPSInfo.value
# Private data, which often holds a preview.
_MAKER_NOTE = ExifTags.Base.MakerNote.value
# What people and cameras say. The rest of the first directory says how a file lays out its samples,
# points to further pictures, or is private data that may be one.
_KEPT_BASE = frozenset(
    {
        ExifTags.Base.DocumentName.value,
        ExifTags.Base.ImageDescription.value,
        ExifTags.Base.Make.value,
        ExifTags.Base.Model.value,
        ExifTags.Base.XResolution.value,
        ExifTags.Base.YResolution.value,
        ExifTags.Base.ResolutionUnit.value,
        ExifTags.Base.PageName.value,
        ExifTags.Base.Software.value,
        ExifTags.Base.DateTime.value,
        ExifTags.Base.Artist.value,
        ExifTags.Base.HostComputer.value,
        ExifTags.Base.Copyright.value,
        ExifTags.Base.Rating.value,
        ExifTags.Base.RatingPercent.value,
        ExifTags.Base.XPTitle.value,
        ExifTags.Base.XPComment.value,
        ExifTags.Base.XPAuthor.value,
        ExifTags.Base.XPKeywords.value,
        ExifTags.Base.XPSubject.value,
    }
)
_IPTC_RESOURCE = 0x0404
# A packet that embeds pictures: thumbnails, depth maps, the unblurred original of some phones.
_PICTURE_IN_XMP = re.compile(rb"thumbnail|xmpGImg|GImage|GDepth|GContainer|base64|/9j/", re.I)
_XMP_ORIENTATION = re.compile(rb'(tiff:Orientation(?:="|>))[1-8]')
_SIGNATURES = rb"\x89PNG\r\n|RIFF....WEBP|GIF8[79]a"
# Raw, or spelled in base64 or hex: both begin in a known way, and run on without spaces.
_PICTURE_IN_BYTES = re.compile(
    rb"\xff\xd8\xff|" + _SIGNATURES + rb"|/9j/|iVBORw0K|UklGR|(?i:ffd8ff|89504e47)"
    rb"|(?:[A-Za-z0-9+/]{60,}[\s=]*){3}",
    re.S,
)
# Longer binary values are previews or a maker's own; a text is kept whatever its length.
_LARGEST_VALUE = 4096


def orientation_of(image: Pillow.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 where there is none or it is nonsense."""
    value = image.getexif().get(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


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
        exif=_kept_exif(image, size),
        xmp=_kept_xmp(xmp.encode() if isinstance(xmp, str) else xmp),
        iptc=_kept_iptc(image),
        comment=_without_pictures(_as_bytes(image.info.get("comment"))),
        texts=tuple(_kept_texts(image)),
    )


def _kept_exif(image: Pillow.Image, size: tuple[int, int]) -> bytes | None:
    source = image.getexif()
    kept = Pillow.Exif()
    for tag, value in source.items():
        if tag in _KEPT_BASE:
            kept[tag] = value
    for pointer in (_EXIF_IFD, _GPS_IFD):
        directory = {t: v for t, v in source.get_ifd(pointer).items() if _may_stay(t, v)}
        if pointer == _EXIF_IFD and directory:
            directory[ExifTags.Base.ExifImageHeight.value] = size[0]
            directory[ExifTags.Base.ExifImageWidth.value] = size[1]
        if directory:
            kept.get_ifd(pointer).update(directory)
    if not len(kept) and not kept.get_ifd(_EXIF_IFD) and not kept.get_ifd(_GPS_IFD):
        return None
    try:
        packet = kept.tobytes()
    except (TypeError, ValueError, struct.error, OverflowError, AttributeError):
        # A camera's malformed entry: metadata is a courtesy, never worth failing the picture.
        return None
    return _without_pictures(packet)


def _may_stay(tag: int, value: object) -> bool:
    return tag != _MAKER_NOTE and not (isinstance(value, bytes) and len(value) > _LARGEST_VALUE)


def _kept_xmp(packet: bytes | None) -> bytes | None:
    if not packet or _PICTURE_IN_XMP.search(packet) or _PICTURE_IN_BYTES.search(packet):
        return None
    return _XMP_ORIENTATION.sub(rb"\g<1>1", packet)


def _kept_iptc(image: Pillow.Image) -> bytes | None:
    resources = image.info.get("photoshop")
    if not isinstance(resources, dict):
        return None
    return _without_pictures(_as_bytes(resources.get(_IPTC_RESOURCE)))


def _kept_texts(image: Pillow.Image) -> list[tuple[str, str]]:
    texts = getattr(image, "text", None) or {}
    return [
        (key, str(value))
        for key, value in texts.items()
        if not key.startswith(("Raw profile", "XML:"))
        and len(str(value)) < 65536
        and _without_pictures(f"{key} {value}".encode("latin-1", "replace"))
    ]


def _without_pictures(packet: bytes | None) -> bytes | None:
    return packet if packet and not _PICTURE_IN_BYTES.search(packet) else None


def _as_bytes(value: object) -> bytes | None:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return value if isinstance(value, bytes) else None


def _valid_dpi(dpi: object) -> tuple[float, float] | None:
    if not isinstance(dpi, tuple) or len(dpi) != 2:
        return None
    x, y = float(dpi[0]), float(dpi[1])
    return (x, y) if np.isfinite([x, y]).all() and min(x, y) > 0 and max(x, y) < 65536 else None
