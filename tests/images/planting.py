"""Small pictures planted in every place of a file where a thumbnail of the clear face may hide."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image as Pillow
from PIL import ImageCms
from tests.images.files import heif_is_there, pillow_file, plain_tiff, png, rgb


def _noise(kind: str) -> bytes:
    rng = np.random.default_rng(99)
    return pillow_file(Pillow.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)), kind)


THUMBNAIL = _noise("JPEG")
PNG_THUMBNAIL = _noise("PNG")


def traces(data: bytes) -> list[str]:
    """In what spelling a planted thumbnail is still in a file; none where all is well."""
    spellings = {}
    for name, whole in (("JPEG", THUMBNAIL), ("PNG", PNG_THUMBNAIL)):
        body = whole[-120:-20]  # its own samples, not tables that other files have too
        spellings |= {
            f"{name}": body,
            f"{name} base64": base64.b64encode(whole)[-120:-40],
            f"{name} hex": body.hex().encode(),
            f"{name} base64 in hex": base64.b64encode(whole)[-120:-40].hex().encode(),
            f"{name} HEX": body.hex().upper().encode(),
            f"{name} latin-1": body.decode("latin-1").encode("utf-8"),
        }
    plain = data + b"".join(_inflated(data))
    plain += plain.replace(b"\n", b"")
    return [name for name, needle in spellings.items() if needle in plain]


def _inflated(data: bytes) -> list[bytes]:
    """What lies deflated in a PNG's text chunks."""
    found, at = [], data.find(b"zTXt")
    while at >= 0:
        start = data.find(b"\0\0", at) + 2
        found.append(zlib.decompressobj().decompress(data[start:]))
        at = data.find(b"zTXt", at + 4)
    return found


def tiff_directory(
    entries: dict[int, tuple[int, bytes]], following: bytes = b"", start: int = 8
) -> bytes:
    """A little-endian TIFF directory and its values; `following` is one more directory."""
    values_at = start + 2 + 12 * len(entries) + 4
    rows, values = b"", b""
    for tag, (kind, value) in sorted(entries.items()):
        count = len(value) // {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}[kind]
        rows += struct.pack("<HHI", tag, kind, count)
        if len(value) <= 4:
            rows += value.ljust(4, b"\0")
        else:
            rows += struct.pack("<I", values_at + len(values))
            values += value + b"\0" * (len(value) % 2)
    end = values_at + len(values)
    pointer = end if following else 0
    return struct.pack("<H", len(entries)) + rows + struct.pack("<I", pointer) + values + following


def exif_block(*, maker_note: bytes = b"", thumbnail: bytes = b"", orientation: int = 0) -> bytes:
    """A camera's EXIF: make, model, GPS; perhaps a turn, a maker's note and a thumbnail."""
    base = {
        0x010F: (2, b"Kamera\0\0"),
        0x0110: (2, b"Model 7\0"),
        0x8769: (4, struct.pack("<I", 0)),
        0x8825: (4, struct.pack("<I", 0)),
    }
    if orientation:
        base[0x0112] = (3, struct.pack("<H", orientation))
    exif = {0x9003: (2, b"2026:11:23 05:00:00\0")}
    if maker_note:
        exif[0x927C] = (7, maker_note)
    gps = {
        0x0001: (2, b"N\0"),
        0x0002: (5, struct.pack("<6I", 48, 1, 12, 1, 30, 1)),
        0x0003: (2, b"E\0"),
        0x0004: (5, struct.pack("<6I", 11, 1, 34, 1, 5, 1)),
    }
    first = len(tiff_directory(base)) + 8
    exif_bytes = tiff_directory(exif, start=first)
    gps_at = first + len(exif_bytes)
    gps_bytes = tiff_directory(gps, start=gps_at)
    base[0x8769] = (4, struct.pack("<I", first))
    base[0x8825] = (4, struct.pack("<I", gps_at))
    block = tiff_directory(base) + exif_bytes + gps_bytes
    if thumbnail:
        second_at = 8 + len(block)
        entries = {
            0x0103: (3, struct.pack("<H", 6)),
            0x0201: (4, struct.pack("<I", 0)),
            0x0202: (4, struct.pack("<I", len(thumbnail))),
        }
        size = len(tiff_directory(entries))
        entries[0x0201] = (4, struct.pack("<I", second_at + size))
        at = 2 + 12 * len(base)
        block = block[:at] + struct.pack("<I", second_at) + block[at + 4 :]
        block += tiff_directory(entries, start=second_at) + thumbnail
    return b"II*\0\x08\0\0\0" + block


