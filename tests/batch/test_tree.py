"""Which files are done, under which names, and which never."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.conftest import Outcome
from tests.pictures import assert_is_hidden, state, textured, tree

Hide = Callable[..., Outcome]
Save = Callable[..., Path]
REPORT = "report.jsonl"
IMAGE = textured(48, 60)


def hidden(path: Path) -> None:
    assert_is_hidden(IMAGE, np.array(Pillow.open(path)))


def test_the_tree_is_mirrored(tmp_path: Path, hide: Hide, save: Save) -> None:
    names = ["a.png", "b/c.png", "b/d/e f.png", "z.PNG"]
    for name in names:
        save(tmp_path / "in" / name)
    (tmp_path / "in" / "empty").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("hello")
    outcome = hide(tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.status == 0
    assert tree(tmp_path / "out") == sorted(names)
    for name in names:
        hidden(tmp_path / "out" / name)
    assert "4 done" in outcome.error
    assert "1 other files passed over: notes.txt" in outcome.error


def test_one_picture_into_a_folder_or_a_file(tmp_path: Path, hide: Hide, save: Save) -> None:
    save(tmp_path / "a.png")
    assert hide(tmp_path / "a.png", "-o", tmp_path / "out").status == 0
    hidden(tmp_path / "out" / "a.png")
    assert hide(tmp_path / "a.png", "-o", tmp_path / "new" / "b.png").status == 0
    assert tree(tmp_path / "new") == ["b.png"]
    hidden(tmp_path / "new" / "b.png")


def test_a_picture_never_changes_its_format(tmp_path: Path, hide: Hide, save: Save) -> None:
    save(tmp_path / "a.png")
    outcome = hide(tmp_path / "a.png", "-o", tmp_path / "b.jpg")
    assert outcome.status == 2
    assert "b.jpg" in outcome.error
    assert not (tmp_path / "b.jpg").exists()


def test_several_folders_lie_below_their_own_names(tmp_path: Path, hide: Hide, save: Save) -> None:
    save(tmp_path / "one" / "x.png")
    save(tmp_path / "two" / "x.png")
    save(tmp_path / "y.png")
    words = (tmp_path / "one", tmp_path / "two", tmp_path / "y.png")
    assert hide(*words, "-o", tmp_path / "out").status == 0
    assert tree(tmp_path / "out") == ["one/x.png", "two/x.png", "y.png"]


@pytest.mark.parametrize("kinds", ["pictures", "folders"])
def test_two_inputs_with_one_output_name(
    tmp_path: Path, hide: Hide, save: Save, kinds: str
) -> None:
    a = save(tmp_path / "a" / "in" / "x.png")
    b = save(tmp_path / "b" / "in" / "x.png", 255 - IMAGE)
    words = (a, b) if kinds == "pictures" else (a.parent, b.parent)
    outcome = hide(*words, "-o", tmp_path / "out")
    assert outcome.status == 1
    assert f"FAILED {b}" in outcome.error
    assert str(a) in outcome.error
    [written] = tree(tmp_path / "out")
    hidden(tmp_path / "out" / written)
    assert hide(*words, "-o", tmp_path / "out").status == 1  # and again


@pytest.mark.parametrize("place", ["in", "in/out", "in/b", "in/deep/er"])
def test_an_output_in_the_input_is_refused(
    tmp_path: Path, hide: Hide, save: Save, place: str
) -> None:
    save(tmp_path / "in" / "a.png")
    save(tmp_path / "in" / "b" / "c.png")
    before = tree(tmp_path)
    outcome = hide(tmp_path / "in", "-o", tmp_path / place)
    assert outcome.status == 2
    assert "may not lie in the input" in outcome.error
    assert tree(tmp_path) == before
    assert not (tmp_path / "in" / "out").exists()


def test_an_output_in_the_input_by_way_of_a_link(tmp_path: Path, hide: Hide, save: Save) -> None:
    save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in" / "sub")
    assert hide(tmp_path / "in", "-o", tmp_path / "link").status == 2
    assert tree(tmp_path / "in") == ["a.png"]


def test_an_output_above_the_input(tmp_path: Path, hide: Hide, save: Save) -> None:
    save(tmp_path / "all" / "in" / "a.png")
    save(tmp_path / "all" / "in" / "in" / "deep" / "b.png")  # would become all/in/deep/b.png
    outcome = hide(tmp_path / "all" / "in", "-o", tmp_path / "all")
    assert outcome.status == 1
    assert "input folder" in outcome.error
    hidden(tmp_path / "all" / "a.png")
    assert tree(tmp_path / "all" / "in") == ["a.png", "in/deep/b.png"]
    assert not (tmp_path / "all" / "in" / "deep").exists()
    np.testing.assert_array_equal(
        np.array(Pillow.open(tmp_path / "all" / "in" / "in" / "deep" / "b.png")), IMAGE
    )


@pytest.mark.parametrize("words", [(), ("--overwrite",)])
@pytest.mark.parametrize("where", [".", "a.png", "hard.png", "soft.png"])
def test_a_picture_is_never_replaced_by_its_output(
    tmp_path: Path, hide: Hide, save: Save, where: str, words: tuple[str, ...]
) -> None:
    source = save(tmp_path / "a.png")
    os.link(source, tmp_path / "hard.png")
    (tmp_path / "soft.png").symlink_to(source)
    before = source.read_bytes()
    outcome = hide(source, "-o", tmp_path / where, *words)
    assert outcome.status in (1, 2)
    assert "a.png" in outcome.error
    assert source.read_bytes() == before
    assert (tmp_path / "hard.png").read_bytes() == before
    assert (tmp_path / "soft.png").is_symlink()


def test_an_output_that_is_a_file(tmp_path: Path, hide: Hide, save: Save) -> None:
    save(tmp_path / "in" / "a.png")
    (tmp_path / "out").write_text("a file")
    outcome = hide(tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.status == 2
    assert "not a folder" in outcome.error
    assert (tmp_path / "out").read_text() == "a file"


def test_a_file_where_a_folder_must_go(tmp_path: Path, hide: Hide, save: Save) -> None:
    save(tmp_path / "in" / "sub" / "a.png")
    save(tmp_path / "in" / "b.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").write_text("in the way")
    outcome = hide(tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.status == 1
    assert "sub" in outcome.error
    hidden(tmp_path / "out" / "b.png")
    assert (tmp_path / "out" / "sub").read_text() == "in the way"


def test_a_folder_where_a_file_must_go(tmp_path: Path, hide: Hide, save: Save) -> None:
    save(tmp_path / "in" / "a.png")
    (tmp_path / "out" / "a.png").mkdir(parents=True)
    (tmp_path / "out" / "a.png" / "keep.txt").write_text("keep")
    for words in ((), ("--overwrite",)):
        outcome = hide(tmp_path / "in", "-o", tmp_path / "out", *words)
        assert outcome.status == 1
        assert "a.png" in outcome.error
        assert (tmp_path / "out" / "a.png" / "keep.txt").read_text() == "keep"


def test_a_folder_named_like_a_picture_is_a_folder(tmp_path: Path, hide: Hide, save: Save) -> None:
    save(tmp_path / "in" / "x.jpg" / "a.png")
    assert hide(tmp_path / "in", "-o", tmp_path / "out").status == 0
    hidden(tmp_path / "out" / "x.jpg" / "a.png")


def test_links(tmp_path: Path, hide: Hide, save: Save) -> None:
    folder = tmp_path / "in"
    save(folder / "a.png")
    save(folder / "sub" / "b.png")
    outside = save(tmp_path / "private" / "secret.png")
    (folder / "inside.png").symlink_to("a.png")
    (folder / "sub" / "up.png").symlink_to("../a.png")
    (folder / "again").symlink_to("sub")
    (folder / "out.png").symlink_to(outside)
    (folder / "outdir").symlink_to(tmp_path / "private")
    (folder / "sub" / "circle").symlink_to("..")
    (folder / "self.png").symlink_to("self.png")
    (folder / "nowhere.png").symlink_to("gone.png")
    outcome = hide(folder, "-o", tmp_path / "out")
    assert outcome.status == 1
    good = ["a.png", "again/b.png", "again/up.png", "inside.png", "sub/b.png", "sub/up.png"]
    assert tree(tmp_path / "out") == sorted(good)
    for name in good:
        hidden(tmp_path / "out" / name)
        assert not (tmp_path / "out" / name).is_symlink()
    told = {
        "out.png": "out of the folder",
        "outdir": "out of the folder",
        "circle": "in a circle",
        "self.png": "leads nowhere",
        "nowhere.png": "leads nowhere",
    }
    for name, reason in told.items():
        assert any(name in line and reason in line for line in outcome.error.splitlines()), name


def test_a_link_given_by_name_is_followed(tmp_path: Path, hide: Hide, save: Save) -> None:
    save(tmp_path / "real" / "a.png")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "l.png").symlink_to("real/a.png")
    assert hide(tmp_path / "link", "-o", tmp_path / "out").status == 0
    hidden(tmp_path / "out" / "a.png")
    assert hide(tmp_path / "l.png", "-o", tmp_path / "out2").status == 0
    hidden(tmp_path / "out2" / "l.png")


def test_an_output_link_is_not_followed_out(tmp_path: Path, hide: Hide, save: Save) -> None:
    """Somebody's link in the output folder must not lead writing into the input."""
    save(tmp_path / "in" / "sub" / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "in" / "sub")
    before = (tmp_path / "in" / "sub" / "a.png").read_bytes()
    for words in ((), ("--overwrite",)):
        assert hide(tmp_path / "in", "-o", tmp_path / "out", *words).status == 1
        assert (tmp_path / "in" / "sub" / "a.png").read_bytes() == before


