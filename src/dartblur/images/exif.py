"""EXIF made anew from named tags, each of the type and size that the standard gives it.

Any tag can hold any number of any type, and so a picture. What is not named here goes: the maker's
notes, the second directory with its thumbnail, tiles and strips, private tags. See CIPA DC-008.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from PIL import ExifTags
from PIL import Image as Pillow
from PIL.TiffImagePlugin import IFDRational

from dartblur.images.plain_text import (
    LONGEST_NAME,
    are_names_together,
    are_plain_text_together,
    is_plain_text,
)

Value = object
Rule = Callable[[Value], Value]
"""The value as it may stay, or None."""


@dataclass(frozen=True)
class _Text:
    """What people write, or a maker's name: the words, and as they are stored."""

    words: str
    stored: str | bytes
    is_name: bool = False


ORIENTATION = ExifTags.Base.Orientation.value
_EXIF, _GPS = ExifTags.IFD.Exif.value, ExifTags.IFD.GPSInfo.value
_SUBJECT_AREA = 0x9214  # which Pillow does not name
_CHARSETS = {b"ASCII\0\0\0": "ascii", b"UNICODE\0": "utf-16", b"JIS\0\0\0\0\0": "iso2022_jp"}
_UNKNOWN = 2**32 - 1
_UNDEFINED = (-1, 0, 1, _UNKNOWN)
_FINEST, _GREATEST = 10_000, 10_000_000  # the smaller and the larger number of a fraction
_BYTE_ORDERS = ("utf-16-le", "utf-16-be")