def segment(marker: int, body: bytes) -> bytes:
    """One segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg_with(*segments: bytes, after: bytes = b"", image: Pillow.Image | None = None) -> bytes:
    data = pillow_file(image or rgb(), "JPEG", quality=90)
    return data[:2] + b"".join(segments) + data[2:] + after


def exif_segment(block: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + block)


def photoshop(*resources: tuple[int, bytes]) -> bytes:
    """Photoshop's image resources."""
    parts = [b"Photoshop 3.0\0"]
    for number, content in resources:
        parts += [b"8BIM", struct.pack(">H", number), b"\0\0", struct.pack(">I", len(content))]
        parts += [content, b"\0" * (len(content) % 2)]
    return b"".join(parts)


def xmp_packet(body: str) -> bytes:
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="">{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    ).encode()


def xmp_thumbnail() -> bytes:
    picture = base64.b64encode(THUMBNAIL).decode()
    return xmp_packet(
        '<xmp:Thumbnails xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:xmpGImg="http://ns.adobe.com/xap/1.0/g/img/">'
        '<rdf:Alt><rdf:li rdf:parseType="Resource"><xmpGImg:format>JPEG</xmpGImg:format>'
        f"<xmpGImg:image>{picture}</xmpGImg:image></rdf:li></rdf:Alt></xmp:Thumbnails>"
    )


_RESOURCE_HEADER = struct.pack(">6I2H", 1, 16, 16, 48, 768, len(THUMBNAIL), 24, 1)
_IPTC_PREVIEW = (
    b"\x1c\x02\x78\0\x05words" + b"\x1c\x02\xca" + struct.pack(">H", len(THUMBNAIL)) + THUMBNAIL
)


def _png_chunks(*extra: tuple[bytes, bytes], after: bytes = b"") -> bytes:
    data = pillow_file(rgb(), "PNG")
    return data[:33] + png(list(extra))[8:] + data[33:] + after


def _riff(*chunks: tuple[bytes, bytes], after: bytes = b"", flags: int = 0) -> bytes:
    """A lossless WebP in its extended form, with further chunks."""
    plain = pillow_file(rgb(), "WEBP", lossless=True)[12:]
    width, height = rgb().size
    head = bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little")
    body = b"VP8X" + struct.pack("<I", 10) + head + (height - 1).to_bytes(3, "little") + plain
    for name, content in chunks:
        body += name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body + after


def _raw_profile(kind: str, content: bytes) -> bytes:
    lines = content.hex()
    wrapped = "\n".join(lines[i : i + 72] for i in range(0, len(lines), 72))
    return f"\n{kind}\n{len(content):8}\n{wrapped}\n".encode()


def _mpo() -> bytes:
    first, second = rgb(), Pillow.open(io.BytesIO(THUMBNAIL))
    return pillow_file(first, "MPO", save_all=True, append_images=[second])


def _tiff_tag(tag: int, kind: int, content: bytes) -> bytes:
    return plain_tiff(extratags=[(tag, kind, len(content), content, True)])


def _tiff_subpicture() -> bytes:
    import tifffile

    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(np.array(rgb()), photometric="rgb", subifds=1, metadata=None)
        raw = np.frombuffer((THUMBNAIL * 3)[:1536], np.uint8).reshape(16, 32, 3)
        writer.write(raw, photometric="rgb", metadata=None)
    return buffer.getvalue()


