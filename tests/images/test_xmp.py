"""XMP is written anew from what is known; nothing else of a packet passes."""

import base64
import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image as Pillow
from tests.images.files import pillow_file, rgb
from tests.images.planting import THUMBNAIL, jpeg_with, segment, traces, xmp_packet

from dartblur.images import encode_picture, read_picture
from dartblur.images.xmp import kept_xmp

SPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "my": "http://example.com/my/",
    "GImage": "http://ns.google.com/photos/1.0/image/",
}
PIECES = base64.b64encode(THUMBNAIL).decode()


def packet(body: str = "", attributes: str = "") -> bytes:
    spaces = " ".join(f'xmlns:{p}="{uri}"' for p, uri in SPACES.items() if p != "rdf")
    made = xmp_packet(body).decode()
    return made.replace('rdf:about=""', f'rdf:about="" {spaces} {attributes}').encode()


def texts(made: bytes | None, name: str) -> list[str]:
    assert made is not None
    element = ElementTree.fromstring(made.decode()).find(f".//{name}", SPACES)
    if element is None:
        return []
    return [e.text or "" for e in element.findall(".//rdf:li", SPACES)] or [element.text or ""]


def items(words: list[str], kind: str = "Bag") -> str:
    return f"<rdf:{kind}>" + "".join(f"<rdf:li>{w}</rdf:li>" for w in words) + f"</rdf:{kind}>"


def test_what_people_and_cameras_write_stays() -> None:
    made = kept_xmp(
        packet(
            f"<dc:creator>{items(['Zoë', 'Tom &amp; Ann'], 'Seq')}</dc:creator>"
            '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">A garden</rdf:li>'
            '<rdf:li xml:lang="de-DE">Ein Garten</rdf:li></rdf:Alt></dc:title>'
            f"<dc:subject>{items(['garden', 'summer', '花'])}</dc:subject>"
            "<photoshop:City>Zürich</photoshop:City>"
            f"<exif:ISOSpeedRatings>{items(['400'], 'Seq')}</exif:ISOSpeedRatings>",
            'xmp:CreateDate="2026-11-24T22:13:30.12+01:00" xmp:Rating="-1" tiff:Model="Model 7"'
            ' exif:FNumber="28/10" exif:GPSLatitude="48,12.5083N"',
        )
    )
    assert texts(made, "dc:creator") == ["Zoë", "Tom & Ann"]
    assert texts(made, "dc:title") == ["A garden", "Ein Garten"]
    assert b'<rdf:li xml:lang="de-DE">Ein Garten' in (made or b"")
    assert texts(made, "dc:subject") == ["garden", "summer", "花"]
    assert texts(made, "photoshop:City") == ["Zürich"]
    assert texts(made, "exif:ISOSpeedRatings") == ["400"]
    assert texts(made, "xmp:CreateDate") == ["2026-11-24T22:13:30.12+01:00"]
    assert texts(made, "xmp:Rating") == ["-1"]
    assert texts(made, "tiff:Model") == ["Model 7"]
    assert texts(made, "exif:FNumber") == ["28/10"]
    assert texts(made, "exif:GPSLatitude") == ["48,12.5083N"]
    assert kept_xmp(made or b"") == made


@pytest.mark.parametrize(
    "body",
    [
        "<my:note>secret</my:note>",
        "<!-- secret -->",
        "<?secret secret?>",
        "<dc:title>good<!-- secret --></dc:title><dc:title>secret</dc:title>",
        '<dc:creator rdf:parseType="Resource"><my:a>secret</my:a></dc:creator>',
        "<dc:creator><rdf:Bag><rdf:li><my:a>secret</my:a></rdf:li></rdf:Bag></dc:creator>",
        '<dc:creator rdf:resource="secret"/>',
        '<dc:creator><rdf:Bag><rdf:li xml:lang="secret">x</rdf:li></rdf:Bag></dc:creator>',
        '<dc:creator><rdf:Alt><rdf:li xml:lang="secret">x</rdf:li></rdf:Alt></dc:creator>',
        "<xmp:Rating>secret</xmp:Rating>",
        "<xmp:CreateDate>2026 secret</xmp:CreateDate>",
        "<exif:MakerNote>secret</exif:MakerNote>",
        "<photoshop:History>secret</photoshop:History>",
        "<rdf:Description><dc:title>secret</dc:title></rdf:Description>",
    ],
)
def test_what_is_not_known_goes(body: str) -> None:
    made = kept_xmp(packet(body + "<dc:rights>Zoe</dc:rights>"))
    assert texts(made, "dc:rights") == ["Zoe"]
    assert b"secret" not in (made or b"")


