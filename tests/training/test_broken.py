"""Broken data sets and full disks, on the command line: told by name, and nothing lost."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from tests.conftest import Outcome
from tests.training import wider_data
from tests.training.conftest import Ground

from dartblur.training import progress, run
from dartblur.training.checkpoint import read

Run = Callable[..., Outcome]
LABELS = Path("wider_face_split") / "wider_face_train_bbx_gt.txt"
PICTURES = Path("WIDER_train") / "images" / "0--Drawn"


def no_labels(root: Path) -> None:
    (root / LABELS).unlink()


def labels_without_a_picture(root: Path) -> None:
    (root / PICTURES / "2.png").unlink()


def an_unreadable_picture(root: Path) -> None:
    (root / PICTURES / "3.png").write_bytes(b"\x89PNG cut off")


def a_box_outside(root: Path) -> None:
    text = (root / LABELS).read_text()
    assert "\n10 20 30 36 " in text
    (root / LABELS).write_text(text.replace("\n10 20 30 36 ", "\n500 20 30 36 "))


def no_face_at_all(root: Path) -> None:
    lines = (root / LABELS).read_text().splitlines()
    names = [line for line in lines if line.endswith(".png")]
    (root / LABELS).write_text("".join(f"{name}\n0\n0 0 0 0 0 0 0 0 0 0\n" for name in names))


def told_of(command: Run, ground: Ground, data: Path, out: Path) -> str:
    """What the training says that stops before it begins."""
    outcome = command("train", "--config", ground.config, "--data", data, "-o", out)
    assert outcome.status == 1
    assert "Traceback" not in outcome.error
    assert list(out.iterdir()) == []
    return outcome.error


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (no_labels, "data: has no labels of faces"),
        (labels_without_a_picture, "2.png: named in"),
        (an_unreadable_picture, "3.png: not a picture that can be read"),
        (a_box_outside, "0.png: box [500.  20. 530.  56.] lies outside the picture of 96 × 96"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_data_set_is_1_and_named(
    ground: Ground, tmp_path: Path, command: Run, spoil: Callable[[Path], None], told: str
) -> None:
    data = wider_data.make(tmp_path / "data")
    spoil(data)
    assert told in told_of(command, ground, data, tmp_path / "run")


def test_no_face_in_any_picture_is_1(
    ground: Ground, tmp_path: Path, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = wider_data.make(tmp_path / "data")
    no_face_at_all(data)
    # The f of these tests has random values, and sees faces where there are none.
    monkeypatch.setattr(run, "with_detections", lambda pictures, *_, **__: pictures)
    told = told_of(command, ground, data, tmp_path / "run")
    assert "no picture of split train has a face" in told


def full(*_: object, **__: object) -> None:
    """What any function does on a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_1_and_the_last_good_checkpoint_stays(
    ground: Ground, tmp_path: Path, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = ground.config.read_text()
    for old, new in (
        ("save_minutes = 0.5", "save_minutes = 0.0"),
        ("sheet_rounds = 4", "sheet_rounds = 1"),
        ("rounds = 8", "rounds = 2"),
    ):
        text = text.replace(old, new)
    (tmp_path / "c.toml").write_text(text)
    out = tmp_path / "run"
    words = ["train", "--config", tmp_path / "c.toml", "--data", ground.data, "-o", out]
    # One training that is resumed after each: round 1 is saved before its sheet is drawn.
    for holder, name, file in (
        (Path, "write_bytes", "000001.png: cannot be written"),
        (progress.csv.DictWriter, "writerow", "log.csv: cannot be written"),
        (os, "fsync", "checkpoint.pt: the checkpoint of round 2 cannot be written"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(holder, name, full)
            outcome = command(*words)
        assert outcome.status == 1
        assert file in outcome.error
        assert "No space left on device" in outcome.error
        assert "Traceback" not in outcome.error
        assert read(out / "checkpoint.pt")["round"] == 1
        assert not list(out.glob("*.part"))
        words = [*words[:7], "--resume"]
    assert command(*words).status == 0
    assert read(out / "checkpoint.pt")["round"] == 2
    rows = (out / "log.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["round", "1", "2"]


def test_a_line_that_a_full_disk_cut_off_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("round,seconds,cycle\n1,0.5,3.0\n2,0.9,2.0\n1")
    report = progress.Report(tmp_path, ["cycle"], rounds=9, done=2, shown=True)
    report(3, {"cycle": 1.0})
    report.close()
    lines = (tmp_path / "log.csv").read_text().split()
    assert lines[:3] == ["round,seconds,cycle", "1,0.5,3.0", "2,0.9,2.0"]
    assert lines[3].startswith("3,")
    assert len(lines) == 4
