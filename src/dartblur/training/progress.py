"""What a training tells while it runs: a progress bar and a CSV log."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dartblur.errors import TrainingError
from dartblur.formatting import duration

LOG = "log.csv"
SHEETS = "sheets"
T = TypeVar("T")


@dataclass
class StatusLines:
    """Lines on standard error, in a terminal or a log file alike.

    shown: False in all processes but one. seconds: the least time between two lines of one work.
    """

    shown: bool = True
    seconds: float = 20.0
    clock: Callable[[], float] = time.monotonic

    def __call__(self, line: str) -> None:
        """Tells a line."""
        if self.shown:
            print(line, file=sys.stderr, flush=True)

    def each(self, items: Iterable[T], total: int, what: str) -> Iterator[T]:
        """The items, at most `total` of them, with a line now and then of how many were given."""
        began = last = self.clock()
        for done, item in enumerate(items, 1):
            now = self.clock()
            if now - last >= self.seconds:
                left = (now - began) / done * (total - done)
                self(f"{done} of {total} {what}, {duration(left)} left")
                last = now
            yield item

    def pace(self, done: int, rounds: int, seconds: float) -> None:
        """After the first round, which is told as such, and the tenth: what all will take."""
        if done in (1, 10):
            each = seconds / done
            self(f"{each:.1f} s a round: {rounds - done} rounds, about {duration(each * rounds)}")


class Report:
    """Progress bar with losses and time left, and `log.csv` with one line a round.

    names: of all losses; a round may leave some out.
    """

    def __init__(
        self, out: Path, names: Sequence[str], rounds: int, done: int, shown: bool
    ) -> None:
        self._file = out / LOG
        self._columns = ["round", "seconds", *names]
        self._shown = shown
        self._started = time.monotonic()
        columns = (
            TextColumn("round"),
            MofNCompleteColumn(),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}"),
        )
        self._bar = Progress(*columns, disable=not shown)
        self._task = self._bar.add_task("", total=rounds, completed=done, losses="")
        self._means: dict[str, float] = {}
        self._bar.start()
        if shown:
            self._keep_until(done)

    def __call__(self, done: int, losses: dict[str, float]) -> None:
        """Tells of one round."""
        if not self._shown:
            return
        for name, value in losses.items():
            self._means[name] = 0.95 * self._means.get(name, value) + 0.05 * value
        text = " ".join(f"{name} {value:.3f}" for name, value in self._means.items())
        self._bar.update(self._task, completed=done, losses=text)
        row = {"round": done, "seconds": round(time.monotonic() - self._started, 2), **losses}
        try:
            new = not self._file.exists()
            with self._file.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, fieldnames=self._columns)
                if new:
                    writer.writeheader()
                writer.writerow(row)
        except OSError as error:
            raise TrainingError(
                f"{self._file}: cannot be written ({error.strerror}); make room"
            ) from error

    def close(self) -> None:
        """Ends the progress bar."""
        self._bar.stop()

    def _keep_until(self, done: int) -> None:
        """Drops the rounds after the checkpoint, done again, and what a full disk cut off."""
        if not self._file.exists():
            return
        lines = self._file.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = (line for line in lines[1:] if line.endswith("\n"))
        kept = [line for line in whole if int(line.split(",")[0]) <= done]
        if kept:
            self._columns = lines[0].strip().split(",")
        self._file.write_text("".join([*lines[:1], *kept]) if kept else "", encoding="utf-8")
        if not kept:
            self._file.unlink()
