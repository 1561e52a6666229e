"""What was done already: the memory between runs, safe against a kill at any moment.

A small SQLite file in the output folder. Before a picture appears under its name, its row says
"writing"; a run that was killed in between knows that the file is its own to replace.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from dartblur.batch.inputs import Job
from dartblur.errors import UsageError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    output BLOB PRIMARY KEY, source BLOB, run INTEGER, status TEXT, settings TEXT,
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
        try:
            self._base = sqlite3.connect(
                path, timeout=1, isolation_level=None, check_same_thread=False
            )
            # Exclusive: a second run in the same folder is told so at once.
            self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = NORMAL")
            self._base.executescript("BEGIN IMMEDIATE;" + _SCHEMA + "COMMIT;")
        except sqlite3.OperationalError as error:
            raise UsageError(
                f"{path}: cannot be opened ({error}); another run in the same output folder?"
            ) from error
        except sqlite3.DatabaseError as error:
            raise UsageError(f"{path}: broken ({error}); delete it to do all files anew") from error
        self._run = (self._one("SELECT max(run) FROM files")[0] or 0) + 1

    def close(self) -> None:
        """Lets the next run in."""
        self._base.close()

    def plan(self, jobs: Iterator[tuple[Job, str]], out: Path, *, again: bool = False) -> None:
        """Enters every job of this run with the hash of its settings, as pending, done or failed.

        again: what is done already is pending all the same.
        """
        with self._lock:
            self._base.execute("BEGIN")
            for job, settings in jobs:
                self._plan(job, settings, out, again=again)
            self._base.execute("COMMIT")

    def _plan(self, job: Job, settings: str, out: Path, *, again: bool) -> None:
        key = os.fsencode(job.relative)
        old = self._base.execute(
            "SELECT run, source, status, settings, source_size, source_time,"
            " output_size, output_time FROM files WHERE output = ?",
            (key,),
        ).fetchone()
        if old and old[0] == self._run:
            self._plan_twin(job, os.fsdecode(old[1]))
            return
        size, time = stamp(job.source)
        status = "pending"
        if job.problem:
            status = "failed"
        elif old and not again and old[2:6] == ("done", settings, size, time):
            status = "done" if old[6:8] == stamp(out / job.relative) else "pending"
        if status == "done":
            self._base.execute("UPDATE files SET run = ? WHERE output = ?", (self._run, key))
            return
        record = failed(job, job.problem).to_json() if job.problem else None
        ours = old[6:8] if old else (None, None)
        # What was being written when a run was killed is ours to replace, whatever it looks like.
        ours = (-1, -1) if old and old[2] == "writing" else ours
        self._base.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (key, os.fsencode(job.source), self._run, status, settings, size, time, *ours, record),
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
        with self._lock:
            row: tuple[Any, ...] = self._base.execute(query, values).fetchone()
        return row

    def _all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._base.execute(query, values).fetchall()

    def _set(self, query: str, *values: Any) -> None:
        with self._lock:
            self._base.execute(query, values)


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