def test_pipes_and_sockets_do_not_hang(tmp_path: Path, hide: Hide, save: Save) -> None:
    save(tmp_path / "in" / "a.png")
    os.mkfifo(tmp_path / "in" / "pipe.jpg")
    outcome = hide(tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.status == 1
    assert "pipe.jpg: not a regular file" in outcome.error
    assert hide(tmp_path / "in" / "pipe.jpg", "-o", tmp_path / "out2").status == 1


def test_what_cannot_be_read_is_named(
    tmp_path: Path, hide: Hide, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a patch: to root every file can be read."""
    save(tmp_path / "in" / "a.png")
    save(tmp_path / "in" / "locked.png")
    save(tmp_path / "in" / "vault" / "b.png")
    real_read, real_scan = Path.read_bytes, os.scandir

    def read(path: Path) -> bytes:
        if path.name == "locked.png":
            raise PermissionError(13, "Permission denied")
        return real_read(path)

    def scan(path: Path) -> object:
        if Path(path).name == "vault":
            raise PermissionError(13, "Permission denied")
        return real_scan(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    monkeypatch.setattr(os, "scandir", scan)
    outcome = hide(tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.status == 1
    for name in ("locked.png", "vault"):
        told = [line for line in outcome.error.splitlines() if line.startswith("FAILED")]
        assert any(name in line and "Permission denied" in line for line in told)
    hidden(tmp_path / "out" / "a.png")


def test_hidden_files_are_passed_over(tmp_path: Path, hide: Hide, save: Save) -> None:
    save(tmp_path / "in" / "a.png")
    save(tmp_path / "in" / ".b.png")
    save(tmp_path / "in" / ".cache" / "c.png")
    outcome = hide(tmp_path / "in", "-o", tmp_path / "out")
    assert tree(tmp_path / "out") == ["a.png"]
    assert "2 other files passed over: .b.png, .cache" in outcome.error


NAMES = [
    "new\nline.png",
    "[red]markup[bold].png",
    b"byte-\xff\xfe.png",
    "x" * 240 + ".png",
    "caf\u00e9.png",
    "cafe\u0301.png",
    "tab\there.png",
    "quote'\".png",
    "-o.png",
    "--help.png",
    " lead and trail .png",
    "\u202egnp.png",
    "\x1b[31mred\x1b[0m.png",
    "日本.png",
    "percent%s{x}.png",
    "back\\slash.png",
]

UNICODE = pytest.mark.skipif(
    sys.getfilesystemencoding() != "utf-8", reason="this locale has no such names"
)


@UNICODE
@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_unusual_names(
    tmp_path: Path, hide: Hide, save: Save, name: str | bytes, broken: bool
) -> None:
    plain = os.fsdecode(name)
    source = tmp_path / "in" / plain
    source.parent.mkdir()
    if broken:
        source.write_bytes(b"no picture")
    else:
        with source.open("wb") as file:
            Pillow.fromarray(IMAGE).save(file, "PNG")
    outcome = hide(tmp_path / "in", "-o", tmp_path / "out", "--boxes-out", tmp_path / "b.json")
    assert outcome.status == int(broken)
    [line] = (state(tmp_path / "out") / REPORT).read_bytes().splitlines()
    record = json.loads(line)
    assert record["file"] == plain
    assert record["status"] == ("failed" if broken else "done")
    if broken:
        assert "\x1b" not in outcome.error
        [told] = [line for line in outcome.error.splitlines() if line.startswith("FAILED")]
        assert "not a picture" in told
    else:
        hidden(tmp_path / "out" / plain)
        assert hide(tmp_path / "in", "-o", tmp_path / "out").status == 0
        boxes = ("--boxes", tmp_path / "b.json")
        assert hide(tmp_path / "in", "-o", tmp_path / "out2", *boxes).status == 0
        hidden(tmp_path / "out2" / plain)


@UNICODE
def test_names_that_differ_in_spelling_alone_stay_two(
    tmp_path: Path, hide: Hide, save: Save
) -> None:
    save(tmp_path / "in" / "caf\u00e9.png")
    save(tmp_path / "in" / "cafe\u0301.png", 255 - IMAGE)
    if len(list((tmp_path / "in").iterdir())) < 2:
        pytest.skip("this file system takes the two spellings for one name")
    assert hide(tmp_path / "in", "-o", tmp_path / "out").status == 0
    hidden(tmp_path / "out" / "caf\u00e9.png")
    assert_is_hidden(255 - IMAGE, np.array(Pillow.open(tmp_path / "out" / "cafe\u0301.png")))


def test_a_missing_input_is_named(tmp_path: Path, hide: Hide, save: Save) -> None:
    save(tmp_path / "a.png")
    outcome = hide(tmp_path / "none.png", tmp_path / "a.png", "-o", tmp_path / "out")
    assert outcome.status == 1
    assert "none.png: cannot be read: No such file" in outcome.error
    hidden(tmp_path / "out" / "a.png")


def test_an_input_given_twice_is_done_once(tmp_path: Path, hide: Hide, save: Save) -> None:
    source = save(tmp_path / "a.png")
    outcome = hide(source, source, "-o", tmp_path / "out")
    hidden(tmp_path / "out" / "a.png")
    assert outcome.status == 1
    assert "same output name" in outcome.error


def test_an_empty_folder(tmp_path: Path, hide: Hide) -> None:
    (tmp_path / "in").mkdir()
    outcome = hide(tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.status == 0
    assert "0 done" in outcome.error
