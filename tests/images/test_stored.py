"""Turned pictures for those whose labels tell of stored pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.pictures import smooth

from dartblur.images import encode_picture, read_picture
from dartblur.images.orientation import as_stored, boxes_upright, upright

ORIENTATION = 0x0112


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_turn_with_the_pixels(orientation: int) -> None:
    stored = np.zeros((30, 50), np.uint8)
    stored[3:9, 10:24] = 1
    turned = upright(stored, orientation)
    [[x1, y1, x2, y2]] = boxes_upright(
        np.array([[10, 3, 24, 9]], np.float32), orientation, *turned.shape
    ).astype(int)
    assert turned[y1:y2, x1:x2].all()
    assert turned.sum() == (x2 - x1) * (y2 - y1)
    np.testing.assert_array_equal(as_stored(turned, orientation), stored)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_file_turned_back_lies_as_its_source_and_says_only_how_to_turn(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    exif = Pillow.Exif()
    exif[ORIENTATION], exif[0x010E] = orientation, "a description"
    source = tmp_path / f"a{suffix}"
    Pillow.fromarray(smooth(32, 48)).save(source, exif=exif)
    again = tmp_path / f"b{suffix}"
    again.write_bytes(encode_picture(read_picture(source), again, turned_back=True))
    with Pillow.open(source) as clear, Pillow.open(again) as copy:
        assert copy.size == clear.size
        assert dict(copy.getexif()) == ({} if orientation == 1 else {ORIENTATION: orientation})
        difference = np.asarray(copy.convert("RGB"), int) - np.asarray(clear.convert("RGB"), int)
        assert np.abs(difference).mean() < 3
