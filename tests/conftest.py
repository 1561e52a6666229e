"""Pictures, trees and ways to run the command that many tests share."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from PIL import Image as Pillow
from tests.pictures import Array, MiddleDetector, textured

from dartblur import cli

# A busy machine must not fail a test that is right.
settings.register_profile("dartblur", max_examples=50, deadline=None)
settings.load_profile("dartblur")


@dataclass(frozen=True)
class Outcome:
    """What a run of the command came to."""

    status: int
    error: str


@pytest.fixture
def stub_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every detector that the command makes is a `MiddleDetector`, once its options are checked."""
    from dartblur import pipeline
    from dartblur.detectors import make_detector

    def make(name: str, threshold: float | None, threads: int, device: str) -> MiddleDetector:
        make_detector(name, threshold, threads, device)
        return MiddleDetector()

    monkeypatch.setattr(pipeline, "make_detector", make)


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Outcome]:
    """Runs `dartblur WORDS...` inside this process."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("states")))
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", Pillow.MAX_IMAGE_PIXELS)  # main sets it

    def run(*words: object) -> Outcome:
        monkeypatch.setattr(cli.app, "config", ())  # of an earlier run in this process
        monkeypatch.setattr(sys, "argv", ["dartblur", *(str(word) for word in words)])
        capfd.readouterr()
        # main sets filters of its own, and cyclopts warns of sys.argv in tests.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Cyclopts application invoked")
            with pytest.raises(SystemExit) as stop:
                cli.main()
        assert isinstance(stop.value.code, int)
        return Outcome(stop.value.code, "".join(capfd.readouterr()))

    return run


@pytest.fixture
def hide(command: Callable[..., Outcome], stub_detector: None) -> Callable[..., Outcome]:
    """Runs `dartblur anonymize` with a stub for a detector, one worker and the plain block."""

    def run(*words: object, method: str = "block") -> Outcome:
        settings = ("--method", method, "--workers", 1, "--margin", 0)
        return command("anonymize", *words, *settings)

    return run


@pytest.fixture
def save() -> Callable[..., Path]:
    """Writes a picture, its folders included; returns the path."""

    def write(path: Path, image: Array | None = None, **options: object) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(textured(48, 60) if image is None else image).save(path, **options)
        return path

    return write
