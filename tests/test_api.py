"""Python's door: what goes in is the kind that comes out, and no face in it."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.pictures import Array, MiddleDetector, assert_is_hidden, middle, textured
from tests.video.films import make_film, scene

import dartblur
from dartblur import api
from dartblur.anonymizers import Block
from dartblur.anonymizers.blending import Blended
from dartblur.errors import PictureError, UsageError
from dartblur.pipeline import Pipeline

FACE = np.s_[16:32, 20:40]
CLEAR = textured(48, 60)


@pytest.fixture(autouse=True)
def _plain_block(monkeypatch: pytest.MonkeyPatch, stub_detector: None) -> None:
    """A block without a soft border: what it covers can be told pixel by pixel."""
    plain = Pipeline(MiddleDetector(), Block(), 0)
    monkeypatch.setattr(api, "_pipeline", lambda _method, _detector: plain)


def _hidden(image: object, **options: object) -> object:
    return dartblur.anonymize(image, "block", boxes=middle(48, 60), **options)  # type: ignore[call-overload]


def _assert_only_the_face_is_black(clear: Array, safe: Array) -> None:
    expected = clear.copy()
    expected[FACE] = 0
    np.testing.assert_array_equal(safe, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_arrays_come_back_in_their_own_shape_and_depth(channels: int | None, dtype: type) -> None:
    clear = CLEAR[..., 0] if channels is None else CLEAR[..., :channels]
    clear = clear.astype(dtype) * (257 if dtype is np.uint16 else 1)
    before = clear.copy()
    safe = _hidden(clear)
    assert isinstance(safe, np.ndarray)
    assert (safe.shape, safe.dtype) == (clear.shape, clear.dtype)
    _assert_only_the_face_is_black(clear, safe)
    np.testing.assert_array_equal(clear, before)


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_opaque_where_a_face_is_hidden(channels: int) -> None:
    clear = np.dstack([CLEAR[..., : channels - 1], CLEAR[..., 1]])
    safe = _hidden(clear)
    assert isinstance(safe, np.ndarray)
    assert (safe[FACE][..., :-1] == 0).all()
    assert (safe[FACE][..., -1] == 255).all()
    outside = np.ones((48, 60), bool)
    outside[FACE] = False
    np.testing.assert_array_equal(safe[outside], clear[outside])


def test_a_face_drawn_in_alpha_is_found() -> None:
    class Bright:
        """Finds a face where the middle is not what surrounds it."""

        def __call__(self, images: list[Array]) -> list[dartblur.Faces]:
            return [
                middle(48, 60) if image[FACE].mean() != image.mean() else dartblur.Faces.empty()
                for image in images
            ]

    clear = np.full((48, 60, 4), 255, np.uint8)
    clear[FACE][..., 3] = 0
    assert len(Pipeline(Bright(), Block(), 0).faces(clear)) == 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_pillow_pictures_come_back_in_their_mode(mode: str) -> None:
    if mode == "I;16":
        clear = Pillow.fromarray(CLEAR[..., 0].astype(np.uint16) * 257)
    else:
        clear = Pillow.fromarray(CLEAR).convert(mode)
    clear.info["comment"] = b"a name"
    safe = _hidden(clear)
    assert isinstance(safe, Pillow.Image)
    assert (safe.mode, safe.size, safe.info) == (mode, clear.size, {})
    outside = np.ones((48, 60), bool)
    outside[FACE] = False
    np.testing.assert_array_equal(np.array(safe)[outside], np.array(clear)[outside])
    if mode == "P":
        assert safe.convert("RGB").getpixel((25, 20)) != clear.convert("RGB").getpixel((25, 20))
    seen = np.array(safe.convert("RGB") if mode != "I;16" else safe)[FACE]
    assert len(np.unique(seen.reshape(-1, seen.shape[-1]), axis=0)) == 1 or mode == "I;16"


def test_a_transparent_colour_becomes_alpha() -> None:
    clear = Pillow.fromarray(CLEAR).convert("P")
    clear.info["transparency"] = 0
    safe = _hidden(clear)
    assert isinstance(safe, Pillow.Image)
    assert safe.mode == "RGBA"


def test_a_pillow_picture_that_lies_on_its_side_comes_back_upright() -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6  # turned by a quarter
    clear = Pillow.fromarray(CLEAR)
    lying = clear.rotate(90, expand=True)
    lying.info["exif"] = exif.tobytes()
    lying.getexif()[0x0112] = 6
    safe = _hidden(lying)
    assert isinstance(safe, Pillow.Image)
    _assert_only_the_face_is_black(CLEAR, np.array(safe))


def test_other_kinds_of_pillow_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="'F': convert it to RGB"):
        _hidden(Pillow.new("F", (60, 48)))


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_gives_the_safe_picture_as_an_array(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "a.png"
    Pillow.fromarray(CLEAR).save(path)
    safe = _hidden(kind(path))
    assert isinstance(safe, np.ndarray)
    _assert_only_the_face_is_black(CLEAR, safe)


def test_paths_that_hold_no_picture_are_named(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"none\.png"):
        _hidden(tmp_path / "none.png")
    with pytest.raises(UsageError, match="anonymize_video"):
        _hidden("film.mp4")


def test_given_boxes_are_hidden_instead_of_found_ones() -> None:
    safe = dartblur.anonymize(CLEAR, "block", boxes=[[0, 0, 10, 10], [50, 40, 70, 60]])
    expected = CLEAR.copy()
    expected[:10, :10] = expected[40:, 50:] = 0
    np.testing.assert_array_equal(safe, expected)
    np.testing.assert_array_equal(dartblur.anonymize(CLEAR, "block", boxes=[]), CLEAR)


@pytest.mark.parametrize(
    ("boxes", "named"),
    [
        ([[0.1, 0.1, 0.5, 0.9]], "in pixels"),
        ([[0, 0, 9, 9], [60, 0, 90, 9]], r"\[60.*covers no pixel of the 60 × 48"),
        ([[5, 5, 5, 9]], "covers no pixel"),
        ([[9, 9, 5, 5]], "inverted"),
        ([[1, 2, 3]], "shape"),
    ],
)
def test_boxes_that_would_hide_nothing_are_refused(boxes: object, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        dartblur.anonymize(CLEAR, "block", boxes=boxes)  # type: ignore[call-overload]


def test_a_pipeline_takes_what_the_function_takes() -> None:
    hide = Pipeline(MiddleDetector(), Blended(Block()), 0)
    assert_is_hidden(CLEAR, np.array(hide(Pillow.fromarray(CLEAR))))
    assert len(hide.faces(CLEAR[..., 0])) == 1


def test_a_film_by_one_call_tells_how_far_it_is(tmp_path: Path) -> None:
    source, target = tmp_path / "film.mkv", tmp_path / "safe.mkv"
    make_film(source, [scene(number) for number in range(8)])
    told: list[float] = []
    report = dartblur.anonymize_video(
        source, str(target), "block", progress=lambda done, _all: told.append(done)
    )
    assert target.is_file()
    assert report.boxes >= report.frames > 0
    assert report.faces == 1
    assert told == sorted(told)
    assert told
    with pytest.raises(UsageError, match="would replace its source"):
        dartblur.anonymize_video(source, source)
    with pytest.raises(UsageError, match="must end in"):
        dartblur.anonymize_video(source, tmp_path / "safe.txt")


def test_the_loggers_tell_and_are_silent_unless_asked(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "dartblur"):
        _hidden(CLEAR)
    assert "1 boxes" in caplog.text
    script = "import logging, dartblur; logging.getLogger('dartblur.pipeline').error('loud')"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=60, check=True
    )
    assert run.stdout + run.stderr == b""


def test_the_names_of_parts_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(UsageError, match="melt"):
        dartblur.anonymize(CLEAR, "melt")
