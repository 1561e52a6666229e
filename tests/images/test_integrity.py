"""Damage that decoders pass over in silence is named, or on request written with a warning."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.images.files import KINDS, WIDTH, deep_png, pillow_file, png, rgb
from tests.images.test_views import tiff_file
from tests.pictures import smooth

from dartblur.errors import PictureError
from dartblur.images import Picture, read_picture

END = b"\xff\xd9"
PHOTO = Pillow.fromarray(smooth(96, 120))
SORTS: dict[str, dict[str, object]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "full colour": {"subsampling": 0},
    "restarts": {"restart_marker_blocks": 4},
}


def read(folder: Path, data: bytes, suffix: str, *, tolerant: bool = False) -> Picture:
    path = folder / f"a{suffix}"
    path.write_bytes(data)
    return read_picture(path, tolerant=tolerant)


def refused(folder: Path, data: bytes, suffix: str) -> str:
    with pytest.raises(PictureError, match=r"a\.\w+: .*broken, ?|cut off") as caught:
        read(folder, data, suffix)
    return str(caught.value)


def jpeg(sort: str, image: Pillow.Image = PHOTO) -> bytes:
    return pillow_file(image, "JPEG", quality=85, **SORTS[sort])


def of_mode(mode: str) -> bytes:
    return pillow_file(PHOTO.convert(mode), "JPEG", quality=85)


@pytest.mark.parametrize("sort", SORTS)
def test_a_jpeg_that_was_cut_and_given_an_end(tmp_path: Path, sort: str) -> None:
    data = jpeg(sort)
    first = data.index(b"\xff\xda") + 20
    for at in np.linspace(first, len(data) - 8, 15).astype(int):
        cut = data[:at] + END
        refused(tmp_path, cut, ".jpg")
        picture = read(tmp_path, cut, ".jpg", tolerant=True)
        assert picture.size == (96, 120)
        assert picture.warnings


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_four_inks_are_looked_at_too(tmp_path: Path, mode: str) -> None:
    data = of_mode(mode)
    assert read(tmp_path, data, ".jpg").warnings == ()
    refused(tmp_path, data[: len(data) * 2 // 3] + END, ".jpg")


@pytest.mark.parametrize("sort", SORTS)
def test_a_jpeg_that_was_cut(tmp_path: Path, sort: str) -> None:
    data = jpeg(sort)
    cut = data[: len(data) * 2 // 3]
    refused(tmp_path, cut, ".jpg")
    picture = read(tmp_path, cut, ".jpg", tolerant=True)
    assert picture.warnings
    # What was there is there.
    assert np.abs(picture.rgb[:16].astype(int) - np.array(PHOTO)[:16]).mean() < 10


def test_a_progressive_jpeg_without_its_last_scans(tmp_path: Path) -> None:
    data = jpeg("progressive")
    scans = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    for at in scans[1:]:
        tables = data.rfind(b"\xff\xc4", 0, at)
        start = tables if tables > scans[0] else at
        assert "missing" in refused(tmp_path, data[:start] + END, ".jpg")


def test_a_damaged_scan(tmp_path: Path) -> None:
    data = bytearray(jpeg("restarts"))
    at = len(data) // 2
    data[at : at + 40] = bytes(40)
    assert "Corrupt JPEG data" in refused(tmp_path, bytes(data), ".jpg")
    assert read(tmp_path, bytes(data), ".jpg", tolerant=True).warnings


@pytest.mark.parametrize("sort", SORTS)
def test_what_follows_the_end_is_no_damage(tmp_path: Path, sort: str) -> None:
    whole = jpeg(sort)
    for data in (whole + b"more", whole + whole[: len(whole) // 2], whole[:-2] + bytes(7) + END):
        assert read(tmp_path, data, ".jpg").warnings == ()


def spoiled(data: bytes, name: bytes, where: int) -> bytes:
    """One bit turned in a chunk: at the end is its checksum."""
    at = data.index(name)
    length = int.from_bytes(data[at - 4 : at], "big")
    place = at + 4 + (length + 3 if where < 0 else where)
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def with_time(data: bytes) -> bytes:
    return data[:33] + png([(b"tIME", b"\7\xea\1\1\0\0\0")])[8:] + data[33:]


PNGS: dict[str, Callable[[], bytes]] = {
    "8 bits": lambda: pillow_file(rgb(), "PNG"),
    "palette": lambda: pillow_file(rgb().quantize(50), "PNG"),
    "16 bits": lambda: deep_png(3),
}


@pytest.mark.parametrize("make", PNGS.values(), ids=PNGS)
@pytest.mark.parametrize("name", [b"IHDR", b"tIME", b"IDAT", b"IEND"])
def test_a_png_with_a_wrong_checksum(
    tmp_path: Path, make: Callable[[], bytes], name: bytes
) -> None:
    whole = with_time(make())
    assert read(tmp_path, whole, ".png").warnings == ()
    wrong = spoiled(whole, name, -1)
    refused(tmp_path, wrong, ".png")
    picture = read(tmp_path, wrong, ".png", tolerant=True)
    assert picture.warnings == (f"the checksum of its chunk {name.decode()!r} is wrong",)
    np.testing.assert_array_equal(picture.samples, read(tmp_path, whole, ".png").samples)


@pytest.mark.parametrize("make", PNGS.values(), ids=PNGS)
def test_a_png_that_was_cut(tmp_path: Path, make: Callable[[], bytes]) -> None:
    whole = make()
    assert read(tmp_path, whole + b"more", ".png").warnings == ()
    assert "its end is missing" in refused(tmp_path, whole[:-12], ".png")
    assert read(tmp_path, whole[:-12], ".png", tolerant=True).warnings
    for at in np.linspace(len(whole) // 2, len(whole) - 14, 10).astype(int):
        refused(tmp_path, whole[:at], ".png")
    picture = read(tmp_path, whole[: len(whole) * 2 // 3], ".png", tolerant=True)
    assert picture.warnings
    clear = read(tmp_path, whole, ".png")
    np.testing.assert_array_equal(picture.samples[:8], clear.samples[:8])


def test_samples_that_end_early_in_a_whole_png(tmp_path: Path) -> None:
    for depth, samples in ((8, 3), (16, 6)):
        rows = zlib.compress((b"\0" + bytes(samples * WIDTH)) * 20)
        header = struct.pack(">IIBBBBB", WIDTH, 48, depth, 2, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
        refused(tmp_path, png(chunks), ".png")


TIFFS = {name: kind for name, kind in KINDS.items() if name.startswith("tiff")}


@pytest.mark.parametrize("name", TIFFS)
def test_a_tiff_that_was_cut(tmp_path: Path, name: str) -> None:
    whole = TIFFS[name].make()
    assert read(tmp_path, whole, ".tif").warnings == ()
    # Padding or the directory may lie last: what is cut is of the samples.
    clear = read(tmp_path, whole, ".tif").samples
    for at in np.linspace(len(whole) // 4, len(whole) - 20, 12).astype(int):
        try:
            samples = read(tmp_path, whole[:at], ".tif").samples
        except PictureError:
            continue
        np.testing.assert_array_equal(samples, clear)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("deep", [False, True])
def test_a_tiffs_strips_hold_what_they_must(
    tmp_path: Path, compression: str | None, tile: tuple[int, int] | None, deep: bool
) -> None:
    samples = np.array(rgb()).astype(np.uint16) * 257 if deep else np.array(rgb())
    rows = {} if tile else {"rowsperstrip": 8}
    whole = tiff_file(samples, photometric="rgb", compression=compression, tile=tile, **rows)
    assert read(tmp_path, whole, ".tif").warnings == ()
    with Pillow.open(io.BytesIO(whole)) as image:
        starts = image.tag_v2[324 if tile else 273]  # type: ignore[attr-defined]
        lengths = image.tag_v2[325 if tile else 279]  # type: ignore[attr-defined]
    # One strip says that it is shorter than it is; another's data is overwritten.
    halved = [length // 2 for length in lengths]
    for kind in (f"<{len(lengths)}H", f"<{len(lengths)}I"):
        wrong = whole.replace(struct.pack(kind, *lengths), struct.pack(kind, *halved))
        if wrong != whole:
            refused(tmp_path, wrong, ".tif")
            break
    else:
        pytest.fail("the lengths are not where they were thought to be")
    if compression:
        middle = starts[1] + lengths[1] // 2
        refused(tmp_path, whole[:middle] + b"\xff" * 8 + whole[middle + 8 :], ".tif")


def test_a_tiff_of_which_some_can_be_read(tmp_path: Path) -> None:
    whole = tiff_file(np.array(PHOTO), photometric="rgb", rowsperstrip=8)
    cut = whole[: len(whole) * 2 // 3]
    assert "strip" in refused(tmp_path, cut, ".tif")
    picture = read(tmp_path, cut, ".tif", tolerant=True)
    assert "strip" in picture.warnings[0]
    np.testing.assert_array_equal(picture.rgb[:48], np.array(PHOTO)[:48])


@pytest.mark.parametrize("name", ["gif", "gif grey", "webp", "webp lossless alpha", "bmp"])
def test_other_kinds_that_were_cut(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    whole = kind.make()
    assert read(tmp_path, whole + b"more", kind.suffix).warnings == ()
    for at in np.linspace(len(whole) // 2, len(whole) - 1, 15).astype(int):
        refused(tmp_path, whole[:at], kind.suffix)


def test_the_message_says_what_to_do(tmp_path: Path) -> None:
    assert "--tolerant" in refused(tmp_path, jpeg("baseline")[:-40] + END, ".jpg")


@pytest.mark.parametrize("name", KINDS)
def test_a_whole_file_has_no_warning(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    if not kind.needs():
        pytest.skip("pillow-heif is not installed")
    strict = read(tmp_path, kind.make(), kind.suffix)
    lenient = read(tmp_path, kind.make(), kind.suffix, tolerant=True)
    assert strict.warnings == lenient.warnings == ()
    np.testing.assert_array_equal(strict.samples, lenient.samples)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("deep", [False, True])
def test_a_tiff_that_lies_on_its_side_is_whole(
    tmp_path: Path, orientation: int, deep: bool
) -> None:
    samples = smooth(40, 96).astype(np.uint16) * 257 if deep else smooth(40, 96)
    turn = [(274, "H", 1, orientation, True)]
    data = tiff_file(samples, photometric="rgb", rowsperstrip=8, extratags=turn)
    picture = read(tmp_path, data, ".tif")
    assert picture.warnings == ()
    assert picture.size == ((96, 40) if orientation > 4 else (40, 96))


def test_strips_that_overlap(tmp_path: Path) -> None:
    whole = tiff_file(np.array(PHOTO), photometric="rgb", rowsperstrip=8)
    with Pillow.open(io.BytesIO(whole)) as image:
        starts = image.tag_v2[273]  # type: ignore[attr-defined]
    moved = [starts[0], starts[1] - 5, *starts[2:]]
    layout = f"<{len(starts)}I"
    wrong = whole.replace(struct.pack(layout, *starts), struct.pack(layout, *moved))
    assert wrong != whole
    assert "overlap" in refused(tmp_path, wrong, ".tif")