def _gif(extension: bytes) -> bytes:
    data = pillow_file(rgb().quantize(64), "GIF")
    colours = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    blocks = b"".join(
        bytes([len(THUMBNAIL[i : i + 255])]) + THUMBNAIL[i : i + 255]
        for i in range(0, len(THUMBNAIL), 255)
    )
    return data[:colours] + extension + blocks + b"\0" + data[colours:]


def icc_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _icc_with_thumbnail() -> bytes:
    return icc_profile() + THUMBNAIL


def _heif(**options: object) -> bytes:
    return pillow_file(rgb(), "HEIF", **options) if heif_is_there() else b""


EXIF = exif_block(thumbnail=THUMBNAIL)
NOTE = exif_block(maker_note=b"MAKER\0" + THUMBNAIL)

# What is planted where: the file's suffix, and what makes it.
PLACES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "EXIF's second directory": (".jpg", lambda: jpeg_with(exif_segment(EXIF))),
    "EXIF's maker note": (".jpg", lambda: jpeg_with(exif_segment(NOTE))),
    "two EXIF segments": (
        ".jpg",
        lambda: jpeg_with(exif_segment(exif_block()), exif_segment(EXIF)),
    ),
    "XMP thumbnail": (
        ".jpg",
        lambda: jpeg_with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp_thumbnail())),
    ),
    "extended XMP": (
        ".jpg",
        lambda: jpeg_with(
            segment(
                0xE1,
                b"http://ns.adobe.com/xmp/extension/\0"
                + b"0" * 32
                + struct.pack(">II", len(xmp_thumbnail()), 0)
                + xmp_thumbnail(),
            )
        ),
    ),
    "Photoshop 0x040C": (
        ".jpg",
        lambda: jpeg_with(segment(0xED, photoshop((0x040C, _RESOURCE_HEADER + THUMBNAIL)))),
    ),
    "Photoshop 0x0409": (
        ".jpg",
        lambda: jpeg_with(segment(0xED, photoshop((0x0409, _RESOURCE_HEADER + THUMBNAIL)))),
    ),
    "IPTC preview": (
        ".jpg",
        lambda: jpeg_with(segment(0xED, photoshop((0x0404, _IPTC_PREVIEW)))),
    ),
    "JFIF's own thumbnail": (
        ".jpg",
        lambda: jpeg_with(segment(0xE0, b"JFIF\0\1\2\0\0\1\0\1\x10\x10" + THUMBNAIL[:768])),
    ),
    "JFXX": (".jpg", lambda: jpeg_with(segment(0xE0, b"JFXX\0\x10" + THUMBNAIL))),
    "FlashPix": (".jpg", lambda: jpeg_with(segment(0xE2, b"FPXR\0\0\2" + THUMBNAIL))),
    "a private segment": (".jpg", lambda: jpeg_with(segment(0xE9, b"PRIVATE\0" + THUMBNAIL))),
    "a comment": (".jpg", lambda: jpeg_with(segment(0xFE, THUMBNAIL))),
    "a comment in base64": (
        ".jpg",
        lambda: jpeg_with(segment(0xFE, base64.b64encode(THUMBNAIL))),
    ),
    "after the end": (".jpg", lambda: jpeg_with(after=THUMBNAIL)),
    "the second picture of an MPO": (".mpo", _mpo),
    "behind the colour profile": (
        ".jpg",
        lambda: jpeg_with(segment(0xE2, b"ICC_PROFILE\0\1\1" + _icc_with_thumbnail())),
    ),
    "in place of a colour profile": (
        ".jpg",
        lambda: jpeg_with(segment(0xE2, b"ICC_PROFILE\0\1\1" + THUMBNAIL)),
    ),
    "PNG eXIf": (".png", lambda: _png_chunks((b"eXIf", EXIF))),
    "PNG raw profile exif": (
        ".png",
        lambda: _png_chunks(
            (b"tEXt", b"Raw profile type exif\0" + _raw_profile("exif", b"Exif\0\0" + EXIF))
        ),
    ),
    "PNG raw profile APP1": (
        ".png",
        lambda: _png_chunks(
            (
                b"zTXt",
                b"Raw profile type APP1\0\0" + zlib.compress(_raw_profile("APP1", xmp_thumbnail())),
            )
        ),
    ),
    "PNG XMP": (
        ".png",
        lambda: _png_chunks((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp_thumbnail())),
    ),
    "PNG text in base64": (
        ".png",
        lambda: _png_chunks((b"tEXt", b"Preview\0" + base64.b64encode(THUMBNAIL))),
    ),
    "PNG text, a PNG in base64": (
        ".png",
        lambda: _png_chunks((b"tEXt", b"Preview\0" + base64.b64encode(PNG_THUMBNAIL))),
    ),
    "PNG text in hex": (
        ".png",
        lambda: _png_chunks((b"tEXt", b"Preview\0" + THUMBNAIL.hex().encode())),
    ),
    "PNG text in bytes": (
        ".png",
        lambda: _png_chunks((b"tEXt", b"Preview\0" + THUMBNAIL.replace(b"\0", b"\1"))),
    ),
    "PNG deflated text": (
        ".png",
        lambda: _png_chunks((b"zTXt", b"Preview\0\0" + zlib.compress(base64.b64encode(THUMBNAIL)))),
    ),
    "a private PNG chunk": (".png", lambda: _png_chunks((b"prVt", PNG_THUMBNAIL))),
    "PNG after the end": (".png", lambda: _png_chunks(after=PNG_THUMBNAIL)),
    "PNG iCCP": (
        ".png",
        lambda: _png_chunks((b"iCCP", b"x\0\0" + zlib.compress(_icc_with_thumbnail()))),
    ),
    "WebP EXIF": (".webp", lambda: _riff((b"EXIF", EXIF), flags=8)),
    "WebP XMP": (".webp", lambda: _riff((b"XMP ", xmp_thumbnail()), flags=4)),
    "an unknown WebP chunk": (".webp", lambda: _riff((b"THMB", THUMBNAIL))),
    "WebP after the end": (".webp", lambda: _riff(after=THUMBNAIL)),
    "TIFF XMP": (".tif", lambda: _tiff_tag(700, 1, xmp_thumbnail())),
    "TIFF Photoshop": (
        ".tif",
        lambda: _tiff_tag(34377, 1, photoshop((0x040C, _RESOURCE_HEADER + THUMBNAIL))[14:]),
    ),
    "a private TIFF tag": (".tif", lambda: _tiff_tag(50000, 7, THUMBNAIL)),
    "a TIFF description": (".tif", lambda: _tiff_tag(315, 2, base64.b64encode(THUMBNAIL) + b"\0")),
    "a TIFF subpicture": (".tif", _tiff_subpicture),
    "TIFF after the end": (".tif", lambda: plain_tiff() + THUMBNAIL),
    "a GIF comment": (".gif", lambda: _gif(b"\x21\xfe")),
    "a GIF application block": (".gif", lambda: _gif(b"\x21\xff\x0bXMP DataXMP")),
    "GIF after the end": (".gif", lambda: pillow_file(rgb().quantize(64), "GIF") + THUMBNAIL),
    "BMP after the end": (".bmp", lambda: pillow_file(rgb(), "BMP") + THUMBNAIL),
    "AVIF EXIF": (".avif", lambda: pillow_file(rgb(), "AVIF", exif=EXIF)),
    "AVIF XMP": (".avif", lambda: pillow_file(rgb(), "AVIF", xmp=xmp_thumbnail())),
    "HEIC EXIF": (".heic", lambda: _heif(exif=b"Exif\0\0" + EXIF)),
    "HEIC XMP": (".heic", lambda: _heif(xmp=xmp_thumbnail())),
}
