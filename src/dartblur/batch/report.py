"""The report: a line of JSON for each file, over all runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from dartblur.batch.ledger import Ledger
from dartblur.errors import UsageError
from dartblur.files import atomic_path


def write_report(ledger: Ledger, report: Path) -> None:
    """Writes a line for each file that the ledger knows.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    with atomic_path(report) as part, part.open("w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in ledger.report())


def add_to_report(ledger: Ledger, report: Path) -> None:
    """As `write_report`; of a report that is there, made by other runs, lines of other files stay.

    Raises:
        OSError: it cannot be written; what was there stays. UsageError: see `check_report`.
    """
    with atomic_path(report) as part, part.open("w", encoding="utf-8") as file:
        told = set()
        for line in ledger.report():
            file.write(line + "\n")
            told.add(json.loads(line)["file"])
        file.writelines(line for name, line in _lines(report) if name not in told)


def check_report(report: Path) -> None:
    """Refuses to write a report over something else.

    Raises:
        UsageError: the file is there and is no report.
    """
    for _ in _lines(report):
        pass


def _lines(report: Path) -> Iterator[tuple[str, str]]:
    """The lines of a report, each with the file that it tells of; none where there is no report."""
    if not report.exists():
        return
    try:
        with report.open(encoding="utf-8") as file:
            for line in file:
                yield str(json.loads(line)["file"]), line.rstrip("\n") + "\n"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{report}: is there and is no report; name another file") from error
