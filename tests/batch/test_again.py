"""A second run does only what is missing, failed or changed, or was made with other settings."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.conftest import Outcome
from tests.pictures import FRAME_WEIGHTS, assert_is_hidden, state, textured, tree

from dartblur.anonymizers.dartblur import WEIGHTS
from dartblur.batch.ledger import Ledger

Hide = Callable[..., Outcome]
Save = Callable[..., Path]
REPORT = "report.jsonl"
IMAGE = textured(48, 60)


@pytest.fixture
def folder(tmp_path: Path, save: Save) -> Path:
    for name in ("a.png", "b.png", "sub/c.png"):
        save(tmp_path / "in" / name)
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def stamps(out: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every picture: the inode changes whenever a file is written anew."""
    found = {}
    for name in tree(out):
        stat = (out / name).stat()
        found[name] = (stat.st_ino, stat.st_mtime_ns)
    return found


def changed(before: dict[str, tuple[int, int]], out: Path) -> set[str]:
    after = stamps(out)
    assert after.keys() == before.keys()
    return {name for name in after if after[name] != before[name]}


def report(out: Path) -> dict[str, dict[str, object]]:
    lines = (state(out) / REPORT).read_text().splitlines()
    return {record["file"]: record for record in map(json.loads, lines)}


def test_a_second_run_does_nothing(folder: Path, out: Path, hide: Hide) -> None:
    first = hide(folder, "-o", out)
    before, told = stamps(out), report(out)
    second = hide(folder, "-o", out)
    assert (first.status, second.status) == (0, 0)
    assert changed(before, out) == set()
    assert report(out) == told
    assert "0 done, 3 already done (3 faces)" in second.error


@pytest.mark.parametrize(
    "words",
    [
        ("--method", "pixelate"),
        ("--colour", 9, 9, 9),
        ("--margin", 0.2),
        ("--threshold", 0.9),
        ("--detector", "fast"),
        ("--keep-metadata",),
        ("--overwrite",),
    ],
    ids=str,
)
def test_other_settings_do_all_again(
    folder: Path, out: Path, command: Callable[..., Outcome], stub_detector: None, words: tuple
) -> None:
    assert command("anonymize", folder, "-o", out, "--method", "block").status == 0
    before = stamps(out)
    method = () if "--method" in words else ("--method", "block")
    assert command("anonymize", folder, "-o", out, *method, *words).status == 0
    assert changed(before, out) == {"a.png", "b.png", "sub/c.png"}


def test_weights_are_what_their_file_holds(
    folder: Path, out: Path, command: Callable[..., Outcome], stub_detector: None, tmp_path: Path
) -> None:
    words = ("anonymize", folder, "-o", out, "--method", "dartblur", "--workers", 1)
    assert command(*words, "--weights", FRAME_WEIGHTS).status == 0
    before, copy = stamps(out), tmp_path / "copy.onnx"
    copy.write_bytes(FRAME_WEIGHTS.read_bytes())
    assert command(*words, "--weights", copy).status == 0
    assert changed(before, out) == set()
    copy.write_bytes(WEIGHTS.read_bytes())
    assert command(*words, "--weights", copy).status == 0
    assert changed(before, out) == {"a.png", "b.png", "sub/c.png"}


def test_how_the_work_is_done_is_no_setting(folder: Path, out: Path, hide: Hide) -> None:
    hide(folder, "-o", out)
    before = stamps(out)
    hide(folder, "-o", out, "--max-megapixels", 50, "--quiet")
    assert changed(before, out) == set()


def test_a_changed_input_is_done_again(folder: Path, out: Path, hide: Hide, save: Save) -> None:
    hide(folder, "-o", out)
    before = stamps(out)
    save(folder / "b.png", 255 - IMAGE)
    assert hide(folder, "-o", out).status == 0
    assert changed(before, out) == {"b.png"}
    assert_is_hidden(255 - IMAGE, np.array(Pillow.open(out / "b.png")))


