"""A thumbnail that still shows the face never comes out, wherever it hides and whatever is kept."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.images.files import HEIGHT, WIDTH, pillow_file, rgb
from tests.images.planting import PLACES, THUMBNAIL, traces

from dartblur.images import encode_picture, read_picture


@pytest.fixture(params=PLACES.values(), ids=PLACES)
def planted(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    suffix, make = request.param
    path = tmp_path / f"picture{suffix}"
    path.write_bytes(make())
    if not path.stat().st_size:
        pytest.skip("pillow-heif is not installed")
    return path


def test_it_is_really_planted(planted: Path) -> None:
    data = planted.read_bytes()
    assert traces(data) or THUMBNAIL.replace(b"\0", b"\1")[-60:] in data or b"iCCP" in data
    with Pillow.open(planted) as image:
        assert image.size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("keep_metadata", [False, True])
def test_it_does_not_come_out(planted: Path, keep_metadata: bool) -> None:
    data = encode_picture(read_picture(planted), planted, keep_metadata=keep_metadata)
    assert traces(data) == []


def test_the_traces_are_found_where_there_are_some() -> None:
    plain = pillow_file(rgb(), "PNG")
    assert traces(plain) == []
    assert traces(plain + THUMBNAIL) == ["JPEG"]
    assert traces(plain + THUMBNAIL.hex().encode()) == ["JPEG hex"]


def test_pictures_without_thumbnails_keep_their_words(tmp_path: Path) -> None:
    """What is no picture is not mistaken for one."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Author", "Zoë — /9a base")
    path = tmp_path / "a.png"
    path.write_bytes(pillow_file(rgb(), "PNG", pnginfo=info))
    data = encode_picture(read_picture(path), path, keep_metadata=True)
    path.write_bytes(data)
    with Pillow.open(path) as image:
        assert image.text["Author"] == "Zoë — /9a base"  # type: ignore[attr-defined]
    assert np.array_equal(read_picture(path).rgb, np.array(rgb()))