def orientation_of(image: Pillow.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 where there is none or it is nonsense."""
    value = image.getexif().get(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def kept_exif(image: Pillow.Image, size: tuple[int, int]) -> bytes | None:
    """A packet of what is named here; None where nothing of it is there.

    size: height and width of the upright picture.
    """
    source = image.getexif()
    kept = Pillow.Exif()
    first, exif, gps = _together(
        _kept(source, _FIRST),
        _kept(source.get_ifd(_EXIF), _CAMERA),
        _kept(source.get_ifd(_GPS), _PLACE),
    )
    for tag, value in first.items():
        kept[tag] = value
    if exif:
        exif[ExifTags.Base.ExifImageHeight.value] = size[0]
        exif[ExifTags.Base.ExifImageWidth.value] = size[1]
        kept.get_ifd(_EXIF).update(exif)
    if gps:
        kept.get_ifd(_GPS).update(gps)
    if not (len(kept) or exif or gps):
        return None
    try:
        return kept.tobytes()
    except (TypeError, ValueError, struct.error, OverflowError, AttributeError, ZeroDivisionError):
        # A camera's malformed entry: metadata is a courtesy, never worth failing the picture.
        return None


def _kept(directory: Mapping[int, Value], rules: Mapping[int, Rule]) -> dict[int, Value]:
    values = {tag: rules[tag](value) for tag, value in directory.items() if tag in rules}
    return {tag: value for tag, value in values.items() if value is not None}


def _together(*directories: dict[int, Value]) -> list[dict[int, Value]]:
    """The directories as they are stored; without texts that together may hold a picture."""
    texts = [v for each in directories for v in each.values() if isinstance(v, _Text)]
    stays = {
        False: are_plain_text_together(text.words for text in texts if not text.is_name),
        True: are_names_together(text.words for text in texts if text.is_name),
    }
    return [
        {
            tag: value.stored if isinstance(value, _Text) else value
            for tag, value in each.items()
            if not isinstance(value, _Text) or stays[value.is_name]
        }
        for each in directories
    ]


def _text(most: int) -> Rule:
    def rule(value: Value) -> Value:
        stored = value.rstrip("\0 ") if isinstance(value, str) else ""
        words = _decoded(stored)
        if not words or len(words) > most or not is_plain_text(words):
            return None
        # Of a text Pillow writes only what is ASCII; of bytes all.
        return stored if stored.isascii() else stored.encode("latin-1", "replace")

    return rule


def _free(most: int, *, is_name: bool = False) -> Rule:
    """A text that is also looked at together with the others."""
    text = _text(most)

    def rule(value: Value) -> Value:
        stored = text(value)
        if isinstance(stored, bytes):
            return _Text(_decoded(stored.decode("latin-1")), stored, is_name)
        return _Text(stored, stored, is_name) if isinstance(stored, str) else None

    return rule


def _decoded(stored: str) -> str:
    """A text that was read as Latin-1, and mostly is UTF-8."""
    try:
        return stored.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return stored


def _whole(*counts: int) -> Rule:
    """So many whole numbers."""

    def rule(value: Value) -> Value:
        numbers = value if isinstance(value, tuple) else (value,)
        right = len(numbers) in counts and all(type(n) is int for n in numbers)
        return value if right else None

    return rule


def _ratio(count: int = 1) -> Rule:
    """So many fractions."""

    def rule(value: Value) -> Value:
        numbers = value if isinstance(value, tuple) else (value,)
        if len(numbers) != count or not all(isinstance(n, IFDRational) for n in numbers):
            return None
        plain = tuple(_plain(n) for n in numbers)
        if None in plain:
            return None
        return plain if isinstance(value, tuple) else plain[0]

    return rule


def _plain(number: IFDRational) -> IFDRational | None:
    """As it is stored where a camera may count so; else the nearest of such; None if none is near.

    Two numbers of 32 bits hold any eight bytes, and a directory has forty of them.
    """
    over, under = int(number.numerator), int(number.denominator)
    if under == 0 or abs(over) == _UNKNOWN:
        return number if over in _UNDEFINED and under in (0, 1, _UNKNOWN) else None
    value = abs(Fraction(over, under))
    if min(abs(over), abs(under)) > _FINEST or max(abs(over), abs(under)) > _GREATEST:
        # Of a small one, such as an exposure, the other way up.
        near = value.limit_denominator(_FINEST)
        if value < 1:
            near = 1 / (1 / value).limit_denominator(_FINEST) if value else Fraction(0)
        if max(near.numerator, near.denominator) > _GREATEST:
            return None
        negative = (over < 0) != (under < 0)
        return IFDRational(-near.numerator if negative else near.numerator, near.denominator)
    return number


def _bytes(count: int) -> Rule:
    def rule(value: Value) -> Value:
        return value if isinstance(value, bytes) and len(value) == count else None

    return rule


def _comment(value: Value) -> Value:
    """A text behind the eight letters that name its characters."""
    if not isinstance(value, bytes) or value[:8] not in (*_CHARSETS, bytes(8)):
        return None
    charset, content = value[:8], value[8:]
    for encoding in _BYTE_ORDERS if charset == b"UNICODE\0" else (_CHARSETS.get(charset, "utf-8"),):
        try:
            words = content.decode(encoding).rstrip("\0 ").removeprefix("\ufeff")
            if words and is_plain_text(words):
                return _Text(words, charset + words.encode(encoding))
        except UnicodeError:
            continue
    return None


def _windows_text(value: Value) -> Value:
    """UTF-16 in bytes, as Windows has it."""
    if isinstance(value, tuple) and all(type(n) is int and 0 <= n < 256 for n in value):
        value = bytes(value)
    if not isinstance(value, bytes):
        return None
    try:
        words = value.decode("utf-16-le").rstrip("\0 ")
    except UnicodeError:
        return None
    if not words or not is_plain_text(words):
        return None
    return _Text(words, (words + "\0").encode("utf-16-le"))


def _named(
    rule: Rule, names: str, tags: type[ExifTags.Base] | type[ExifTags.GPS]
) -> dict[int, Rule]:
    return {tags[name].value: rule for name in names.split()}


_NAME = _free(LONGEST_NAME, is_name=True)
_FIRST: dict[int, Rule] = {
    **_named(_free(4000), "ImageDescription Copyright", ExifTags.Base),
    **_named(_free(500), "DocumentName PageName Artist HostComputer", ExifTags.Base),
    **_named(_NAME, "Make Model Software", ExifTags.Base),
    **_named(_text(20), "DateTime", ExifTags.Base),
    **_named(_ratio(), "XResolution YResolution", ExifTags.Base),
    **_named(_whole(1), "ResolutionUnit Rating RatingPercent", ExifTags.Base),
    **_named(_windows_text, "XPTitle XPComment XPAuthor XPKeywords XPSubject", ExifTags.Base),
}
_CAMERA: dict[int, Rule] = {
    **_named(
        _ratio(),
        """ExposureTime FNumber CompressedBitsPerPixel ShutterSpeedValue ApertureValue
        BrightnessValue ExposureBiasValue MaxApertureValue SubjectDistance FocalLength FlashEnergy
        FocalPlaneXResolution FocalPlaneYResolution ExposureIndex DigitalZoomRatio
        AmbientTemperature Humidity Pressure WaterDepth Acceleration CameraElevationAngle Gamma""",
        ExifTags.Base,
    ),
    **_named(
        _whole(1),
        """ExposureProgram SensitivityType StandardOutputSensitivity RecommendedExposureIndex
        ISOSpeed ISOSpeedLatitudeyyy ISOSpeedLatitudezzz MeteringMode LightSource Flash ColorSpace
        FocalPlaneResolutionUnit SensingMethod CustomRendered ExposureMode WhiteBalance
        FocalLengthIn35mmFilm SceneCaptureType GainControl Contrast Saturation Sharpness
        SubjectDistanceRange CompositeImage""",
        ExifTags.Base,
    ),
    **_named(_whole(1, 2), "ISOSpeedRatings", ExifTags.Base),
    **_named(_whole(2), "SubjectLocation", ExifTags.Base),
    _SUBJECT_AREA: _whole(2, 3, 4),
    **_named(_bytes(4), "ExifVersion ComponentsConfiguration FlashPixVersion", ExifTags.Base),
    **_named(_bytes(1), "FileSource SceneType", ExifTags.Base),
    **_named(_text(20), "DateTimeOriginal DateTimeDigitized", ExifTags.Base),
    **_named(_text(10), "OffsetTime OffsetTimeOriginal OffsetTimeDigitized", ExifTags.Base),
    **_named(_text(10), "SubsecTime SubsecTimeOriginal SubsecTimeDigitized", ExifTags.Base),
    **_named(_text(33), "ImageUniqueID", ExifTags.Base),
    **_named(_free(200), "CameraOwnerName", ExifTags.Base),
    **_named(_NAME, "BodySerialNumber LensMake LensModel LensSerialNumber", ExifTags.Base),
    **_named(_ratio(4), "LensSpecification", ExifTags.Base),
    **_named(_comment, "UserComment", ExifTags.Base),
}
_PLACE: dict[int, Rule] = {
    **_named(_bytes(4), "GPSVersionID", ExifTags.GPS),
    **_named(_bytes(1), "GPSAltitudeRef", ExifTags.GPS),
    **{
        ExifTags.GPS[f"GPS{what}Ref"].value: _text(2)
        for what in (
            *("".join(pair) for pair in product(("", "Dest"), ("Latitude", "Longitude"))),
            *("Speed", "Track", "ImgDirection", "DestBearing", "DestDistance"),
        )
    },
    **_named(
        _ratio(3),
        "GPSLatitude GPSLongitude GPSDestLatitude GPSDestLongitude GPSTimeStamp",
        ExifTags.GPS,
    ),
    **_named(
        _ratio(),
        """GPSAltitude GPSDOP GPSSpeed GPSTrack GPSImgDirection GPSDestBearing GPSDestDistance
        GPSHPositioningError""",
        ExifTags.GPS,
    ),
    **_named(_text(2), "GPSStatus GPSMeasureMode", ExifTags.GPS),
    **_named(_text(11), "GPSDateStamp", ExifTags.GPS),
    **_named(_NAME, "GPSSatellites GPSMapDatum", ExifTags.GPS),
    **_named(_comment, "GPSProcessingMethod GPSAreaInformation", ExifTags.GPS),
    **_named(_whole(1), "GPSDifferential", ExifTags.GPS),
}
