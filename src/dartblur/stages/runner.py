"""Runs a plan: makes the stages whose file is not there, several at a time where asked."""

from __future__ import annotations

import csv
import fcntl
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from dartblur.errors import InputError, UsageError
from dartblur.files import atomic_path, remove_parts
from dartblur.stages.stage import Stage

FOLDER = "stages"
LOG = "stages.csv"


@dataclass(frozen=True)
class Usage:
    """What one stage took: a line of the log. peak_mib: most memory of its process until then."""

    kind: str
    title: str
    key: str
    seconds: float
    cpu_seconds: float
    peak_mib: int


@dataclass
class Progress:
    """How far a plan is. Costs are in the stages' own unit."""

    total: int
    done: int
    cost_left: float
    workers: int
    spent: float = 0.0
    cost_done: float = 0.0

    def add(self, stage: Stage, seconds: float) -> None:
        """One more stage has ended."""
        cost = stage.work.cost()
        self.done += 1
        self.spent += seconds
        self.cost_done += cost
        self.cost_left = max(self.cost_left - cost, 0.0)

    def seconds_left(self) -> float | None:
        """By what stages took so far; None before the first."""
        if not self.cost_done:
            return None
        return self.cost_left * self.spent / self.cost_done / self.workers


ProgressCallback = Callable[[Progress, Stage], None]
"""Called at the end of each stage."""


def run_stages(
    stages: tuple[Stage, ...], run: Path, workers: int, on_progress: ProgressCallback
) -> None:
    """Makes what is missing; `stages` stand in an order in which each finds its inputs.

    Raises:
        UsageError: another process works in `run`.
        InputError: a stage failed; what was made until then is kept.
    """
    folder = run / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(run):
        remove_parts(folder)
        missing = [s for s in stages if not s.path(folder).exists()]
        cost = sum(s.work.cost() for s in missing)
        progress = Progress(len(stages), len(stages) - len(missing), cost, workers)
        if workers == 1:
            for stage in missing:
                _ended(run, stage, make(stage, folder), progress, on_progress)
        else:
            _in_parallel(missing, run, progress, on_progress)


def make(stage: Stage, folder: Path) -> Usage:
    """Makes one stage's file, whole or not at all."""
    began, cpu = time.monotonic(), time.process_time()
    with atomic_path(stage.path(folder)) as part:
        stage.make(folder, part)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    kind = type(stage.work).__name__.lower()
    wall, busy = time.monotonic() - began, time.process_time() - cpu
    return Usage(kind, stage.title, stage.key, round(wall, 2), round(busy, 2), peak)


def read_log(run: Path) -> list[Usage]:
    """What the stages took that were made in this folder, in the order of their ends."""
    path = run / LOG
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Usage(r["kind"], r["title"], r["key"], float(r["seconds"]), float(r["cpu_seconds"]),
              int(r["peak_mib"]))
        for r in rows
    ]  # fmt: skip


def _in_parallel(
    missing: list[Stage], run: Path, progress: Progress, on_progress: ProgressCallback
) -> None:
    folder = run / FOLDER
    waiting = {stage.key: stage for stage in missing}
    running: dict[Future[Usage], Stage] = {}
    # Fork would copy the threads of torch in a state that nobody knows. The server, which only
    # imports, has none: the workers get its modules for nothing.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list({type(stage.work).__module__ for stage in missing}))
    with ProcessPoolExecutor(progress.workers, mp_context=context) as pool:
        try:
            while waiting or running:
                for key in _ready(waiting, running.values())[: progress.workers - len(running)]:
                    stage = waiting.pop(key)
                    running[pool.submit(make, stage, folder)] = stage
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    _ended(run, running.pop(future), future.result(), progress, on_progress)
        except BrokenProcessPool as error:
            raise InputError(
                f"{run}: a worker process was killed, perhaps for want of memory; run again with "
                "fewer workers"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _ready(waiting: dict[str, Stage], running: Iterable[Stage]) -> list[str]:
    """Those whose inputs have ended: a file is there before its stage is logged."""
    pending = waiting.keys() | {stage.key for stage in running}
    return [
        key
        for key, stage in waiting.items()
        if not any(needed.key in pending for needed in stage.inputs)
    ]


def _ended(
    run: Path, stage: Stage, usage: Usage, progress: Progress, on_progress: ProgressCallback
) -> None:
    log = run / LOG
    new = not log.exists()
    with log.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow([f.name for f in fields(Usage)])
        writer.writerow(astuple(usage))
    progress.add(stage, usage.seconds)
    on_progress(progress, stage)


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    """Holds the folder; the system lets go of it when the process ends, however it ends."""
    with (run / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(
                f"{run}: another process works here; wait for it or stop it"
            ) from error
        yield
