"""Killed at any moment and run again: nothing lost, nothing leaked, no part-written file."""

import io
import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.conftest import Outcome
from tests.pictures import middle, smooth, state, textured, tree

from dartblur.batch import worker

COUNT, HEIGHT, WIDTH = 30, 210, 300
SUFFIXES = (".png", ".jpg", ".webp")
REPORT = "report.jsonl"


class Killed(BaseException):
    """Nothing of ours catches it, as nothing catches a kill."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("killed") / "in"
    for number in range(COUNT):
        path = place / f"{number % 3}" / f"{number:02}{SUFFIXES[number % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = textured(HEIGHT, WIDTH, number) // 4 + smooth(HEIGHT, WIDTH) // 2
        Pillow.fromarray(image).save(path)
    return place


@pytest.fixture(scope="module")
def boxes(folder: Path) -> Path:
    """One face in each picture: that saves each run the time of finding it."""
    x1, y1, x2, y2 = middle(HEIGHT, WIDTH).boxes[0].tolist()
    names = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*"))
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    rows = [{"image_id": i, "bbox": [x1, y1, x2 - x1, y2 - y1]} for i in range(len(names))]
    path = folder.parent / "boxes.json"
    path.write_text(json.dumps({"images": images, "annotations": rows}))
    return path


# The command, which kills itself at its Nth file: before its part is written, in the middle of it,
# before it gets its name, or after. So no kill rests on how fast the machine is.
DYING = """
import os, signal, sys
from dartblur import cli
from dartblur.batch import worker
number, moment = int(sys.argv.pop(1)), sys.argv.pop(1)
real, begun = worker.write_atomically, []

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def write(target, data, parts=None):
    begun.append(target)
    if len(begun) != number:
        return real(target, data, parts)
    if moment == "before":
        die()
    if moment in ("half", "unnamed"):
        part = parts / ".dartblur-dying.part"
        part.write_bytes(data[: len(data) // 2] if moment == "half" else data)
        die()
    real(target, data, parts)
    die()

worker.write_atomically = write
cli.main()
"""


def start(
    folder: Path, out: Path, boxes: Path, dying: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    command = ["-c", DYING, *dying] if dying else ["-m", "dartblur"]
    words = ["anonymize", str(folder), "-o", str(out), "--boxes", str(boxes), "--workers", "2"]
    return subprocess.Popen([sys.executable, *command, *words], stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def whole(folder: Path, boxes: Path) -> Path:
    """What a run that nobody disturbs makes."""
    out = folder.parent / "whole"
    with start(folder, out, boxes) as run:
        _, error = run.communicate()
    assert run.returncode == 0, error
    return out


def pictures(out: Path) -> list[str]:
    return tree(out)


def check_state(folder: Path, out: Path, whole: Path) -> None:
    """Everything under a final name is finished; parts lie in the state folder alone."""
    for name in pictures(out):
        data = (out / name).read_bytes()
        assert data == (whole / name).read_bytes()
        assert data != (folder / name).read_bytes()
        with Pillow.open(io.BytesIO(data)) as image:
            image.load()
    for part in out.parent.rglob("*.part"):
        assert part.parent == state(out)


def test_killed_again_and_again(tmp_path: Path, folder: Path, boxes: Path, whole: Path) -> None:
    chance = random.Random(7)
    out = tmp_path / "out"
    for moment in ("half", "after", "before", "unnamed"):
        before = len(pictures(out))
        # Two workers: while one is at this file, the other may be anywhere.
        with start(folder, out, boxes, (str(chance.randint(1, 4)), moment)) as run:
            _, error = run.communicate()
        assert run.returncode == -signal.SIGKILL, error
        assert "Traceback" not in error
        check_state(folder, out, whole)
        assert len(pictures(out)) >= before  # what was done stays
    assert 0 < len(pictures(out)) < COUNT
    with start(folder, out, boxes) as run:
        _, error = run.communicate()
    assert run.returncode == 0, error
    assert "already done" in error
    assert pictures(out) == pictures(whole)
    check_state(folder, out, whole)
    assert not list(out.parent.rglob("*.part"))
    lines = [json.loads(line) for line in (state(out) / REPORT).read_text().splitlines()]
    assert {line["status"] for line in lines} == {"done"}
    assert [line["file"] for line in lines] == pictures(whole)


@pytest.mark.parametrize("moment", ["before the name", "after the name", "in the middle"])
def test_killed_while_a_file_gets_its_name(
    tmp_path: Path,
    hide: Callable[..., Outcome],
    save: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    """The moments that a kill by chance seldom hits."""
    for name in ("a.png", "b.png", "c.png"):
        save(tmp_path / "in" / name)
    out = tmp_path / "out"
    real = worker.write_atomically

    def write(target: Path, data: bytes, parts: Path | None = None) -> None:
        if target.name == "b.png":
            assert parts is not None
            if moment == "in the middle":
                (parts / ".dartblur-x.part").write_bytes(data[:50])
            if moment == "after the name":
                real(target, data, parts)
            raise Killed
        real(target, data, parts)

    monkeypatch.setattr(worker, "write_atomically", write)
    with pytest.raises(Killed):
        hide(tmp_path / "in", "-o", out)
    monkeypatch.setattr(worker, "write_atomically", real)
    stamp = (out / "a.png").stat().st_mtime_ns
    assert hide(tmp_path / "in", "-o", out).status == 0
    assert tree(out) == ["a.png", "b.png", "c.png"]
    assert (out / "a.png").stat().st_mtime_ns == stamp
    assert not list(out.parent.rglob("*.part"))
    safe = [np.array(Pillow.open(out / f"{name}.png")) for name in "abc"]
    np.testing.assert_array_equal(safe[0], safe[1])
    np.testing.assert_array_equal(safe[0], safe[2])
