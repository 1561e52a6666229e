"""What stays of a picture's metadata: colour always, the rest on request, a thumbnail never."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, ImageCms
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo
from tests.images.files import deep_png, deep_tiff, heif_is_there, pillow_file, png, rgb
from tests.images.planting import (
    THUMBNAIL,
    exif_block,
    exif_segment,
    jpeg_with,
    photoshop,
    segment,
    traces,
    xmp_packet,
)
from tests.images.profiles import display_p3
from tests.pictures import smooth

from dartblur.images import encode_picture, read_picture

GPS, CAMERA = ExifTags.IFD.GPSInfo, 0x0110


def written(path: Path, data: bytes, *, keep_metadata: bool) -> Pillow.Image:
    path.write_bytes(data)
    out = encode_picture(read_picture(path), path, keep_metadata=keep_metadata)
    image = Pillow.open(io.BytesIO(out))
    image.load()
    return image


def telephone_photo() -> bytes:
    """Lying on its side: orientation 6, GPS, a thumbnail and a Display P3 profile."""
    lying = Pillow.fromarray(np.ascontiguousarray(np.rot90(smooth(64, 48), 1)))
    exif = exif_block(thumbnail=THUMBNAIL, orientation=6)
    icc = segment(0xE2, b"ICC_PROFILE\0\1\1" + display_p3())
    return jpeg_with(exif_segment(exif), icc, image=lying)


def colours(image: Pillow.Image) -> np.ndarray:
    """As a screen shows them: through the profile that the file carries."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    shown = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"))
    assert shown is not None
    return np.array(shown).astype(int)


@pytest.mark.parametrize("keep_metadata", [False, True])
def test_a_telephones_photo_comes_out_upright_in_its_colours(
    tmp_path: Path, keep_metadata: bool
) -> None:
    data = telephone_photo()
    source = Pillow.open(io.BytesIO(data))
    assert traces(data) == ["JPEG"]
    image = written(tmp_path / "a.jpg", data, keep_metadata=keep_metadata)
    assert image.size == (48, 64)
    assert image.info["icc_profile"] == display_p3()
    expected = np.rot90(colours(source), -1)
    assert np.abs(colours(image) - expected).mean() < 1.5
    # Through another profile these would be other colours: the test can tell.
    plain = np.array(image).astype(int)
    assert np.abs(plain - expected).mean() > 3
    exif = image.getexif()
    assert exif.get(0x0112, 1) == 1
    assert traces((tmp_path / "a.jpg").read_bytes()) == ["JPEG"]  # the input is as it was
    if keep_metadata:
        assert exif[CAMERA] == "Model 7"
        assert exif.get_ifd(GPS)[2] == (48.0, 12.0, 30.0)
        assert 0x0201 not in exif.get_ifd(ExifTags.IFD.IFD1)
    else:
        assert not dict(exif)
        assert not exif.get_ifd(GPS)


def _with(kind: str, **options: object) -> bytes:
    return pillow_file(rgb(), kind, **options)


EXIF = exif_block()
WITH_EXIF = {
    "JPEG": (".jpg", lambda: jpeg_with(exif_segment(EXIF))),
    "PNG": (".png", lambda: _with("PNG", exif=b"Exif\0\0" + EXIF)),
    "WebP": (".webp", lambda: _with("WEBP", exif=b"Exif\0\0" + EXIF)),
    "TIFF": (".tif", lambda: _with("TIFF", exif=b"Exif\0\0" + EXIF)),
    "AVIF": (".avif", lambda: _with("AVIF", exif=EXIF)),
    "HEIC": (".heic", lambda: _with("HEIF", exif=b"Exif\0\0" + EXIF) if heif_is_there() else b""),
    "16-bit PNG": (".png", lambda: _deep_png_with_exif()),
}


def _deep_png_with_exif() -> bytes:
    data = deep_png(3)
    return data[:33] + png([(b"eXIf", EXIF)])[8:] + data[33:]


@pytest.mark.parametrize("keep_metadata", [False, True])
@pytest.mark.parametrize(("suffix", "make"), WITH_EXIF.values(), ids=WITH_EXIF)
def test_camera_and_place_stay_only_on_request(
    tmp_path: Path, suffix: str, make: object, keep_metadata: bool
) -> None:
    data = make()  # type: ignore[operator]
    if not data:
        pytest.skip("pillow-heif is not installed")
    with Pillow.open(io.BytesIO(data)) as source:
        source.load()
        assert source.getexif().get_ifd(GPS)[2] == (48.0, 12.0, 30.0)
    image = written(tmp_path / f"a{suffix}", data, keep_metadata=keep_metadata)
    exif = image.getexif()
    if keep_metadata:
        assert exif[CAMERA] == "Model 7"
        assert exif.get_ifd(GPS)[2] == (48.0, 12.0, 30.0)
        assert exif.get_ifd(ExifTags.IFD.Exif)[0x9003].startswith("2026:11:23")
    else:
        assert CAMERA not in exif
        assert not exif.get_ifd(GPS)


