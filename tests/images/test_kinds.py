"""Every kind of picture: in, hidden, out, and read again by somebody else's reader."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.images.files import HEIGHT, KINDS, WIDTH, Kind, samples_of
from tests.pictures import middle

from dartblur.anonymizers import Block
from dartblur.images import PICTURE_SUFFIXES, encode_picture, read_picture

[(X1, Y1, X2, Y2)] = middle(HEIGHT, WIDTH).boxes.astype(int).tolist()


def safe_bytes(path: Path, *, keep_metadata: bool = False) -> bytes:
    picture = read_picture(path)
    faces = middle(*picture.size)
    hidden = picture.hidden(Block((0, 255, 0))(picture.rgb, faces), faces)
    return encode_picture(hidden, path, keep_metadata=keep_metadata)


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    if not request.param.needs():
        pytest.skip("pillow-heif is not installed")
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def path(kind: Kind, tmp_path: Path) -> Path:
    file = tmp_path / f"picture{kind.suffix}"
    file.write_bytes(kind.make())
    return file


def test_it_is_read_for_what_it_is(kind: Kind, path: Path) -> None:
    picture = read_picture(path)
    assert picture.size == (HEIGHT, WIDTH)
    assert picture.rgb.shape == (HEIGHT, WIDTH, 3)
    assert picture.rgb.dtype == np.uint8
    assert picture.samples.dtype == (np.uint16 if kind.deep else np.uint8)
    assert picture.mode in (kind.mode, "P")
    assert kind.suffix in PICTURE_SUFFIXES


@pytest.mark.parametrize("keep_metadata", [False, True])
def test_there_and_back(kind: Kind, path: Path, keep_metadata: bool) -> None:
    clear = samples_of(path.read_bytes()).astype(int)
    data = safe_bytes(path, keep_metadata=keep_metadata)
    with Pillow.open(io.BytesIO(data)) as image, Pillow.open(path) as source:
        assert image.format == source.format
    safe = samples_of(data).astype(int)
    assert safe.shape[:2] == clear.shape[:2]
    if safe.ndim == 3 and safe.shape != clear.shape:
        clear = np.dstack([np.repeat(clear[..., :1], 3, axis=2), clear[..., -1:]])  # grey + alpha
    difference = np.abs(safe - clear)
    face = np.zeros((HEIGHT, WIDTH), bool)
    face[Y1:Y2, X1:X2] = True
    if kind.lossless:
        assert difference[~face].max() == 0
    else:
        assert difference[~face].mean() < 14
    assert difference[face].mean() > 3 * difference[~face].mean()


def test_writing_nothing_new_loses_nothing(kind: Kind, path: Path) -> None:
    """Read, written and read again: what the library itself sees stays."""
    picture = read_picture(path)
    again = path.with_name(f"again{kind.suffix}")
    again.write_bytes(encode_picture(picture, path))
    second = read_picture(again)
    assert second.mode == picture.mode
    if kind.lossless:
        np.testing.assert_array_equal(second.samples, picture.samples)
    else:
        assert np.abs(second.rgb.astype(int) - picture.rgb).mean() < 14


def test_the_face_is_hidden_in_its_own_samples(kind: Kind, path: Path) -> None:
    picture = read_picture(path)
    faces = middle(*picture.size)
    hidden = picture.hidden(Block((0, 255, 0))(picture.rgb, faces), faces)
    face = hidden.samples[Y1:Y2, X1:X2]
    colour = face[..., : -1 if picture.mode in ("LA", "RGBA") else None]
    assert len(np.unique(colour.reshape(-1, colour[0, 0].size), axis=0)) == 1
    if picture.mode in ("LA", "RGBA"):
        # A face may be drawn in alpha alone: in the box nothing of it is left.
        full = np.iinfo(picture.samples.dtype).max
        assert (hidden.samples[Y1:Y2, X1:X2, -1] == full).all()
        outside = np.ones(picture.size, bool)
        outside[Y1:Y2, X1:X2] = False
        np.testing.assert_array_equal(hidden.samples[outside], picture.samples[outside])
    assert hidden.samples is not picture.samples
