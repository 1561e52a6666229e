"""A finished run as the review reads it: what was done to each file, and where its files lie."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dartblur.batch.ledger import DONE, FAILED, Ledger
from dartblur.batch.stamps import Stamp, stamp_of
from dartblur.errors import PictureError
from dartblur.formatting import printable
from dartblur.records import Record
from dartblur.video import is_video

_COLUMNS = (
    "output, source, place, status, source_size, source_time, output_size, output_time, record"
)
_SLICE = 500  # rows read at a time: memory stays flat
UNFINISHED = "not done yet: the run was stopped; run the same command again"


@dataclass(frozen=True)
class Head:
    """What is known of one file of a run before its record is read.

    file: below the output folder. output_stamp: as the run left it.
    """

    file: str
    status: str
    output_stamp: Stamp

    @property
    def done(self) -> bool:
        """True where there is an output."""
        return self.status == DONE

    @property
    def is_film(self) -> bool:
        """True for a film, by its name."""
        return is_video(Path(self.file))


@dataclass(frozen=True)
class Row(Head):
    """One file of a run.

    source: the input, by its real path where it is known. source_stamp: as the run saw it. record:
    None where the run ended before it.
    """

    source: Path
    source_stamp: Stamp
    record: Record | None

    @property
    def problem(self) -> str:
        """Why there is no output, "" where there is one."""
        if self.done:
            return ""
        return (self.record.error if self.record else None) or UNFINISHED

    @property
    def name(self) -> str:
        """The file as it is shown: what no page could show is escaped."""
        return printable(self.file)


@dataclass(frozen=True)
class FinishedRun:
    """The files of a run, by the ledger, which nobody else holds meanwhile.

    out: the output folder. source: the folder that holds the inputs, where they lie elsewhere than
    when they were read.
    """

    out: Path
    state: Path
    ledger: Ledger
    source: Path | None = None

    def heads(self) -> Iterator[Head]:
        """All files that are done or failed or were not reached, in order of their names.

        Files whose output is gone are left out.
        """
        last = b""
        query = (
            "SELECT output, status, output_size, output_time FROM files"
            f" WHERE status != 'passed over' AND output > ? ORDER BY output LIMIT {_SLICE}"
        )
        while rows := self.ledger.select(query, last):
            for output, status, size, time in rows:
                head = Head(os.fsdecode(output), status, (size, time))
                if not head.done or (self.out / head.file).exists():
                    yield head
            last = rows[-1][0]

    def rows(self) -> Iterator[Row]:
        """The same files, each with all that is known of it."""
        for head in self.heads():
            yield self.row(head.file)

    def row(self, file: str) -> Row:
        """One file as it is now.

        Raises:
            KeyError: the run knows of none.
        """
        query = f"SELECT {_COLUMNS} FROM files WHERE output = ?"
        for values in self.ledger.select(query, os.fsencode(file)):
            return _row(values)
        raise KeyError(file)

    def output(self, row: Row) -> Path:
        """Where a file's output lies."""
        return self.out / row.file

    def checked_output(self, row: Row) -> Path:
        """Where a file's output lies, if it is still what the run left there.

        Raises:
            PictureError: it is not, or it is a link out of the output folder.
        """
        path = self.output(row)
        if not path.resolve().is_relative_to(self.out.resolve()):
            raise PictureError(f"{row.name}: leads out of the output folder")
        if stamp_of(path) != row.output_stamp:
            raise PictureError(
                f"{row.name}: the output is gone or was changed by something else; run anonymize "
                "again"
            )
        return path

    def checked_source(self, row: Row) -> Path:
        """Where a file's input lies, if it is still what the run read.

        Raises:
            PictureError: it is not, or it is a link out of the folder given as its source.
        """
        if self.source is None:
            path, whole = row.source, stamp_of(row.source)
            same = os.path.realpath(path) == str(path) and whole == row.source_stamp
        else:
            path = self.source / row.file
            # A copy has a time of its own.
            same = stamp_of(path)[0] == row.source_stamp[0]
            if not path.resolve().is_relative_to(self.source.resolve()):
                raise PictureError(f"{row.name}: its source leads out of the folder of sources")
        if not same:
            hint = "" if self.source else "; if it lies elsewhere now, name its folder by --source"
            raise PictureError(f"{row.name}: its source is gone or changed since the run{hint}")
        return path


def faces_of(record: Record) -> Sequence[tuple[float, ...]]:
    """x1, y1, x2, y2, score of each hidden face."""
    return [tuple(box) for box in record.boxes]


def _row(values: tuple[Any, ...]) -> Row:
    output, source, place, status, *stamps, line = values
    record = Record(**json.loads(line)) if line else None
    return Row(
        file=os.fsdecode(output),
        status=status,
        output_stamp=(stamps[2], stamps[3]),
        source=Path(os.fsdecode(place or source)),
        source_stamp=(stamps[0], stamps[1]),
        record=record if status in (DONE, FAILED) else None,
    )
