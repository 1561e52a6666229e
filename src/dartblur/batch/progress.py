"""How far the work is, with its rate and the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from dartblur.formatting import printable

FILES, FILM = "files", "s of film"


class _Done(ProgressColumn):
    """How much of how much, of what."""

    def render(self, task: Task) -> Text:
        total = "?" if task.total is None else f"{task.total:.0f}"
        return Text(f"{task.completed:.0f}/{total} {task.fields['unit']}")


class _Rate(ProgressColumn):
    """Files a second, or how many times as fast as it plays a film is done."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if speed is None:
            return Text("")
        return Text(f"{speed:.1f}× speed" if task.fields["unit"] == FILM else f"{speed:.1f}/s")


class _Elapsed(TimeElapsedColumn):
    def render(self, task: Task) -> Text:
        return super().render(task).append(" gone")


class _Remaining(TimeRemainingColumn):
    def render(self, task: Task) -> Text:
        return super().render(task).append(" left")


@dataclass(frozen=True)
class Bar:
    """A progress bar on the error stream, above which lines can be printed."""

    _progress: Progress
    _task: TaskID

    def advance(self) -> None:
        """One more file has ended."""
        self._progress.advance(self._task)

    @contextmanager
    def film(self, name: str) -> Iterator[Callable[[float, float | None], None]]:
        """A bar of its own for one film, in seconds of film; yields what moves it."""
        task = self._progress.add_task(printable(name).replace("[", r"\["), total=None, unit=FILM)
        try:
            yield lambda done, total: self._progress.update(task, completed=done, total=total)
        finally:
            self._progress.remove_task(task)

    def say(self, line: str) -> None:
        """A line that stays."""
        # Text, not a string: names may hold what would read as markup.
        self._progress.console.print(Text(printable(line)), soft_wrap=True)


@contextmanager
def progress_bar(total: int, *, quiet: bool, what: str = "hiding faces") -> Iterator[Bar]:
    """A bar for `total` files; shown only on a terminal, and not when `quiet`."""
    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        _Done(),
        _Rate(),
        _Elapsed(),
        _Remaining(),
    )
    shown = console.is_terminal and not quiet
    with Progress(*columns, console=console, disable=not shown) as progress:
        yield Bar(progress, progress.add_task(what, total=total, unit=FILES))
