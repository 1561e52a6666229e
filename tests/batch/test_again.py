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
from tests.pictures import FRAME_WEIGHTS, assert_is_hidden, textured, tree

from dartblur.anonymizers.dartblur import WEIGHTS
from dartblur.batch.ledger import Ledger

Hide = Callable[..., Outcome]
Save = Callable[..., Path]
REPORT = "dartblur-report.jsonl"
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
        if name != REPORT:
            stat = (out / name).stat()
            found[name] = (stat.st_ino, stat.st_mtime_ns)
    return found


def changed(before: dict[str, tuple[int, int]], out: Path) -> set[str]:
    after = stamps(out)
    assert after.keys() == before.keys()
    return {name for name in after if after[name] != before[name]}


def report(out: Path) -> dict[str, dict[str, object]]:
    lines = (out / REPORT).read_text().splitlines()
    return {record["file"]: record for record in map(json.loads, lines)}


def test_a_second_run_does_nothing(folder: Path, out: Path, hide: Hide) -> None:
    first = hide(folder, "-o", out)
    before, told = stamps(out), report(out)
    second = hide(folder, "-o", out)
    assert (first.status, second.status) == (0, 0)
    assert changed(before, out) == set()
    assert report(out) == told
    assert "3 done" in second.error


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
    assert "a.png: exists and is not what an earlier run left; --overwrite" in outcome.error
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
    assert tree(out) == ["a.png", REPORT, "sub/c.png"]
    assert report(out)["b.png"]["status"] == "failed"


def test_inputs_that_went_keep_their_outputs_but_leave_the_report(
    folder: Path, out: Path, hide: Hide
) -> None:
    hide(folder, "-o", out)
    (folder / "b.png").unlink()
    assert hide(folder, "-o", out).status == 0
    assert (out / "b.png").exists()
    assert set(report(out)) == {"a.png", "sub/c.png"}


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
    assert good["source"] == str(folder / "a.png")
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
    other = Ledger(out / ".dartblur" / "ledger.sqlite")
    try:
        outcome = hide(folder, "-o", out)
        assert outcome.status == 2
        assert "another run" in outcome.error
        assert changed(before, out) == set()
    finally:
        other.close()
    assert hide(folder, "-o", out).status == 0


@pytest.mark.parametrize("content", [b"no data base, but long enough to be one" * 200, b"\0" * 9])
def test_a_broken_ledger_is_named_and_nothing_is_touched(
    folder: Path, out: Path, hide: Hide, content: bytes
) -> None:
    hide(folder, "-o", out)
    ledger = out / ".dartblur" / "ledger.sqlite"
    for left in ledger.parent.iterdir():
        left.unlink()
    ledger.write_bytes(content)
    before = stamps(out)
    outcome = hide(folder, "-o", out)
    assert outcome.status == 2
    assert str(ledger) in outcome.error
    assert "delete it" in outcome.error
    assert changed(before, out) == set()


def test_a_ledger_of_another_shape_is_named(folder: Path, out: Path, hide: Hide) -> None:
    (out / ".dartblur").mkdir(parents=True)
    base = sqlite3.connect(out / ".dartblur" / "ledger.sqlite")
    base.execute("CREATE TABLE files (something TEXT)")
    base.commit()
    base.close()
    outcome = hide(folder, "-o", out)
    assert outcome.status == 2
    assert "ledger.sqlite" in outcome.error


def test_parts_of_a_killed_run_are_swept_away(folder: Path, out: Path, hide: Hide) -> None:
    hide(folder, "-o", out)
    part = out / ".dartblur" / ".dartblur-abc.part"
    part.write_bytes(b"half a picture")
    hide(folder, "-o", out)
    assert not part.exists()


def test_without_a_ledger_nothing_is_ours(folder: Path, out: Path, hide: Hide) -> None:
    hide(folder, "-o", out)
    for left in (out / ".dartblur").iterdir():
        left.unlink()
    before = stamps(out)
    outcome = hide(folder, "-o", out)
    assert outcome.status == 1
    assert outcome.error.count("--overwrite") == 3
    assert changed(before, out) == set()
