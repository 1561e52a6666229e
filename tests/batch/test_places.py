"""Disks that are full, folders that cannot be written, and people who stop a run."""

import errno
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.conftest import Outcome
from tests.pictures import assert_is_hidden, textured, tree

from dartblur import files, pipeline, video
from dartblur.batch import worker
from dartblur.errors import VideoError

Hide = Callable[..., Outcome]
Save = Callable[..., Path]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root alone")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(tmp_path: Path, small_disk: Path, hide: Hide, save: Save) -> None:
    for number in range(8):
        save(tmp_path / "in" / f"{number}.png", textured(150, 150, number))
    out = small_disk / "out"
    outcome = hide(tmp_path / "in", "-o", out)
    assert outcome.status == 1
    assert "No space left on device" in outcome.error or "disk is full" in outcome.error
    assert str(small_disk) in outcome.error
    assert "Traceback" not in outcome.error
    for name in tree(out):
        if name.endswith(".png"):
            clear = np.array(Pillow.open(tmp_path / "in" / name))
            assert_is_hidden(clear, np.array(Pillow.open(out / name)))
    assert not list(small_disk.rglob("*.part"))


def test_a_disk_that_fills_up_and_is_freed(
    tmp_path: Path, hide: Hide, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        save(tmp_path / "in" / name)
    real = files.write_atomically

    def write(target: Path, data: bytes, folder: Path | None = None) -> None:
        if target.name == "b.png":
            with files.atomic_path(target, folder) as part:
                part.write_bytes(data[:100])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(target, data, folder)

    monkeypatch.setattr(worker, "write_atomically", write)
    outcome = hide(tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.status == 1
    assert "b.png: cannot be written: No space left on device" in outcome.error
    assert tree(tmp_path / "out") == ["a.png", "c.png"]
    assert not list(tmp_path.rglob("*.part"))
    monkeypatch.setattr(worker, "write_atomically", real)
    assert hide(tmp_path / "in", "-o", tmp_path / "out").status == 0
    assert tree(tmp_path / "out") == ["a.png", "b.png", "c.png"]


def test_an_output_that_cannot_be_made(tmp_path: Path, hide: Hide, save: Save) -> None:
    save(tmp_path / "in" / "a.png")
    outcome = hide(tmp_path / "in", "-o", "/proc/dartblur/out")
    assert outcome.status == 2
    assert "/proc/dartblur/out" in outcome.error
    assert "Traceback" not in outcome.error


def test_a_read_only_disk(tmp_path: Path, small_disk: Path, hide: Hide, save: Save) -> None:
    save(tmp_path / "in" / "a.png")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for out in (small_disk / "out", small_disk, small_disk / "a.png"):
        outcome = hide(tmp_path / "in" / "a.png", "-o", out)
        assert outcome.status in (1, 2)
        assert "Read-only file system" in outcome.error
        assert str(small_disk) in outcome.error
        assert "Traceback" not in outcome.error


@pytest.mark.parametrize("when", ["reading", "writing"])
def test_a_run_that_is_interrupted_goes_on_later(
    tmp_path: Path, hide: Hide, save: Save, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    for number in range(6):
        save(tmp_path / "in" / f"{number}.png")
    name = "read_picture" if when == "reading" else "write_atomically"
    room = pipeline if when == "reading" else worker
    real = getattr(room, name)

    def stop(path: Path, *rest: object, **named: object) -> object:
        if path.name == "3.png":
            raise KeyboardInterrupt
        return real(path, *rest, **named)

    monkeypatch.setattr(room, name, stop)
    outcome = hide(tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.status == 130
    assert "run the same command again" in outcome.error
    assert "Traceback" not in outcome.error
    assert "3.png" not in tree(tmp_path / "out")
    assert not list(tmp_path.rglob("*.part"))
    monkeypatch.setattr(room, name, real)
    assert hide(tmp_path / "in", "-o", tmp_path / "out").status == 0
    assert tree(tmp_path / "out") == [*(f"{n}.png" for n in range(6))]


def test_a_film_can_be_interrupted(
    tmp_path: Path, hide: Hide, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interrupt reaches the main thread: a film done in another would go on to its end."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").write_bytes(b"a film")
    threads = []

    def film(*_: object, **__: object) -> object:
        threads.append(threading.current_thread())
        raise VideoError("a.mp4: no film")

    monkeypatch.setattr(video, "hide_film", film)
    outcome = hide(tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.status == 1
    assert "a.mp4: no film" in outcome.error
    assert threads == [threading.main_thread()]


def test_a_fault_of_ours_is_told_as_such_and_stops_nobody(
    tmp_path: Path, hide: Hide, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "b.png"):
        save(tmp_path / "in" / name)
    real = pipeline.encode_picture

    def fail(picture: object, name: Path, *, keep_metadata: bool) -> bytes:
        if name.name == "a.png":
            raise ZeroDivisionError("a fault")
        return real(picture, name, keep_metadata=keep_metadata)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "encode_picture", fail)
    outcome = hide(tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.status == 1
    assert "a.png: internal error, please report: ZeroDivisionError: a fault" in outcome.error
    assert tree(tmp_path / "out") == ["b.png"]


def test_too_little_memory_for_one_picture(
    tmp_path: Path, hide: Hide, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "b.png"):
        save(tmp_path / "in" / name)
    real = pipeline.encode_picture

    def fail(picture: object, name: Path, *, keep_metadata: bool) -> bytes:
        if name.name == "a.png":
            raise MemoryError
        return real(picture, name, keep_metadata=keep_metadata)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "encode_picture", fail)
    outcome = hide(tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.status == 1
    assert "a.png: too large for the memory there is" in outcome.error
    assert tree(tmp_path / "out") == ["b.png"]


@pytest.mark.parametrize("limit", [0.001, 0.0028])
def test_pictures_over_the_limit_are_refused(
    tmp_path: Path, hide: Hide, save: Save, limit: float
) -> None:
    save(tmp_path / "in" / "a.png")  # 60 × 48 = 2,880
    outcome = hide(tmp_path / "in", "-o", tmp_path / "out", "--max-megapixels", limit)
    assert outcome.status == 1
    assert "60 × 48 pixels are more than" in outcome.error
    assert "--max-megapixels" in outcome.error
    assert hide(tmp_path / "in", "-o", tmp_path / "out", "--max-megapixels", 0.00289).status == 0
