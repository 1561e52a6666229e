"""What was done already: the memory between runs, safe against a kill at any moment.

A small SQLite file in the output folder. Before a picture appears under its name, its row says
"writing"; a run that was killed in between knows that the file is its own to replace.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from dartblur.batch.inputs import Job
from dartblur.errors import UsageError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    output BLOB PRIMARY KEY, source BLOB, place BLOB, run INTEGER, status TEXT, settings TEXT,
    source_size INTEGER, source_time INTEGER, output_size INTEGER, output_time INTEGER, record TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_run ON files (run, status);
"""


@dataclass(frozen=True)
class Record:
    """One line of the report.

    file: below the output folder, with forward slashes. status: done or failed. boxes: x1, y1, x2,
    y2, score of each hidden face of a picture. faces: of a film, summed over its frames. frames: of
    a film, 0 for a picture. seconds: of work. notes: what else differs from the input.
    """

    file: str
    source: str
    status: str
    faces: int = 0
    boxes: tuple[tuple[float, ...], ...] = ()
    width: int = 0
    height: int = 0
    method: str = ""
    settings: dict[str, Any] | None = None
    seconds: float = 0.0
    error: str | None = None
    frames: int = 0
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """One line of JSON; unusual names are escaped, so that any reader takes it."""
        return json.dumps(asdict(self))