def test_a_deleted_output_is_made_again(folder: Path, out: Path, hide: Hide) -> None:
    hide(folder, "-o", out)
    before = stamps(out)
    (out / "sub" / "c.png").unlink()
    assert hide(folder, "-o", out).status == 0
    assert changed(before, out) == {"sub/c.png"}


def test_an_output_that_somebody_changed_is_not_replaced(
    folder: Path, out: Path, hide: Hide
) -> None:
    hide(folder, "-o", out)
    (out / "a.png").write_bytes(b"mine")
    outcome = hide(folder, "-o", out)
    assert outcome.status == 1
    assert "a.png: exists and is not known as an earlier run's; --overwrite" in outcome.error
    assert (out / "a.png").read_bytes() == b"mine"
    assert hide(folder, "-o", out, "--overwrite").status == 0
    assert_is_hidden(IMAGE, np.array(Pillow.open(out / "a.png")))


def test_a_file_that_was_there_before_is_not_replaced(folder: Path, out: Path, hide: Hide) -> None:
    out.mkdir()
    (out / "a.png").write_bytes(b"somebody's")
    for _ in range(2):
        outcome = hide(folder, "-o", out)
        assert outcome.status == 1
        assert (out / "a.png").read_bytes() == b"somebody's"
    assert_is_hidden(IMAGE, np.array(Pillow.open(out / "b.png")))


@pytest.mark.parametrize("kind", ["file", "dangling"])
def test_a_single_target_that_is_there_is_not_replaced(
    tmp_path: Path, folder: Path, hide: Hide, kind: str
) -> None:
    target = tmp_path / "safe.png"
    if kind == "file":
        target.write_bytes(b"somebody's")
    else:
        target.symlink_to("elsewhere.png")
    assert hide(folder / "a.png", "-o", target).status == 1
    assert target.is_symlink() if kind == "dangling" else target.read_bytes() == b"somebody's"
    assert hide(folder / "a.png", "-o", target, "--overwrite").status == 0
    assert not target.is_symlink()
    assert not (tmp_path / "elsewhere.png").exists()
    assert_is_hidden(IMAGE, np.array(Pillow.open(target)))


def test_failed_ones_are_tried_again(folder: Path, out: Path, hide: Hide, save: Save) -> None:
    (folder / "b.png").write_bytes(b"not yet")
    assert hide(folder, "-o", out).status == 1
    assert report(out)["b.png"]["status"] == "failed"
    assert hide(folder, "-o", out).status == 1
    before = stamps(out)
    save(folder / "b.png")
    assert hide(folder, "-o", out).status == 0
    assert {**before, "b.png": stamps(out)["b.png"]} == stamps(out)


@pytest.mark.parametrize("how", ["broken", "a pipe", "a dead link", "a second name"])
def test_a_failure_takes_the_stale_output_away(
    folder: Path, out: Path, hide: Hide, save: Save, how: str
) -> None:
    """What an earlier run made is of another picture, or of other settings."""
    hide(folder, "-o", out)
    words: tuple[object, ...] = ()
    (folder / "b.png").unlink()
    if how == "broken":
        (folder / "b.png").write_bytes(b"broken now")
    elif how == "a pipe":
        os.mkfifo(folder / "b.png")
    elif how == "a dead link":
        (folder / "b.png").symlink_to("gone.png")
    else:
        save(folder / "b.png")
        (folder / "b.png").write_bytes(b"broken now")
        words = ("--colour", 1, 1, 1)
    assert hide(folder, "-o", out, *words).status == 1
    assert tree(out) == ["a.png", "sub/c.png"]
    assert report(out)["b.png"]["status"] == "failed"


def test_the_report_tells_of_all_that_lies_in_the_output(
    tmp_path: Path, folder: Path, out: Path, hide: Hide, save: Save
) -> None:
    """Of other runs too: as long as the output is there, its line is."""
    hide(folder, "-o", out)
    first = report(out)
    (folder / "b.png").unlink()
    other = save(tmp_path / "d.png")
    assert hide(other, "-o", out).status == 0
    assert {**first, "d.png": report(out)["d.png"]} == report(out)
    (out / "b.png").unlink()
    (out / "a.png").write_bytes(b"somebody's")
    assert hide(other, "-o", out).status == 0
    assert set(report(out)) == {"d.png", "sub/c.png"}


