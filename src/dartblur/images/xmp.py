"""XMP made anew from named properties whose values are words, numbers and dates.

A packet takes anything along: pictures in base64, depth maps, the history with the original's name.
What is not named here goes, and so does all that is no plain text or list of texts: structures,
comments, instructions, padding. See ISO 16684-1 and IPTC's photo metadata standard.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from html import escape
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from dartblur.images.plain_text import (
    LONGEST_NAME,
    are_names_together,
    are_plain_text_together,
    is_plain_text,
)

_WIDE = (b"\xff\xfe", b"\xfe\xff")
_LARGEST = 1 << 20  # bytes; cameras and programs stay far below
_DEEPEST = 24
_MOST_ITEMS = 200
_LARGEST_WRITTEN = 60_000  # bytes; a JPEG's segment takes 65,502
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_LANGUAGE = "http://www.w3.org/XML/1998/namespace}lang"
_NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "exifEX": "http://cipa.jp/exif/1.0/",
    "aux": "http://ns.adobe.com/exif/1.0/aux/",
}

_is_number = re.compile(r"[+-]?\d{1,10}([./]\d{1,10})?").fullmatch
_is_date = re.compile(
    r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
).fullmatch
_is_angle = re.compile(r"\d{1,3},\d{1,2}(\.\d{1,8}|,\d{1,2})?[NSEW]").fullmatch
_is_code = re.compile(r"[A-Za-z0-9][A-Za-z0-9.]{0,9}").fullmatch
_is_language = re.compile(r"x-default|[A-Za-z]{2,3}(-[A-Za-z]{4})?(-[A-Za-z]{2}|-\d{3})?").fullmatch


@dataclass(frozen=True)
class _Rule:
    """is_right: of one value. most: so many values. free: people write it, in words."""

    is_right: Callable[[str], object]
    most: int = 1
    free: bool = False


@dataclass(frozen=True)
class _Property:
    """values: each with its language, or "". kind: Bag, Seq or Alt; "" for a single text."""

    name: str
    kind: str
    values: tuple[tuple[str, str], ...]


def _name(text: str) -> bool:
    """What a maker calls a camera, a lens or a program."""
    return len(text) <= LONGEST_NAME and is_plain_text(text)


def _rules(prefix: str, rule: _Rule, names: str) -> dict[str, _Rule]:
    return {f"{prefix}:{name}": rule for name in names.split()}


_WORDS = _Rule(is_plain_text, _MOST_ITEMS, free=True)
_NAME, _NUMBER, _DATE = _Rule(_name), _Rule(_is_number), _Rule(_is_date)
_CODE, _ANGLE = _Rule(_is_code), _Rule(_is_angle)
_NUMBERS = _Rule(_is_number, 4)
_ORIENTATION = "tiff:Orientation"
_KEPT: dict[str, _Rule] = {
    **_rules(
        "dc",
        _WORDS,
        """contributor coverage creator description publisher relation rights source subject
        title type""",
    ),
    **_rules("dc", _Rule(_is_date, 4), "date"),
    **_rules("dc", _Rule(_is_language, 8), "language"),
    **_rules("xmp", _DATE, "CreateDate ModifyDate MetadataDate"),
    **_rules("xmp", _NUMBER, "Rating"),
    **_rules("xmp", _NAME, "CreatorTool"),
    **_rules("xmp", _WORDS, "Label Nickname"),
    **_rules("xmpRights", _WORDS, "Certificate Owner UsageTerms WebStatement"),
    **_rules("xmpRights", _CODE, "Marked"),
    **_rules(
        "photoshop",
        _WORDS,
        """AuthorsPosition CaptionWriter Category City Country Credit Headline Instructions Source
        State SupplementalCategories TransmissionReference""",
    ),
    **_rules("photoshop", _DATE, "DateCreated"),
    **_rules("photoshop", _NUMBER, "Urgency ColorMode"),
    **_rules("Iptc4xmpCore", _WORDS, "AltTextAccessibility ExtDescrAccessibility Location"),
    **_rules("Iptc4xmpCore", _WORDS, "IntellectualGenre"),
    **_rules("Iptc4xmpCore", _CODE, "CountryCode"),
    **_rules("Iptc4xmpCore", _Rule(_is_code, 8), "Scene SubjectCode"),
    **_rules(
        "Iptc4xmpExt",
        _WORDS,
        "AddlModelInfo City CountryName Event OrganisationInImageName PersonInImage ProvinceState",
    ),
    **_rules("Iptc4xmpExt", _WORDS, "Sublocation WorldRegion"),
    **_rules("Iptc4xmpExt", _CODE, "CountryCode"),
    **_rules("tiff", _NAME, "Make Model Software"),
    **_rules("tiff", _WORDS, "Artist Copyright ImageDescription"),
    **_rules("tiff", _DATE, "DateTime"),
    **_rules("tiff", _NUMBER, "Orientation ResolutionUnit XResolution YResolution"),
    **_rules("exif", _CODE, "ExifVersion FlashpixVersion GPSVersionID"),
    **_rules("exif", _CODE, "GPSStatus GPSSpeedRef GPSTrackRef GPSImgDirectionRef GPSMapDatum"),
    **_rules("exif", _DATE, "DateTimeOriginal DateTimeDigitized GPSTimeStamp"),
    **_rules("exif", _ANGLE, "GPSLatitude GPSLongitude GPSDestLatitude GPSDestLongitude"),
    **_rules("exif", _WORDS, "UserComment"),
    **_rules("exif", _NUMBERS, "ISOSpeedRatings ComponentsConfiguration SubjectArea"),
    **_rules(
        "exif",
        _NUMBER,
        """ApertureValue BrightnessValue ColorSpace CompressedBitsPerPixel Contrast CustomRendered
        DigitalZoomRatio ExposureBiasValue ExposureIndex ExposureMode ExposureProgram ExposureTime
        FNumber FileSource FlashEnergy FocalLength FocalLengthIn35mmFilm FocalPlaneResolutionUnit
        FocalPlaneXResolution FocalPlaneYResolution GPSAltitude GPSAltitudeRef GPSDOP
        GPSDifferential GPSImgDirection GPSMeasureMode GPSSpeed GPSTrack GainControl LightSource
        MaxApertureValue MeteringMode Saturation SceneCaptureType SceneType SensingMethod Sharpness
        ShutterSpeedValue SubjectDistance SubjectDistanceRange WhiteBalance""",
    ),
    **_rules("exifEX", _NAME, "BodySerialNumber CameraOwnerName LensMake LensModel"),
    **_rules("exifEX", _NAME, "LensSerialNumber"),
    **_rules("exifEX", _NUMBERS, "LensSpecification"),
    **_rules(
        "exifEX",
        _NUMBER,
        """Gamma ISOSpeed PhotographicSensitivity RecommendedExposureIndex SensitivityType
        StandardOutputSensitivity""",
    ),
    **_rules("aux", _NAME, "Firmware Lens LensID LensSerialNumber OwnerName SerialNumber"),
    **_rules("aux", _NUMBER, "ApproximateFocusDistance FlashCompensation ImageNumber"),
}
_FREE = {name for name, rule in _KEPT.items() if rule.free}
_NAMED = {name for name, rule in _KEPT.items() if rule is _NAME}
_NAMES = {
    f"{_NAMESPACES[prefix]}}}{name}": f"{prefix}:{name}"
    for prefix, name in (each.split(":") for each in _KEPT)
}


def kept_xmp(packet: bytes) -> bytes | None:
    """A packet of what is named here; None where nothing of it is there, or it is malformed."""
    # Some end it as C does; in UTF-16 a zero is half of the last character.
    root = _parsed(packet if packet[:2] in _WIDE else packet.rstrip(b"\0"))
    if root is None:
        return None
    found: dict[str, _Property] = {}
    for each in _properties(root):
        if _is_kept(each):
            found.setdefault(each.name, each)
    for rules, stay in ((_FREE, are_plain_text_together), (_NAMED, are_names_together)):
        if not stay(
            text for name in sorted(rules & found.keys()) for text, _ in found[name].values
        ):
            found = {name: each for name, each in found.items() if name not in rules}
    written = _written(found.values()) if found else b""
    return written if 0 < len(written) <= _LARGEST_WRITTEN else None


def _parsed(packet: bytes) -> Element | None:
    """The root; None where this is no XML, too large, too deep or brings its own entities."""
    if len(packet) > _LARGEST:
        return None
    builder, depth = TreeBuilder(), 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise ValueError("nested too deeply")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def refuse(*_: object) -> NoReturn:
        raise ValueError("a document type, which may define entities")

    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(packet, True)
        return builder.close()
    # The latter two: an encoding that is unknown, or of several bytes a character.
    except (expat.ExpatError, LookupError, ValueError):
        return None


def _properties(root: Element) -> Iterator[_Property]:
    rdf = next((each for each in (root, *root) if each.tag == f"{_RDF}}}RDF"), ())
    for description in rdf:
        if description.tag != f"{_RDF}}}Description":
            continue
        for key, value in description.attrib.items():
            if key in _NAMES:
                yield _Property(_NAMES[key], "", ((value.strip(), ""),))
        for element in description:
            if element.tag in _NAMES:
                yield from _property(_NAMES[element.tag], element)


def _property(name: str, element: Element) -> Iterator[_Property]:
    """One where it is a text or a list of texts."""
    if not element.attrib.keys() <= {_LANGUAGE}:
        return
    if not len(element):
        yield _Property(name, "", ((_text(element), ""),))
        return
    kind = element[0].tag.removeprefix(f"{_RDF}}}")
    items = list(element[0])
    if len(element) > 1 or kind not in ("Bag", "Seq", "Alt") or _text(element):
        return
    if all(item.tag == f"{_RDF}}}li" and not len(item) for item in items):
        texts = tuple(
            (_text(item), item.get(_LANGUAGE, "") if kind == "Alt" else "") for item in items
        )
        yield _Property(name, kind, texts)


def _text(element: Element) -> str:
    return (element.text or "").strip()


def _is_kept(found: _Property) -> bool:
    rule = _KEPT[found.name]
    texts = [text for text, _ in found.values]
    languages = [language for _, language in found.values if language]
    return (
        0 < len(texts) <= rule.most
        and all(text and rule.is_right(text) for text in texts)
        and all(map(_is_language, languages))
        and len(set(languages)) == len(languages)
        and (not rule.free or are_plain_text_together(texts))
    )


def _written(properties: Collection[_Property]) -> bytes:
    used = {each.name.split(":")[0] for each in properties}
    spaces = "".join(f' xmlns:{p}="{uri}"' for p, uri in _NAMESPACES.items() if p in used)
    body = "".join(f"<{p.name}>{_value(p)}</{p.name}>" for p in properties)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">'
        f'<rdf:Description rdf:about=""{spaces}>{body}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def _value(found: _Property) -> str:
    if found.name == _ORIENTATION:
        return "1"  # the picture is written upright
    if not found.kind:
        return escape(found.values[0][0], quote=False)
    items = "".join(_item(text, language) for text, language in found.values)
    return f"<rdf:{found.kind}>{items}</rdf:{found.kind}>"


def _item(text: str, language: str) -> str:
    attribute = f' xml:lang="{language}"' if language else ""
    return f"<rdf:li{attribute}>{escape(text, quote=False)}</rdf:li>"
