"""`evaluate-photo`: a figure of what detectors find."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Outcome
from tests.pictures import tree

pytest.importorskip("matplotlib", reason="comes with the extra evaluate")

from dartblur.evaluation import photo_command
from dartblur.evaluation.figures import Panel

PHOTO = Path(__file__).parents[2] / "examples" / "astronaut.jpg"
Run = Callable[..., Outcome]
FAST = ("--hider", "fast", "--methods", "clear", "block", "--detectors", "centerface")


def test_a_figure_is_drawn_of_what_is_found(
    tmp_path: Path, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[list[list[Panel]]] = []
    real = photo_command.detections
    monkeypatch.setattr(photo_command, "detections", lambda p: [drawn.append(p), real(p)][1])
    outcome = command("evaluate-photo", PHOTO, "-o", tmp_path / "new" / "f.png", *FAST)
    assert outcome.status == 0
    assert [f"wrote {tmp_path / 'new' / f'f.{kind}'}" for kind in ("png", "svg")] == [
        line for line in outcome.error.splitlines() if line.startswith("wrote")
    ]
    assert tree(tmp_path) == ["new/f.png", "new/f.svg"]
    [[[clear, block]]] = drawn
    assert clear.title == "clear\ncenterface: 1 face"
    assert block.title == "block\ncenterface: 0 faces"
    assert ((clear.image == block.image).all(axis=2).mean()) > 0.9
    again = ("evaluate-photo", PHOTO, "-o", tmp_path / "new" / "f", *FAST)
    assert command(*again).status == 1
    assert command(*again, "--overwrite").status == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--methods", "clear", "melt"), "melt"),
        (("--detectors", "eagle"), "libfacedetection"),
        (("--hider", "eagle"), "eagle"),
        (("--threshold", 2), "2"),
    ],
)
def test_wrong_calls_are_2(
    tmp_path: Path, command: Run, words: tuple[object, ...], told: str
) -> None:
    outcome = command("evaluate-photo", PHOTO, "-o", tmp_path / "f", *words)
    assert outcome.status == 2
    assert told in outcome.error
    assert tree(tmp_path) == []


def test_the_photo_is_never_written_over(tmp_path: Path, command: Run) -> None:
    photo = tmp_path / "p.png"
    photo.write_bytes(PHOTO.read_bytes())
    assert command("evaluate-photo", photo, "-o", photo, "--overwrite", *FAST).status == 1
    assert photo.read_bytes() == PHOTO.read_bytes()
