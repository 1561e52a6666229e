"""JPEG comes out at its own quality and subsampling."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import JpegImagePlugin
from tests.images.files import pillow_file
from tests.pictures import smooth, textured

from dartblur.images import encode_picture, read_picture

SAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}


def there_and_back(path: Path, data: bytes) -> bytes:
    path.write_bytes(data)
    return encode_picture(read_picture(path), path)


def exif_turn(orientation: int) -> Pillow.Exif:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("quality", [35, 75, 98])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_tables_and_subsampling_stay(tmp_path: Path, quality: int, sampling: str) -> None:
    image = Pillow.fromarray(textured(40, 56))
    data = pillow_file(image, "JPEG", quality=quality, subsampling=sampling)
    out = there_and_back(tmp_path / "a.jpg", data)
    with Pillow.open(io.BytesIO(data)) as before, Pillow.open(io.BytesIO(out)) as after:
        assert after.quantization == before.quantization  # type: ignore[attr-defined]
        assert JpegImagePlugin.get_sampling(after) == SAMPLINGS[sampling]
    assert 0.7 < len(out) / len(data) < 1.3


def test_tables_of_ones_own_stay(tmp_path: Path) -> None:
    tables = [list(range(1, 65)), list(range(64, 0, -1))]
    data = pillow_file(Pillow.fromarray(textured(40, 56)), "JPEG", qtables=tables)
    out = there_and_back(tmp_path / "a.jpg", data)
    with Pillow.open(io.BytesIO(data)) as before, Pillow.open(io.BytesIO(out)) as after:
        assert after.quantization == before.quantization  # type: ignore[attr-defined]


@pytest.mark.parametrize("progressive", [False, True])
def test_progressive_stays(tmp_path: Path, progressive: bool) -> None:
    data = pillow_file(Pillow.fromarray(textured(40, 56)), "JPEG", progressive=progressive)
    with Pillow.open(io.BytesIO(there_and_back(tmp_path / "a.jpg", data))) as after:
        assert bool(after.info.get("progressive")) == progressive


@pytest.mark.parametrize(("sampling", "turned"), [("4:4:4", 0), ("4:2:2", 0), ("4:2:0", 2)])
def test_a_turned_picture_keeps_the_colour_it_has(
    tmp_path: Path, sampling: str, turned: int
) -> None:
    image = Pillow.fromarray(smooth(40, 56))
    data = pillow_file(image, "JPEG", quality=95, subsampling=sampling, exif=exif_turn(6))
    out = there_and_back(tmp_path / "a.jpg", data)
    with Pillow.open(io.BytesIO(out)) as after:
        assert after.size == (40, 56)
        assert JpegImagePlugin.get_sampling(after) == turned
        expected = np.rot90(smooth(40, 56), -1)
        assert np.abs(np.array(after).astype(int) - expected).mean() < 2


def test_outside_the_boxes_a_second_encoding_is_all_that_happens(tmp_path: Path) -> None:
    """At the same tables the blocks outside the faces land on nearly the same numbers."""
    image = Pillow.fromarray(smooth(80, 96))
    data = pillow_file(image, "JPEG", quality=90)
    out = there_and_back(tmp_path / "a.jpg", data)
    with Pillow.open(io.BytesIO(data)) as before, Pillow.open(io.BytesIO(out)) as after:
        difference = np.abs(np.array(before).astype(int) - np.array(after))
    assert difference.max() <= 4
    assert difference.mean() < 0.5