def test_padding_and_what_frames_the_packet_go() -> None:
    plain = packet("<dc:rights>Zoe</dc:rights>")
    padded = plain.replace(b"<?xpacket end", b" " * 2000 + b"<!-- secret --><?xpacket end")
    assert kept_xmp(padded) == kept_xmp(plain)
    assert kept_xmp(plain + b"\0\0") == kept_xmp(plain)


LONG = {
    "base64": PIECES,
    "base64 in words": " ".join(PIECES[i : i + 8] for i in range(0, len(PIECES), 8)),
    "hex in words": THUMBNAIL.hex(" "),
    "numbers": ", ".join(str(b) for b in THUMBNAIL),
    "lines": "\n".join(PIECES[i : i + 59] for i in range(0, len(PIECES), 59)),
}


@pytest.mark.parametrize("spelling", LONG)
@pytest.mark.parametrize("name", ["dc:description", "dc:subject", "tiff:Model", "exif:FNumber"])
def test_a_spelled_out_picture_goes(name: str, spelling: str) -> None:
    assert kept_xmp(packet(f"<{name}>{LONG[spelling]}</{name}>")) is None
    pieces = [LONG[spelling][i : i + 50] for i in range(0, len(LONG[spelling]), 50)]
    assert kept_xmp(packet(f"<{name}>{items(pieces)}</{name}>")) is None


def test_a_picture_over_many_properties_goes() -> None:
    names = ["City", "Country", "Credit", "Headline", "Instructions", "Source", "State"]
    body = "".join(
        f"<photoshop:{n}>{PIECES[i * 118 : i * 118 + 59]} {PIECES[i * 118 + 59 : i * 118 + 118]}"
        f"</photoshop:{n}>"
        for i, n in enumerate(names)
    )
    made = kept_xmp(packet(body, 'xmp:Rating="3"'))
    assert texts(made, "xmp:Rating") == ["3"]
    assert b"photoshop:" not in (made or b"")


LAUGHS = b'<!DOCTYPE x [<!ENTITY a "secret">]>'
GOOD = packet("<dc:rights>Zoe</dc:rights>")
BODY = GOOD[GOOD.index(b"<x:xmpmeta") :]


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\0",
        b"no markup",
        GOOD[:-60],
        GOOD + b"<more/>",
        LAUGHS + BODY.replace(b"Zoe", b"&a;"),
        LAUGHS + BODY,
        b'<!DOCTYPE x SYSTEM "file:///etc/hostname">' + BODY,
        BODY.replace(b"Zoe", b"\xff\xfe"),
        b'<?xml version="1.0" encoding="nonesuch"?>' + BODY,
        b'<?xml version="1.0" encoding="big5"?>' + BODY,
        BODY.replace(b"<dc:rights>", b"<a>" * 30 + b"<dc:rights>").replace(
            b"</dc:rights>", b"</dc:rights>" + b"</a>" * 30
        ),
        BODY + b" " * (1 << 20),
        packet(),
        packet("<dc:title> </dc:title>"),
    ],
)
def test_a_malformed_or_empty_packet_goes(bad: bytes) -> None:
    assert kept_xmp(GOOD) is not None
    assert kept_xmp(bad) is None


def test_utf_16_is_read() -> None:
    made = kept_xmp(BODY.decode().encode("utf-16"))
    assert texts(made, "dc:rights") == ["Zoe"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_the_file_has_the_new_packet_or_none(tmp_path: Path, kind: str) -> None:
    from PIL.PngImagePlugin import PngInfo

    hidden = f"<GImage:Data>{PIECES}</GImage:Data>"
    for body in (hidden, f"<dc:rights>Zoe</dc:rights>{hidden}"):
        options: dict[str, object] = {"xmp": packet(body)}
        if kind == "PNG":
            info = PngInfo()
            info.add_itxt("XML:com.adobe.xmp", packet(body).decode())
            options = {"pnginfo": info}
        path = tmp_path / f"a.{kind.lower()}"
        path.write_bytes(pillow_file(rgb(), kind, **options))
        out = encode_picture(read_picture(path), path, keep_metadata=True)
        assert traces(out) == []
        assert b"GImage" not in out
        assert (b"xmpmeta" in out) == (b"Zoe" in out) == ("Zoe" in body)
        assert b"xmpmeta" not in encode_picture(read_picture(path), path)


def test_the_turn_is_set_right(tmp_path: Path) -> None:
    """The picture is written upright, and so its XMP says; in one spelling, however it was read."""
    for body, attributes in (
        ("", 'tiff:Orientation="6"'),
        ("<tiff:Orientation>6</tiff:Orientation>", ""),
    ):
        xmp = packet(body, attributes)
        path = tmp_path / "a.jpg"
        path.write_bytes(jpeg_with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp)))
        out = encode_picture(read_picture(path), path, keep_metadata=True)
        with Pillow.open(io.BytesIO(out)) as image:
            assert texts(image.info["xmp"], "tiff:Orientation") == ["1"]
