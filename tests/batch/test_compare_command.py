"""Pictures side by side: what a sheet shows, and what `compare` refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms
from tests.conftest import Outcome
from tests.pictures import textured, tree

from dartblur.batch.compare_command import captions

Run = Callable[..., Outcome]
Save = Callable[..., Path]
ONE, TWO = textured(48, 60, 1), textured(48, 60, 2)
CAPTION, GAP = 24, 8


@pytest.fixture
def folders(tmp_path: Path, save: Save) -> tuple[Path, Path]:
    for name in ("a.png", "deep/b.png"):
        save(tmp_path / "in" / name, ONE)
        save(tmp_path / "safe" / name, TWO)
    return tmp_path / "in", tmp_path / "safe"


def sheet(path: Path) -> np.ndarray:
    return np.array(Pillow.open(path))


def test_pictures_stand_side_by_side_untouched(tmp_path: Path, command: Run, save: Save) -> None:
    a, b = save(tmp_path / "a.png", ONE), save(tmp_path / "b.png", TWO)
    assert command("compare", a, b, a, "-o", tmp_path / "s.png").status == 0
    shown = sheet(tmp_path / "s.png")
    assert shown.shape == (CAPTION + 48, 3 * 60 + 2 * GAP, 3)
    for left, image in ((0, ONE), (60 + GAP, TWO), (120 + 2 * GAP, ONE)):
        np.testing.assert_array_equal(shown[CAPTION:, left : left + 60], image)
        assert (shown[:CAPTION, left : left + 60] < 100).any()  # a caption
    assert (shown[CAPTION:, 60 : 60 + GAP] == 255).all()


def test_sizes_are_matched_to_the_first_or_as_asked(
    tmp_path: Path, command: Run, save: Save
) -> None:
    a, b = save(tmp_path / "a.png", ONE), save(tmp_path / "b.png", textured(96, 60))
    assert command("compare", a, b, "-o", tmp_path / "s.png").status == 0
    assert sheet(tmp_path / "s.png").shape == (CAPTION + 48, 60 + GAP + 30, 3)
    words = ("--height", 240, "-o", tmp_path / "t.jpg")
    assert command("compare", a, b, *words).status == 0
    assert sheet(tmp_path / "t.jpg").shape == (CAPTION + 240, 300 + GAP + 150, 3)


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        (["x/a.jpg", "x/b.jpg"], ("a.jpg", "b.jpg")),
        (["in/a.jpg", "safe/a.jpg"], ("in/a.jpg", "safe/a.jpg")),
        (["1/in/a.jpg", "2/in/a.jpg", "2/in/b.jpg"], ("1/in/a.jpg", "2/in/a.jpg", "2/in/b.jpg")),
        (["a.jpg", "a.jpg"], ("a.jpg", "a.jpg")),
    ],
)
def test_captions_are_as_short_as_they_can_be(paths: list[str], told: tuple[str, ...]) -> None:
    assert captions([Path("/root") / path for path in paths]) == told


def test_folders_give_a_sheet_a_picture(
    tmp_path: Path, command: Run, folders: tuple[Path, Path], save: Save
) -> None:
    for folder in folders:
        save(folder / "c.bmp", ONE)
    outcome = command("compare", *folders, "-o", tmp_path / "out", "--workers", 1)
    assert outcome.status == 0
    assert "3 compared" in outcome.error
    assert tree(tmp_path / "out") == ["a.png", "c.bmp.png", "deep/b.png"]
    np.testing.assert_array_equal(sheet(tmp_path / "out" / "deep" / "b.png")[CAPTION:, 68:], TWO)


def test_a_missing_partner_and_a_broken_picture_are_named(
    tmp_path: Path, command: Run, folders: tuple[Path, Path], save: Save
) -> None:
    save(folders[1] / "deep" / "alone.png")
    (folders[0] / "a.png").write_bytes(b"bad")
    outcome = command("compare", *folders, "-o", tmp_path / "out", "--workers", 1)
    assert outcome.status == 1
    told = f"deep/alone.png: only in {folders[1]}, not in {folders[0]}"
    assert told in outcome.error.splitlines()
    assert str(folders[0] / "a.png") in outcome.error
    assert "1 compared, 1 without a partner (named above), 1 FAILED" in outcome.error
    assert tree(tmp_path / "out") == ["deep/b.png"]


def test_inputs_are_never_written_over(
    tmp_path: Path, command: Run, folders: tuple[Path, Path]
) -> None:
    a, b = (folder / "a.png" for folder in folders)
    (tmp_path / "link.png").symlink_to(a)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "deep").symlink_to(folders[0])
    before = {folder: tree(folder) for folder in folders}
    assert command("compare", a, b, "-o", b, "--overwrite").status == 1
    assert command("compare", a, b, "-o", tmp_path / "link.png", "--overwrite").status == 1
    for out in (folders[0], folders[1] / "sheets"):
        assert command("compare", *folders, "-o", out, "--overwrite").status == 2
    assert command("compare", *folders, "-o", tmp_path / "out", "--overwrite").status == 1
    assert {folder: tree(folder) for folder in folders} == before
    np.testing.assert_array_equal(sheet(a), ONE)
    np.testing.assert_array_equal(sheet(b), TWO)


def test_what_is_there_stays_unless_told(tmp_path: Path, command: Run, save: Save) -> None:
    a, b = save(tmp_path / "a.png", ONE), save(tmp_path / "b.png", TWO)
    old = save(tmp_path / "s.png", ONE)
    assert command("compare", a, b, "-o", old).status == 1
    np.testing.assert_array_equal(sheet(old), ONE)
    assert command("compare", a, b, "-o", old, "--overwrite").status == 0
    assert sheet(old).shape[1] == 128


def test_wrong_calls_are_2(tmp_path: Path, command: Run, folders: tuple[Path, Path]) -> None:
    a = folders[0] / "a.png"
    (tmp_path / "empty").mkdir()
    for words in (
        (a,),
        (a, folders[1]),
        (a, a, "--height", 0),
        (a, a, "-o", tmp_path / "s.txt"),
        (tmp_path / "empty", tmp_path / "empty"),
    ):
        place = () if "-o" in words else ("-o", tmp_path / "s.png")
        outcome = command("compare", *words, *place)
        assert outcome.status == 2, words
        assert "Traceback" not in outcome.error
    assert tree(tmp_path) == ["in/a.png", "in/deep/b.png", "safe/a.png", "safe/deep/b.png"]


def test_a_missing_file_is_named(tmp_path: Path, command: Run, save: Save) -> None:
    a = save(tmp_path / "a.png")
    outcome = command("compare", a, tmp_path / "none.png", "-o", tmp_path / "s.png")
    assert outcome.status == 1
    assert "none.png" in outcome.error


def test_one_profile_is_kept_and_several_become_srgb(
    tmp_path: Path, command: Run, save: Save
) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    a = save(tmp_path / "a.png", ONE, icc_profile=profile)
    b, c = save(tmp_path / "b.png", TWO, icc_profile=profile), save(tmp_path / "c.png", TWO)
    assert command("compare", a, b, "-o", tmp_path / "s.png").status == 0
    assert Pillow.open(tmp_path / "s.png").info["icc_profile"] == profile
    assert command("compare", a, c, "-o", tmp_path / "t.png").status == 0
    assert "icc_profile" not in Pillow.open(tmp_path / "t.png").info
    shown = sheet(tmp_path / "t.png")[CAPTION:].astype(int)
    assert abs(shown[:, :60] - ONE).max() <= 2
    np.testing.assert_array_equal(shown[:, 68:], TWO)
