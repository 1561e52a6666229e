"""What the commands of research say: before they begin, while they work, and of what they wrote."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from tests.conftest import Outcome
from tests.training.conftest import Ground

from dartblur.training.progress import StatusLines

Command = Callable[..., Outcome]


def test_progress_is_told_within_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = count()
    told = StatusLines(clock=lambda: 7.0 * next(seconds))
    assert list(told.each(range(10), 40, "things done")) == list(range(10))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "3 of 40 things done, 4 min left"
    assert len(lines) == 3


def test_other_processes_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    told = StatusLines(shown=False, seconds=0.0)
    list(told.each(range(3), 3, "things"))
    told("line")
    told.pace(1, 2, 3.0)
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("device", ["cuda", "gpu"])
def test_a_device_that_is_not_there_is_2_in_words(
    ground: Ground, tmp_path: Path, command: Command, device: str
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(ground.config.read_text().replace('"cpu"', f'"{device}"'))
    outcome = command("train", "--config", config, "--data", ground.data, "-o", tmp_path / "run")
    assert outcome.status == 2
    [line] = outcome.error.splitlines()
    assert f"run.device: '{device}' is asked for" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_help_has_one_config_and_no_positional(command: Command, name: str) -> None:
    told = command(name, "--help").error
    assert len(re.findall(r"(?m)^│[ *]+--config\b", told)) == 1
    assert "RESUME" not in told
