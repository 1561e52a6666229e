"""Colour profiles come out with their colours and without what else was put in them."""

import io
import struct
import zlib
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms
from tests.images.files import pillow_file, rgb
from tests.images.planting import THUMBNAIL, icc_profile, traces
from tests.images.profiles import display_p3

from dartblur.images import encode_picture, read_picture
from dartblur.images.icc import rebuilt
from dartblur.images.png import chunks_of

SRGB = ImageCms.createProfile("sRGB")
Tags = dict[bytes, bytes]


def profile_of(
    tags: Tags, space: bytes = b"RGB ", connection: bytes = b"XYZ ", version: int = 0x02400000
) -> bytes:
    """A profile of any tags; its private header fields are filled with words."""
    table, content = struct.pack(">I", len(tags)), b""
    start = 132 + 12 * len(tags)
    for name, value in tags.items():
        table += name + struct.pack(">II", start + len(content), len(value))
        content += value + b"\0" * (-len(value) % 4)
    header = struct.pack(">I4sI", start + len(content), b"lcms", version)
    header += b"mntr" + space + connection + struct.pack(">6H", 2026, 11, 23, 0, 0, 0) + b"acsp"
    header = header.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + content


def tags_of(profile: bytes) -> Tags:
    count = int.from_bytes(profile[128:132], "big")
    rows = [struct.unpack(">4sII", profile[132 + 12 * i : 144 + 12 * i]) for i in range(count)]
    return {name: profile[start : start + size] for name, start, size in rows}


def matrix_tags() -> Tags:
    return tags_of(display_p3())


def gamma(value: float = 2.2) -> bytes:
    return b"curv\0\0\0\0\0\0\0\1" + struct.pack(">H", round(value * 256))


def measured(points: int = 1024) -> bytes:
    curve = (np.linspace(0, 1, points) ** 2.1 * 65535).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", points) + curve.tobytes()


def old_text(words: str) -> bytes:
    encoded = words.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(encoded)) + encoded + bytes(78)


def ink_grid(grid: int) -> np.ndarray:
    """Lab, in 0 to 1, of each step of the four inks."""
    cells = np.array(list(product(np.linspace(0, 1, grid), repeat=4)))
    light = (1 - cells[:, :3].mean(1)) * (1 - cells[:, 3])
    a, b = 0.5 + 0.2 * (cells[:, 1] - cells[:, 0]), 0.5 + 0.2 * (cells[:, 2] - cells[:, 0])
    return np.stack([light, a, b], axis=1)


def table_8(grid: int = 5) -> bytes:
    ramp = bytes(range(256))
    head = b"mft1\0\0\0\0" + bytes([4, 3, grid, 0])
    head += struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).ravel())
    cells = (ink_grid(grid) * 255).astype(np.uint8).tobytes()
    return head + ramp * 4 + cells + ramp * 3


def table_16(grid: int = 5) -> bytes:
    head = b"mft2\0\0\0\0" + bytes([4, 3, grid, 0])
    head += struct.pack(">9i2H", *(65536 * np.eye(3, dtype=int)).ravel(), 2, 2)
    cells = (ink_grid(grid) * 65280).astype(">u2").tobytes()
    return head + b"\0\0\xff\xff" * 4 + cells + b"\0\0\xff\xff" * 3


def staged(grid: int = 5) -> bytes:
    """lutAToB: curves before and behind a grid of 16 bits."""
    straight = b"para\0\0\0\0\0\0\0\0" + struct.pack(">i", 65536)
    cells = (ink_grid(grid) * 65535).astype(">u2").tobytes()
    clut = bytes([grid] * 4).ljust(16, b"\0") + b"\2\0\0\0" + cells
    a_at = 32 + 3 * len(straight)
    grid_at = a_at + 4 * len(straight)
    head = b"mAB \0\0\0\0\4\3\0\0" + struct.pack(">5I", 32, 0, 0, grid_at, a_at)
    return head + straight * 7 + clut


