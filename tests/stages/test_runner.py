"""The engine on work of the tests: nothing of a benchmark, nothing of torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dartblur.errors import InputError, UsageError
from dartblur.stages.runner import FOLDER, Progress, _ready, read_log, run_stages
from dartblur.stages.stage import Stage


@dataclass(frozen=True)
class Add:
    """Writes its number and the sum of its inputs'."""

    number: int
    broken: bool = False

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        if self.broken:
            target.write_text("half")
            raise InputError("it is broken")
        target.write_text(str(self.number + sum(int(path.read_text()) for path in inputs)))

    def dependencies(self) -> dict[str, Any]:
        return {"number": self.number}

    def cost(self) -> float:
        return 1.0

    def memory(self) -> float:
        return 1.0


def three(last: int = 3, broken: bool = False) -> tuple[Stage, ...]:
    one, two = Stage("one", Add(1)), Stage("two", Add(2))
    return one, two, Stage("sum", Add(last, broken), (one, two))


def quiet(_: Progress, __: Stage) -> None:
    pass


def made(run: Path) -> int:
    return len(list((run / FOLDER).glob("[!.]*")))


@pytest.mark.parametrize("workers", [1, 2])
def test_each_stage_is_made_once_from_its_inputs(tmp_path: Path, workers: int) -> None:
    stages = three()
    run_stages(stages, tmp_path, workers, quiet)
    assert stages[-1].path(tmp_path / FOLDER).read_text() == "6"
    assert [usage.title for usage in read_log(tmp_path)][-1] == "sum"
    run_stages(stages, tmp_path, workers, quiet)
    assert len(read_log(tmp_path)) == 3


def test_a_stage_waits_until_its_inputs_have_ended(tmp_path: Path) -> None:
    """Also where their files are there: else it could be logged before them."""
    one, two, last = three()
    run_stages((one, two), tmp_path, 1, quiet)
    assert _ready({last.key: last}, [two]) == []
    assert _ready({two.key: two, last.key: last}, []) == [two.key]
    assert _ready({last.key: last}, []) == [last.key]


def test_a_changed_cause_has_another_name(tmp_path: Path) -> None:
    run_stages(three(), tmp_path, 1, quiet)
    run_stages(three(last=4), tmp_path, 1, quiet)
    assert made(tmp_path) == 4


def test_a_broken_stage_leaves_nothing_and_what_was_made_stays(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="broken"):
        run_stages(three(broken=True), tmp_path, 1, quiet)
    assert made(tmp_path) == 2
    run_stages(three(), tmp_path, 1, quiet)
    assert made(tmp_path) == 3


def test_two_runs_cannot_share_a_folder(tmp_path: Path) -> None:
    def again(_: Progress, __: Stage) -> None:
        run_stages(three(), tmp_path, 1, quiet)

    with pytest.raises(UsageError, match="another process"):
        run_stages(three(), tmp_path, 1, again)


def test_the_engine_needs_no_torch() -> None:
    script = "import sys, dartblur.stages.runner; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=100)