def test_a_chosen_report_keeps_the_lines_of_other_files(
    tmp_path: Path, folder: Path, hide: Hide
) -> None:
    lines = tmp_path / "r.jsonl"
    for name in ("a", "b"):
        target = tmp_path / "safe" / f"{name}.png"
        assert hide(folder / f"{name}.png", "-o", target, "--report", lines).status == 0
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    assert sorted(line["file"] for line in told) == ["a.png", "b.png"]


def test_a_chosen_report_never_replaces_something_else(
    tmp_path: Path, folder: Path, hide: Hide
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    outcome = hide(folder, "-o", tmp_path / "out", "--report", notes)
    assert outcome.status == 2
    assert "notes.txt: is there and is no report" in outcome.error
    assert notes.read_text() == "mine"


def test_files_passed_over_are_named(folder: Path, out: Path, hide: Hide) -> None:
    for name in ("1.txt", "2.doc", "3.pdf", "4.zip", ".hidden.png"):
        (folder / name).write_text("no picture")
    outcome = hide(folder, "-o", out)
    assert "5 other files passed over: .hidden.png, 1.txt, 2.doc, ..." in outcome.error
    told = {name for name, line in report(out).items() if line["status"] == "passed over"}
    assert told == {".hidden.png", "1.txt", "2.doc", "3.pdf", "4.zip"}


def test_folders_one_after_the_other_into_one_output(
    tmp_path: Path, folder: Path, out: Path, hide: Hide, save: Save
) -> None:
    """The second run's file of the same name is of another picture: it replaces the first."""
    save(tmp_path / "other" / "a.png", 255 - IMAGE)
    hide(folder, "-o", out)
    before = stamps(out)
    outcome = hide(tmp_path / "other", "-o", out)
    assert outcome.status == 0
    assert changed(before, out) == {"a.png"}
    assert_is_hidden(255 - IMAGE, np.array(Pillow.open(out / "a.png")))


def test_another_source_of_the_same_size_and_time_is_another(
    tmp_path: Path, folder: Path, out: Path, hide: Hide
) -> None:
    """Copies keep size and time: only the place tells two pictures apart."""
    bmp = folder / "x.bmp"
    Pillow.fromarray(IMAGE).save(bmp)
    twin = tmp_path / "other" / "x.bmp"
    twin.parent.mkdir()
    Pillow.fromarray(255 - IMAGE).save(twin)
    os.utime(twin, ns=(bmp.stat().st_atime_ns, bmp.stat().st_mtime_ns))
    assert hide(bmp, "-o", out).status == 0
    assert hide(twin, "-o", out).status == 0
    assert_is_hidden(255 - IMAGE, np.array(Pillow.open(out / "x.bmp")))


def test_the_same_folder_by_another_spelling_is_the_same(
    folder: Path, out: Path, hide: Hide, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide(folder, "-o", out)
    before = stamps(out)
    monkeypatch.chdir(folder.parent)
    assert hide("in", "-o", "out").status == 0
    assert hide("./in/../in", "-o", out).status == 0
    assert changed(before, out) == set()


def test_the_report_is_whole_and_valid(folder: Path, out: Path, hide: Hide) -> None:
    (folder / "bad.png").write_bytes(b"bad")
    hide(folder, "-o", out)
    records = report(out)
    assert list(records) == ["a.png", "b.png", "bad.png", "sub/c.png"]
    good, bad = records["a.png"], records["bad.png"]
    assert good["status"] == "done"
    assert good["source"] == "a.png"
    assert (good["width"], good["height"], good["faces"]) == (60, 48, 1)
    assert good["boxes"] == [[20, 16, 40, 32, 1]]
    assert good["method"] == "block"
    assert good["error"] is None
    settings = good["settings"]
    assert isinstance(settings, dict)
    assert settings["margin"] == 0
    assert settings["colour"] == [0, 0, 0]
    assert bad["status"] == "failed"
    assert "bad.png" in str(bad["error"])
    assert bad["boxes"] == []


def test_two_runs_at_once_in_one_folder(folder: Path, out: Path, hide: Hide) -> None:
    hide(folder, "-o", out)
    before = stamps(out)
    other = Ledger(state(out) / "ledger.sqlite")
    try:
        outcome = hide(folder, "-o", out)
        assert outcome.status == 2
        assert "another run" in outcome.error
        assert changed(before, out) == set()
    finally:
        other.close()
    assert hide(folder, "-o", out).status == 0


def damaged(ledger: Path, how: str) -> None:
    """Does to a ledger what disks, other versions and people do."""
    data = ledger.read_bytes()
    if how == "text":
        ledger.write_bytes(b"no data base, but long enough to be one" * 200)
    elif how == "nine zeros":
        ledger.write_bytes(b"\0" * 9)
    elif how == "half":
        ledger.write_bytes(data[: len(data) // 2])
    elif how == "behind the first page":
        ledger.write_bytes(data[:4096] + b"\xa5" * (len(data) - 4096))
    elif how == "in a row":
        assert b'"status":' in data
        ledger.write_bytes(data.replace(b'"status":', b'"status"!'))
    else:
        changes = {
            "other columns": "DROP TABLE files; CREATE TABLE files (something TEXT)",
            "another version": "PRAGMA user_version = 1",
            "another status": "UPDATE files SET status = 'perhaps'",
            "a record of text": "UPDATE files SET record = 'text'",
            "no source": "UPDATE files SET source = NULL",
        }
        base = sqlite3.connect(ledger)
        base.executescript(changes[how])
        base.close()


@pytest.mark.parametrize(
    "how",
    [
        "text",
        "nine zeros",
        "half",
        "behind the first page",
        "in a row",
        "other columns",
        "another version",
        "another status",
        "a record of text",
        "no source",
    ],
)
def test_a_ledger_that_cannot_be_used_is_set_aside(
    folder: Path, out: Path, hide: Hide, how: str
) -> None:
    """What earlier runs made is then not known: it stays, unless it is to be replaced."""
    hide(folder, "-o", out)
    ledger = state(out) / "ledger.sqlite"
    damaged(ledger, how)
    was, before = ledger.read_bytes(), stamps(out)
    outcome = hide(folder, "-o", out)
    assert outcome.status == 1
    assert "Traceback" not in outcome.error
    assert f"{ledger}: cannot be used" in outcome.error.replace("out.dartblur", str(state(out)), 1)
    assert "set aside as ledger.sqlite.set-aside-1" in outcome.error
    assert outcome.error.count("--overwrite replaces it") == 3
    assert changed(before, out) == set()
    assert ledger.with_name("ledger.sqlite.set-aside-1").read_bytes() == was
    again = hide(folder, "-o", out, "--overwrite")
    assert again.status == 0
    assert "set aside" not in again.error
    assert changed(before, out) == set(before)
    assert "3 already done" in hide(folder, "-o", out).error


def test_parts_of_a_killed_run_are_swept_away(folder: Path, out: Path, hide: Hide) -> None:
    hide(folder, "-o", out)
    part = state(out) / ".dartblur-abc.part"
    part.write_bytes(b"half a picture")
    hide(folder, "-o", out)
    assert not part.exists()


def test_without_a_ledger_nothing_is_ours(folder: Path, out: Path, hide: Hide) -> None:
    hide(folder, "-o", out)
    for left in state(out).iterdir():
        left.unlink()
    before = stamps(out)
    outcome = hide(folder, "-o", out)
    assert outcome.status == 1
    assert outcome.error.count("--overwrite") == 3
    assert changed(before, out) == set()