def _iccp_png() -> bytes:
    import zlib

    data = deep_png(4)
    chunk = png([(b"iCCP", b"x\0\0" + zlib.compress(display_p3()))])[8:]
    return data[:33] + chunk + data[33:]


WITH_PROFILE = {
    "JPEG": (".jpg", lambda: _with("JPEG", icc_profile=display_p3())),
    "CMYK JPEG": (
        ".jpg",
        lambda: pillow_file(rgb().convert("CMYK"), "JPEG", icc_profile=display_p3()),
    ),
    "PNG": (".png", lambda: _with("PNG", icc_profile=display_p3())),
    "WebP": (".webp", lambda: _with("WEBP", icc_profile=display_p3())),
    "TIFF": (".tif", lambda: _with("TIFF", icc_profile=display_p3())),
    "AVIF": (".avif", lambda: _with("AVIF", icc_profile=display_p3())),
    "HEIC": (
        ".heic",
        lambda: _with("HEIF", icc_profile=display_p3()) if heif_is_there() else b"",
    ),
    "16-bit PNG": (".png", _iccp_png),
    "16-bit TIFF": (".tif", lambda: deep_tiff(3, iccprofile=display_p3())),
}


@pytest.mark.parametrize(("suffix", "make"), WITH_PROFILE.values(), ids=WITH_PROFILE)
def test_the_colour_profile_stays_byte_for_byte(tmp_path: Path, suffix: str, make: object) -> None:
    data = make()  # type: ignore[operator]
    if not data:
        pytest.skip("pillow-heif is not installed")
    image = written(tmp_path / f"a{suffix}", data, keep_metadata=False)
    assert image.info["icc_profile"] == display_p3()


def test_what_is_no_colour_profile_goes(tmp_path: Path) -> None:
    image = written(
        tmp_path / "a.jpg", _with("JPEG", icc_profile=b"not a profile"), keep_metadata=False
    )
    assert "icc_profile" not in image.info


def test_a_pngs_gamma_and_primaries_stay(tmp_path: Path) -> None:
    data = _with("PNG")
    extra = png([(b"gAMA", (50000).to_bytes(4, "big")), (b"sRGB", b"\0")])[8:]
    path = tmp_path / "a.png"
    path.write_bytes(data[:33] + extra + data[33:])
    out = encode_picture(read_picture(path), path)
    assert b"gAMA" + (50000).to_bytes(4, "big") in out
    assert b"sRGB\0" in out


def test_resolution_stays(tmp_path: Path) -> None:
    for kind, suffix in (("JPEG", "jpg"), ("PNG", "png"), ("TIFF", "tif"), ("BMP", "bmp")):
        image = written(tmp_path / f"a.{suffix}", _with(kind, dpi=(300, 300)), keep_metadata=False)
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.5)


@pytest.mark.parametrize("keep_metadata", [False, True])
def test_words_stay_only_on_request(tmp_path: Path, keep_metadata: bool) -> None:
    """XMP, IPTC and a comment of a JPEG, and a PNG's texts."""
    xmp = xmp_packet('<dc:creator xmlns:dc="http://purl.org/dc/elements/1.1/">Zoe</dc:creator>')
    iptc = b"\x1c\x02\x78\0\x0bold caption"
    data = jpeg_with(
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp),
        segment(0xED, photoshop((0x0404, iptc), (0x0421, b"other"))),
        segment(0xFE, b"a remark"),
    )
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    out = encode_picture(read_picture(path), path, keep_metadata=keep_metadata)
    info = PngInfo()
    info.add_text("Title", "in the garden")
    other = tmp_path / "a.png"
    other.write_bytes(_with("PNG", pnginfo=info))
    out += encode_picture(read_picture(other), other, keep_metadata=keep_metadata)
    for words in (b"Zoe", b"old caption", b"a remark", b"in the garden"):
        assert (words in out) == keep_metadata
    assert b"other" not in out


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40,
        exif_block()[:60],
        exif_block()[:100] + b"\0" * 100,
        b"II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x08\0\0\0\0\0\0\0",  # points to itself
        bytes(range(256)) * 20,
    ],
    ids=["empty", "header", "far", "garbage", "cut", "zeros", "circle", "noise"],
)
@pytest.mark.parametrize("keep_metadata", [False, True])
def test_broken_exif_never_fails_a_picture(
    tmp_path: Path, block: bytes, keep_metadata: bool
) -> None:
    image = written(tmp_path / "a.jpg", jpeg_with(exif_segment(block)), keep_metadata=keep_metadata)
    assert image.size == rgb().size