def inks(table: bytes, version: int = 0x02400000) -> bytes:
    tags = {b"desc": old_text("c2"), b"cprt": b"text\0\0\0\0CC0\0", b"A2B0": table}
    tags[b"wtpt"] = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    return profile_of(tags, b"CMYK", b"Lab ", version)


PROFILES = {
    "Display P3": display_p3(),
    "sRGB of a library": icc_profile(),
    "gamma": profile_of(matrix_tags() | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma())),
    "measured": profile_of(matrix_tags() | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), measured())),
    "grey": profile_of(
        {b"kTRC": gamma(), b"wtpt": matrix_tags()[b"wtpt"], b"desc": old_text("c2")}, b"GRAY"
    ),
    "inks, 8 bits": inks(table_8()),
    "inks, 16 bits": inks(table_16()),
    "inks, staged": inks(staged(), 0x04300000),
}
MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}


def shown(profile: bytes) -> np.ndarray:
    mode = MODES[profile[16:20]]
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    out = ImageCms.profileToProfile(rgb().convert(mode), source, SRGB, outputMode="RGB")
    assert out is not None
    return np.array(out)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_colours_are_the_same(profile: bytes) -> None:
    again = rebuilt(profile)
    assert again is not None
    np.testing.assert_array_equal(shown(again), shown(profile))
    assert rebuilt(again) == again


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_private_tags_go(profile: bytes) -> None:
    words = b"Zoe Zeller, 48.1374 N 11.5755 E"
    private = {b"prvT": THUMBNAIL, b"vcgt": words, b"targ": b"text\0\0\0\0" + words}
    private |= {b"meta": b"dict\0\0\0\0" + words, b"pseq": words, b"A2BX": words}
    header = {"space": profile[16:20], "connection": profile[20:24]}
    loaded = profile_of(tags_of(profile) | private, **header, version=int(profile[8:12].hex(), 16))
    loaded = loaded[:100] + b"Zoe Zeller, 48.1374 N, 11.57"[:28] + loaded[128:]
    again = rebuilt(loaded)
    assert again is not None
    assert b"Zoe" not in again
    assert traces(again) == []
    assert not set(tags_of(again)) & set(private)
    np.testing.assert_array_equal(shown(again), shown(profile))


@pytest.mark.parametrize("name", [b"rXYZ", b"rTRC", b"wtpt", b"chad", b"desc", b"cprt", b"lumi"])
def test_nothing_rides_in_a_known_tag(name: bytes) -> None:
    tags = matrix_tags() | {
        b"chad": b"sf32\0\0\0\0" + struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).ravel()),
        b"lumi": b"XYZ \0\0\0\0" + bytes(12),
    }
    for value in (
        tags[name] + THUMBNAIL,
        tags[name][:8] + THUMBNAIL,
        THUMBNAIL,
        b"curv\0\0\0\0" + struct.pack(">I", 300) + (THUMBNAIL * 2)[:600],
        tags[name][:4] + b"Zoe!" + tags[name][8:] + b"Zoe",
    ):
        again = rebuilt(profile_of(tags | {name: value}))
        assert again is None or (traces(again) == [] and b"Zoe" not in again)


@pytest.mark.parametrize("text", [b"desc", b"cprt", b"dmnd"])
def test_words_that_nobody_knows_go(text: bytes) -> None:
    known, unknown = "Display P3", "Screen of Zoe Zeller, Munich"
    spelled = unknown.encode("utf-16-be")
    mluc = b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(spelled), 28) + spelled
    for value in (old_text(unknown), mluc, b"text\0\0\0\0" + unknown.encode() + b"\0"):
        again = rebuilt(profile_of(matrix_tags() | {text: value}))
        assert again is not None
        assert b"Zoe" not in again
        assert spelled[:20] not in again
    again = rebuilt(profile_of(matrix_tags() | {text: old_text(known) + b"Zoe"}))
    assert again is not None
    assert known.encode() in again
    assert b"Zoe" not in again


