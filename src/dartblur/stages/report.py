"""What a run of stages leaves to its readers: tables, figures, and how they came to be."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from rich.console import Console

from dartblur.files import atomic_path
from dartblur.formatting import duration
from dartblur.stages.runner import Progress
from dartblur.stages.stage import Stage


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the first column is text, the others are figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def save_figure(figure: Figure, target: Path) -> list[Path]:
    """Writes `target` with .png and with .svg after it, each whole or not at all.

    The same figure gives the same bytes. Returns both paths.

    Raises:
        OSError: a file cannot be written.
    """
    files = []
    for suffix, metadata in ((".png", {"Software": None}), (".svg", {"Date": None})):
        # By default names inside an SVG are drawn by chance.
        file = target.with_name(target.name + suffix)
        with atomic_path(file) as part, matplotlib.rc_context({"svg.hashsalt": "dartblur"}):
            figure.savefig(part, format=suffix[1:], dpi=150, metadata=metadata)
        files.append(file)
    return files


def print_progress(console: Console, progress: Progress, stage: Stage) -> None:
    """One line for a stage that is made."""
    left = progress.seconds_left()
    time_left = "" if left is None else f", {duration(left)} left"
    line = f"{progress.done}/{progress.total}{time_left}: done: {stage.title}"
    console.print(line, markup=False, soft_wrap=True)


def provenance(settings: Any, packages: Sequence[str]) -> dict[str, Any]:
    """What a reader must know to measure the same again. settings: the dataclass of the run."""
    names = ("dartblur", *packages)
    return {
        "command": shlex.join(["dartblur", *sys.argv[1:]]),
        "commit": commit(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: version(name) for name in names} | {"python": sys.version.split()[0]},
        "config": asdict(settings),
    }


def commit() -> str:
    """The commit of a checkout, "" in an installed package."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip()
