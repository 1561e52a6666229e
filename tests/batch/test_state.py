"""What is private lies beside the output, never in it."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Outcome
from tests.pictures import state, tree

Hide = Callable[..., Outcome]
Save = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, save: Save) -> Path:
    for name in ("a.png", "sub/b.png"):
        save(tmp_path / "in" / name)
    return tmp_path / "in"


def test_the_output_holds_pictures_alone(tmp_path: Path, folder: Path, hide: Hide) -> None:
    out = tmp_path / "safe"
    outcome = hide(folder, "-o", out)
    found = sorted(path.relative_to(out).as_posix() for path in out.rglob("*"))
    assert found == ["a.png", "sub", "sub/b.png"]
    assert (state(out) / "report.jsonl").is_file()
    assert state(out).stat().st_mode & 0o077 == 0
    assert "report.jsonl" in outcome.error


def test_the_report_names_no_place_of_this_machine(
    tmp_path: Path, folder: Path, hide: Hide, save: Save
) -> None:
    (folder / "bad.png").write_bytes(b"bad")
    (folder / "away.png").symlink_to(save(tmp_path / "else where" / "x.png"))
    other = save(tmp_path / "twin" / "in" / "a.png")
    out = tmp_path / "safe"
    out.mkdir()
    (out / "in").mkdir()
    (out / "in" / "a.png").write_bytes(b"somebody's")
    assert hide(folder, other.parent, "-o", out, "--overwrite").status == 1
    assert hide(folder, "-o", out).status == 1
    text = (state(out) / "report.jsonl").read_text()
    for name in (*tmp_path.parts[1:], "else"):
        assert f"/{name}/" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert {line["file"] for line in lines} >= {"a.png", "bad.png", "in/bad.png", "in/a.png"}
    assert all(not os.path.isabs(line["source"]) for line in lines)  # noqa: PTH117


@pytest.mark.parametrize("name", [".", "..", "out/", "deep/er"])
def test_the_state_lies_beside_the_real_folder(
    tmp_path: Path, folder: Path, hide: Hide, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "x" / "y"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    assert hide(folder, "-o", name).status == 0
    assert state((here / name).resolve()).is_dir()
    assert "0 done, 2 already done" in hide(folder, "-o", name).error


def test_nothing_lies_beside_the_root(folder: Path, hide: Hide) -> None:
    outcome = hide(folder, "-o", "/")
    assert outcome.status == 2
    assert "--state" in outcome.error


def test_a_state_that_cannot_be_made_is_told(tmp_path: Path, folder: Path, hide: Hide) -> None:
    out = tmp_path / "out"
    state(out).write_text("in the way")
    outcome = hide(folder, "-o", out)
    assert outcome.status == 2
    assert "name another place with --state" in outcome.error
    assert tree(out) == []
    assert hide(folder, "-o", out, "--state", tmp_path / "new" / "s").status == 0
    assert (tmp_path / "new" / "s" / "ledger.sqlite").is_file()
    again = hide(folder, "-o", out, "--state", tmp_path / "new" / "s")
    assert "2 already done" in again.error


def test_a_state_in_an_input_is_refused(tmp_path: Path, folder: Path, hide: Hide) -> None:
    outcome = hide(folder, "-o", tmp_path / "out", "--state", folder / "s")
    assert outcome.status == 2
    assert "may not lie in an input" in outcome.error
    assert not (folder / "s").exists()


def test_a_state_on_another_file_system(tmp_path: Path, folder: Path, hide: Hide) -> None:
    """Of an output that is a mount point: parts then lie in it until they are whole."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("a file system can be mounted by root alone")
    try:
        assert hide(folder, "-o", disk).status == 0
        assert sorted(p.name for p in disk.iterdir()) == ["a.png", "sub"]
        (disk / ".dartblur-x.part").write_bytes(b"of a killed run")
        assert "2 already done" in hide(folder, "-o", disk).error
        assert sorted(p.name for p in disk.iterdir()) == ["a.png", "sub"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_single_file_can_be_done_again(tmp_path: Path, folder: Path, hide: Hide) -> None:
    target = tmp_path / "safe" / "a.png"
    words = (folder / "a.png", "-o", target)
    assert hide(*words).status == 0
    made = target.stat().st_mtime_ns
    again = hide(*words)
    assert (again.status, target.stat().st_mtime_ns) == (0, made)
    assert "0 done, 1 already done (1 faces)" in again.error
    assert hide(*words, "--colour", 9, 9, 9).status == 0
    assert target.stat().st_mtime_ns != made
    assert [path.name for path in target.parent.iterdir()] == ["a.png"]
    target.write_bytes(b"somebody's")
    outcome = hide(*words)
    assert outcome.status == 1
    assert "exists and is not known as an earlier run's; --overwrite" in outcome.error
    assert target.read_bytes() == b"somebody's"


def test_a_single_file_without_a_home(
    tmp_path: Path, folder: Path, hide: Hide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/none")
    words = (folder / "a.png", "-o", tmp_path / "safe.png")
    assert hide(*words).status == 0
    assert "is not known as an earlier run's; --overwrite" in hide(*words).error


@pytest.mark.parametrize("count", [1, 2])
def test_several_inputs_and_a_file_to_write(
    tmp_path: Path, folder: Path, hide: Hide, save: Save, count: int
) -> None:
    inputs = (folder,) if count == 1 else (folder / "a.png", folder / "sub" / "b.png")
    outcome = hide(*inputs, "-o", tmp_path / "y.png")
    assert outcome.status == 2
    assert "is named like a single file" in outcome.error
    assert not (tmp_path / "y.png").exists()