class Ledger:
    """The state of one output folder. One run at a time; its methods may be called by any thread.

    path: of the SQLite file, or ":memory:".

    Raises:
        UsageError: another run holds the folder, or the file is no ledger.
    """

    def __init__(self, path: Path | str) -> None:
        self._lock = Lock()
        self._path = path
        try:
            self._base = sqlite3.connect(
                path, timeout=1, isolation_level=None, check_same_thread=False
            )
            # Exclusive: a second run in the same folder is told so at once.
            self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = NORMAL")
            self._base.executescript("BEGIN IMMEDIATE;" + _SCHEMA + "COMMIT;")
            self._base.execute("SELECT place FROM files LIMIT 0")
            last = self._base.execute("SELECT max(run) FROM files").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise UsageError(f"{path}: another run is at work in this output folder") from error
            raise UsageError(
                f"{path}: cannot be used ({error}); delete it, and do all anew with --overwrite"
            ) from error
        self._run = (last or 0) + 1

    def close(self) -> None:
        """Lets the next run in."""
        self._base.close()

    def plan(self, jobs: Iterator[tuple[Job, str]], out: Path, *, again: bool = False) -> None:
        """Enters every job of this run with the hash of its settings, as pending, done or failed.

        again: what is done already is pending all the same.
        """
        with self._told():
            self._base.execute("BEGIN")
            for job, settings in jobs:
                self._plan(job, settings, out, again=again)
            self._base.execute("COMMIT")

    def _plan(self, job: Job, settings: str, out: Path, *, again: bool) -> None:
        key = os.fsencode(job.relative)
        old = self._base.execute(
            "SELECT run, source, status, place, settings, source_size, source_time,"
            " output_size, output_time FROM files WHERE output = ?",
            (key,),
        ).fetchone()
        if old and old[0] == self._run:
            self._plan_twin(job, os.fsdecode(old[1]))
            return
        # Copies keep size and time: the place too tells which picture an output was made from.
        made_from = (os.fsencode(os.path.realpath(job.source)), settings, *stamp(job.source))
        there = stamp(out / job.relative)
        ours = old[7:9] if old else (None, None)
        # What was being written when a run was killed is ours to replace, whatever it looks like.
        ours = (-1, -1) if old and old[2] == "writing" else ours
        if job.problem:
            # Made of what was there before the problem.
            if ours != (None, None) and ours in (there, (-1, -1)):
                with suppress(OSError):
                    (out / job.relative).unlink()
        elif old and not again and old[2:7] == ("done", *made_from) and ours == there:
            self._base.execute("UPDATE files SET run = ? WHERE output = ?", (self._run, key))
            return
        status = "failed" if job.problem else "pending"
        record = failed(job, job.problem).to_json() if job.problem else None
        row = (key, os.fsencode(job.source), made_from[0], self._run, status, *made_from[1:], *ours)
        self._base.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, record)
        )

    def _plan_twin(self, job: Job, first: str) -> None:
        """A second input with the same output name: recorded under a key that no file can have."""
        problem = f"would get the same output name as {first}: give the folders one by one"
        key = os.fsencode(job.relative) + b"\0" + os.fsencode(job.source)
        self._base.execute(
            "INSERT OR REPLACE INTO files (output, source, run, status, record)"
            " VALUES (?, ?, ?, 'failed', ?)",
            (key, os.fsencode(job.source), self._run, failed(job, problem).to_json()),
        )

    def count(self, status: str) -> int:
        """How many files of this run are in that state: pending, writing, done or failed."""
        return int(
            self._one("SELECT count(*) FROM files WHERE run = ? AND status = ?", self._run, status)[
                0
            ]
        )

    def pending(self) -> Iterator[Job]:
        """The jobs still to do, in order of their names; read in slices: memory stays flat."""
        last = b""
        while True:
            rows = self._all(
                "SELECT output, source FROM files"
                " WHERE run = ? AND status = 'pending' AND output > ? ORDER BY output LIMIT 500",
                self._run,
                last,
            )
            if not rows:
                return
            for output, source in rows:
                yield Job(Path(os.fsdecode(source)), Path(os.fsdecode(output)))
            last = rows[-1][0]

    def may_replace(self, relative: Path, target: Path) -> bool:
        """True where `target` does not exist, or is what an earlier run of ours left there."""
        found = stamp(target)
        if found == (None, None):
            return not target.is_symlink()
        row = self._one(
            "SELECT output_size, output_time FROM files WHERE output = ?", os.fsencode(relative)
        )
        return row in (found, (-1, -1))

    def writing(self, relative: Path) -> None:
        """To be called right before the file gets its name."""
        self._set("UPDATE files SET status = 'writing' WHERE output = ?", os.fsencode(relative))

    def done(self, relative: Path, target: Path, record: Record) -> None:
        """The file is there."""
        self._set(
            "UPDATE files SET status = 'done', output_size = ?, output_time = ?, record = ?"
            " WHERE output = ?",
            *stamp(target),
            record.to_json(),
            os.fsencode(relative),
        )

    def failed(self, relative: Path, record: Record) -> None:
        """The file could not be made; none of ours is there."""
        self._set(
            "UPDATE files SET status = 'failed', output_size = NULL, output_time = NULL, record = ?"
            " WHERE output = ?",
            record.to_json(),
            os.fsencode(relative),
        )

    def records(self) -> Iterator[Record]:
        """The records of all files of this run that are done or failed, in order of their names."""
        last = b""
        while True:
            rows = self._all(
                "SELECT output, record FROM files WHERE run = ? AND output > ?"
                " AND status IN ('done', 'failed') ORDER BY output LIMIT 500",
                self._run,
                last,
            )
            if not rows:
                return
            for _, line in rows:
                yield Record(**json.loads(line))
            last = rows[-1][0]

    def _one(self, query: str, *values: Any) -> tuple[Any, ...]:
        with self._told():
            row: tuple[Any, ...] = self._base.execute(query, values).fetchone()
        return row

    def _all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._told():
            return self._base.execute(query, values).fetchall()

    def _set(self, query: str, *values: Any) -> None:
        with self._told():
            self._base.execute(query, values)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The base for one thread at a time; a full disk is told as such."""
        with self._lock:
            try:
                yield
            except sqlite3.OperationalError as error:
                raise OSError(f"{self._path}: cannot be written ({error}); run again") from error


def failed(job: Job, problem: str | None) -> Record:
    """The record of a job that cannot be done."""
    return Record(job.relative.as_posix(), str(job.source), "failed", error=problem)


def stamp(path: Path) -> tuple[int | None, int | None]:
    """Size and time of the last change in nanoseconds; None twice where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None, None
    return found.st_size, found.st_mtime_ns