def test_a_description_says_nothing_in_its_other_spellings() -> None:
    value = bytearray(old_text("sRGB"))
    value[-67:-40] = b"Zoe Zeller of Munich, at 48"
    again = rebuilt(profile_of(matrix_tags() | {b"desc": bytes(value)}))
    assert again is not None
    assert b"Zoe" not in again


BROKEN = {
    "empty": b"",
    "words": b"not a profile",
    "cut": display_p3()[:-40],
    "no tags": profile_of({}),
    "no curve": profile_of({k: v for k, v in matrix_tags().items() if k != b"gTRC"}),
    "a curve to and fro": profile_of(
        matrix_tags() | {b"rTRC": b"curv\0\0\0\0\0\0\0\4" + b"\0\1\0\2\0\1\0\2"}
    ),
    "a short curve": profile_of(matrix_tags() | {b"rTRC": measured()[:100]}),
    "a short table": inks(table_8()[:-100]),
    "a device link": display_p3()[:12] + b"link" + display_p3()[16:],
    "a tag outside": display_p3()[:136] + b"\0\xff\xff\xff" + display_p3()[140:],
}


@pytest.mark.parametrize("profile", BROKEN.values(), ids=BROKEN)
def test_a_malformed_profile_goes(profile: bytes) -> None:
    assert rebuilt(profile) is None


def test_a_true_digest_is_kept_true() -> None:
    import hashlib

    profile = display_p3()
    profile = profile[:84] + b"0123456789abcdef" + profile[100:]
    again = rebuilt(profile)
    assert again is not None
    hashed = again[:44] + bytes(4) + again[48:64] + bytes(4) + again[68:84] + bytes(16)
    assert again[84:100] == hashlib.md5(hashed + again[100:]).digest()


@pytest.mark.parametrize(
    ("kind", "suffix"), [("JPEG", ".jpg"), ("PNG", ".png"), ("TIFF", ".tif"), ("WEBP", ".webp")]
)
def test_in_a_file(tmp_path: Path, kind: str, suffix: str) -> None:
    loaded = profile_of(tags_of(display_p3()) | {b"prvT": THUMBNAIL}, version=0x04000000)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(pillow_file(rgb(), kind, icc_profile=loaded))
    out = encode_picture(read_picture(path), path)
    inflated = [c.content for c in chunks_of(out) if c.name == b"iCCP"]
    plain = out + b"".join(zlib.decompress(content[13:]) for content in inflated)
    assert traces(plain) == []
    with Pillow.open(io.BytesIO(out)) as image:
        np.testing.assert_array_equal(shown(image.info["icc_profile"]), shown(loaded))


@pytest.mark.parametrize(
    ("kind", "where"),
    [("mft1", "nodes"), ("mft1", "curves"), ("mft2", "nodes"), ("mAB", "nodes")],
)
def test_a_table_takes_no_bytes_along_that_mean_no_colours(kind: str, where: str) -> None:
    """A JPEG without its start, in the nodes of the grid or in the curves before it."""
    picture = (jpeg_bytes() * 40)[20:]
    made = {"mft1": table_8, "mft2": table_16, "mAB": staged}[kind]()
    size = {"mft1": 48 + 256 * 4, "mft2": 52 + 2 * 2 * 4, "mAB": len(made) - 2 * 3 * 5**4}[kind]
    assert rebuilt(inks(made)) is not None
    if where == "curves":
        size = 48
    forged = made[:size] + picture[: 5**4 * 3 if where == "nodes" else 256]
    forged += made[len(forged) :]
    assert rebuilt(inks(forged)) is None


def jpeg_bytes() -> bytes:
    """The pixels of a noisy little photo, as a JPEG."""
    file = io.BytesIO()
    noise = np.random.default_rng(5).integers(0, 256, (48, 48, 3), np.uint8)
    Pillow.fromarray(noise).save(file, "JPEG", quality=90)
    return file.getvalue()[700:]
