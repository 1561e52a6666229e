"""What was done already: the memory between runs, safe against a kill at any moment.

A small SQLite file. Before a picture appears under its name, its row says "writing"; a run that was
killed in between knows that the file is its own to replace.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from dartblur.batch.database import locked
from dartblur.batch.inputs import Job
from dartblur.batch.stamps import Stamp, stamp_of
from dartblur.errors import UsageError
from dartblur.formatting import printable
from dartblur.records import Record

DONE, FAILED, PASSED_OVER = "done", "failed", "passed over"
_VERSION = 2
# With row numbers: of a table without them, each row above 1 KB takes a page more.
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS files (
    output BLOB PRIMARY KEY NOT NULL, source BLOB, place BLOB, run INTEGER, status TEXT,
    settings TEXT, source_size INTEGER, source_time INTEGER,
    output_size INTEGER, output_time INTEGER, faces INTEGER, told TEXT, record TEXT
);
CREATE TABLE IF NOT EXISTS findings (output BLOB PRIMARY KEY NOT NULL, finding);
CREATE INDEX IF NOT EXISTS by_run ON files (run, status, output);
PRAGMA user_version = {_VERSION};
"""
# Rows that no run of this version wrote: what a fault of the disk leaves of them.
_UNSOUND = """
SELECT count(*) FROM files WHERE typeof(output) != 'blob' OR typeof(source) != 'blob'
    OR typeof(run) != 'integer' OR typeof(faces) != 'integer'
    OR status NOT IN ('pending', 'writing', 'done', 'failed', 'passed over')
    OR (status IN ('done', 'failed', 'passed over')) != (record IS NOT NULL AND json_valid(record))
"""
_SLICE = 500  # rows read or planned at a time: memory stays flat
_OURS: Stamp = (-1, -1)  # of an output that is ours to replace, whatever it looks like


class _Row(NamedTuple):
    """What the ledger knows of one output."""

    output: bytes
    run: int
    source: bytes
    status: str
    place: bytes | None
    settings: str | None
    source_size: int | None
    source_time: int | None
    output_size: int | None
    output_time: int | None
    faces: int


@dataclass(frozen=True)
class Counts:
    """Files of one run by what became of them, and the faces of those that are done."""

    done: int
    faces: int
    failed: int
    passed_over: int


class Ledger:
    """The state of one output. One run at a time; its methods may be called by any thread.

    path: of the SQLite file, or ":memory:". A file that is damaged, or of another version, is set
    aside under another name, and a new one begun: `set_aside` then says so. out: the output folder.

    Raises:
        UsageError: another run holds the ledger, or it cannot be written.
    """

    def __init__(self, path: Path | str, out: Path = Path()) -> None:
        self._lock = Lock()
        self._path, self._out = path, out
        self.kept = self.kept_faces = 0
        """Files that an earlier run had done already, and their faces."""
        self.set_aside: str | None = None
        try:
            self._base, last = _opened(path)
        except _UnsoundError as fault:
            self.set_aside = _set_aside(Path(path), str(fault))
            self._base, last = _opened(path)
        self._run = last + 1

    def close(self) -> None:
        """Lets the next run in."""
        self._base.close()

    def plan(self, jobs: Iterable[tuple[Job, str]], *, again: bool = False) -> None:
        """Enters every job of this run with the hash of its settings, as pending, done or failed.

        again: what is done already is pending all the same.
        """
        source = iter(jobs)
        with self._locked():
            self._base.execute("BEGIN")
            while some := list(islice(source, _SLICE)):
                self._plan(some, again=again)
            self._base.execute("COMMIT")

    def _plan(self, jobs: list[tuple[Job, str]], *, again: bool) -> None:
        keys = [os.fsencode(job.relative) for job, _ in jobs]
        marks = ",".join("?" * len(keys))
        known = {
            row[0]: _Row(*row)
            for row in self._base.execute(
                f"SELECT {', '.join(_Row._fields)} FROM files WHERE output IN ({marks})", keys
            )
        }
        kept: list[tuple[int, bytes]] = []
        entered: dict[bytes, tuple[Any, ...]] = {}
        for key, (job, settings) in zip(keys, jobs, strict=True):
            old = known.get(key)
            if key in entered or (old and old.run == self._run):
                first = entered[key][1] if key in entered else old.source if old else b""
                # A key that no file can have.
                twin = key + b"\0" + os.fsencode(str(job.source))
                problem = (
                    f"would get the same output name as {os.fsdecode(first)}: "
                    "give the folders one by one"
                )
                entered[twin] = self._ended(twin, job, failed_record(job, problem))
                continue
            if job.passed_over:
                record = Record(job.relative.as_posix(), str(job.source), PASSED_OVER)
                entered[key] = self._ended(key, job, record)
                continue
            place, *seen = job.made_from()
            made_from = (os.fsencode(place), settings, *seen)
            ours, there = _output_of(old), stamp_of(self._out / job.relative)
            if job.problem:
                # Made of what was there before the problem.
                if ours != (None, None) and ours in (there, _OURS):
                    with suppress(OSError):
                        (self._out / job.relative).unlink()
                entered[key] = self._ended(key, job, failed_record(job, job.problem))
            elif old and not again and ours == there and old[3:8] == (DONE, *made_from):
                kept.append((self._run, key))
                known[key] = old._replace(run=self._run)
                self.kept_faces += old.faces
            else:
                source = os.fsencode(str(job.source))
                entered[key] = (key, source, made_from[0], self._run, "pending", *made_from[1:],
                                *ours, 0, None, None)  # fmt: skip
        self.kept += len(kept)
        self._base.executemany("UPDATE files SET run = ? WHERE output = ?", kept)
        places = ", ".join("?" * 13)
        self._base.executemany(
            f"INSERT OR REPLACE INTO files VALUES ({places})", list(entered.values())
        )
        # What was seen when they were last made.
        self._base.executemany("DELETE FROM findings WHERE output = ?", [(key,) for key in entered])

    def _ended(self, key: bytes, job: Job, record: Record) -> tuple[Any, ...]:
        """The row of a job that nothing is left to do for."""
        told = None if record.error is None else printable(failure_line(record))
        return (key, os.fsencode(str(job.source)), None, self._run, record.status, None, None, None,
                None, None, 0, told, record.published(self._out).to_json())  # fmt: skip

    def pending(self) -> Iterator[Job]:
        """The jobs still to do, in order of their names."""
        query = "SELECT output, source FROM files WHERE run = ? AND status = 'pending'"
        for output, source in self._slices(query, self._run):
            yield Job(Path(os.fsdecode(source)), Path(os.fsdecode(output)))

    def count_pending(self) -> int:
        """How many jobs are still to do."""
        query = "SELECT count(*) FROM files WHERE run = ? AND status = 'pending'"
        return int(self._one(query, self._run)[0])

    def counts(self) -> Counts:
        """What became of this run's files, those that were done already among them."""
        query = "SELECT status, count(*), sum(faces) FROM files WHERE run = ? GROUP BY status"
        found = {status: (n, faces) for status, n, faces in self._all(query, self._run)}
        return Counts(
            *found.get(DONE, (0, 0)), found.get(FAILED, (0,))[0], found.get(PASSED_OVER, (0,))[0]
        )

    def passed_over(self, limit: int) -> list[str]:
        """The first names of this run that were passed over."""
        query = "SELECT output FROM files WHERE run = ? AND status = ? ORDER BY output LIMIT ?"
        return [os.fsdecode(row[0]) for row in self._all(query, self._run, PASSED_OVER, limit)]

    def failures(self) -> Iterator[str]:
        """What to tell of this run's failed files."""
        query = "SELECT output, told FROM files WHERE run = ? AND status = 'failed'"
        return (told for _, told in self._slices(query, self._run))

    def left_over(self) -> Iterator[Path]:
        """What earlier runs made and this one has no job for, where it is as they left it."""
        query = (
            "SELECT output, output_size, output_time FROM files"
            " WHERE run != ? AND status IN ('done', 'writing')"
        )
        for output, *ours in self._slices(query, self._run):
            path = self._out / os.fsdecode(output)
            if stamp_of(path) == tuple(ours):
                yield path

    def may_replace(self, relative: Path, target: Path) -> bool:
        """True where `target` does not exist, or is what an earlier run of ours left there."""
        found = stamp_of(target)
        if found == (None, None):
            return not target.is_symlink()
        row = self._one(
            "SELECT output_size, output_time FROM files WHERE output = ?", os.fsencode(relative)
        )
        return row in (found, _OURS)

    def writing(self, relative: Path) -> None:
        """To be called right before the file gets its name."""
        self._set("UPDATE files SET status = 'writing' WHERE output = ?", os.fsencode(relative))

    def done(
        self, relative: Path, target: Path, record: Record, finding: str | bytes | None = None
    ) -> None:
        """The file is there.

        finding: what the search saw, kept beside the record and in no report; None leaves what is
        known of the file.
        """
        key = os.fsencode(relative)
        row = (*stamp_of(target), record.faces, record.published(self._out).to_json(), key)
        with self._locked():
            self._base.execute("BEGIN")
            if finding is not None:
                self._base.execute("INSERT OR REPLACE INTO findings VALUES (?, ?)", (key, finding))
            self._base.execute(
                "UPDATE files SET status = 'done', output_size = ?, output_time = ?, faces = ?,"
                " record = ? WHERE output = ?",
                row,
            )
            self._base.execute("COMMIT")

    def failed(self, relative: Path, record: Record) -> None:
        """The file could not be made; none of ours is there."""
        self._set(
            "UPDATE files SET status = 'failed', output_size = NULL, output_time = NULL, told = ?,"
            " record = ? WHERE output = ?",
            printable(failure_line(record)),
            record.published(self._out).to_json(),
            os.fsencode(relative),
        )

    def findings(self, outputs: Iterable[bytes]) -> dict[bytes, str | bytes]:
        """What searches saw in these files, by the names of their outputs; not all have some."""
        keys, found = iter(outputs), dict[bytes, str | bytes]()
        while some := list(islice(keys, _SLICE)):
            marks = ",".join("?" * len(some))
            found.update(self._all(f"SELECT * FROM findings WHERE output IN ({marks})", *some))
        return found

    def records(self) -> Iterator[Record]:
        """The records of all files of this run that are done, in order of their names."""
        query = "SELECT output, record FROM files WHERE run = ? AND status = 'done'"
        for _, line in self._slices(query, self._run):
            yield Record(**json.loads(line))

    def report(self) -> Iterator[str]:
        """The lines of all files that this run or an earlier one saw, in order of their names.

        A line of an earlier run goes where what it tells of is gone: the output, if it was done,
        and else the input.
        """
        query = (
            "SELECT output, run, status, source, output_size, output_time, record FROM files"
            " WHERE status IN ('done', 'failed', 'passed over')"
        )
        for output, run, status, source, *ours, line in self._slices(query):
            if run != self._run:
                gone = not os.path.lexists(source)
                if status == DONE:
                    gone = stamp_of(self._out / os.fsdecode(output)) != tuple(ours)
                if gone:
                    continue
            yield line

    def select(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a reading query: for what looks at a run that is over; see `_SCHEMA`."""
        return self._all(query, *values)

    def _slices(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a query whose first column is the output, in its order."""
        last = b""
        while rows := self._all(
            f"{query} AND output > ? ORDER BY output LIMIT {_SLICE}", *values, last
        ):
            yield from rows
            last = rows[-1][0]

    def _one(self, query: str, *values: Any) -> tuple[Any, ...]:
        with self._locked():
            row: tuple[Any, ...] = self._base.execute(query, values).fetchone()
        return row

    def _all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._locked():
            return self._base.execute(query, values).fetchall()

    def _set(self, query: str, *values: Any) -> None:
        with self._locked():
            self._base.execute(query, values)

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self._lock, self._path)


class _UnsoundError(Exception):
    """A file that is no ledger of this version, or no longer one."""


def _opened(path: Path | str) -> tuple[sqlite3.Connection, int]:
    """The data base, made where there is none, and the number of its last run."""
    try:
        base = sqlite3.connect(path, timeout=1, isolation_level=None, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise UsageError(f"{path}: cannot be used ({error}); name another with --state") from error
    try:
        # Exclusive: a second run with the same output is told so at once.
        base.execute("PRAGMA locking_mode = EXCLUSIVE")
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = NORMAL")
        _check(base)
        base.executescript("BEGIN IMMEDIATE;" + _SCHEMA + "COMMIT;")
        last = base.execute("SELECT max(run) FROM files").fetchone()[0]
    except _UnsoundError:
        base.close()
        raise
    except sqlite3.Error as error:
        base.close()
        name = error.sqlite_errorname
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise UsageError(f"{path}: another run is at work in this output folder") from error
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR", "SQLITE_SCHEMA")):
            raise _UnsoundError(str(error)) from error
        raise UsageError(f"{path}: cannot be used ({error}); name another with --state") from error
    return base, last or 0


def _check(base: sqlite3.Connection) -> None:
    """Every page and row of the data base.

    Raises:
        _UnsoundError: it is damaged, or of another version.
    """
    if not base.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        return
    version = base.execute("PRAGMA user_version").fetchone()[0]
    if version != _VERSION:
        raise _UnsoundError(f"of version {version}, not {_VERSION}")
    fault = base.execute("PRAGMA quick_check(1)").fetchone()[0]
    if fault != "ok":
        raise _UnsoundError(" ".join(fault.split()))
    if base.execute(_UNSOUND).fetchone()[0]:
        raise _UnsoundError("it has rows that say nothing")


def _set_aside(path: Path, fault: str) -> str:
    """Renames a ledger and what SQLite keeps beside it; tells what was done."""
    number = 1
    while (aside := path.with_name(f"{path.name}.set-aside-{number}")).exists():
        number += 1
    try:
        path.rename(aside)
        for end in ("-wal", "-shm"):
            # Of the old file: the new one must not read it.
            path.with_name(path.name + end).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: is damaged, and cannot be set aside: {error}") from error
    return (
        f"{path}: cannot be used ({fault}); it was set aside as {aside.name} and a new one begun: "
        "what earlier runs made is not known any more, and stays unless --overwrite is given"
    )


def _output_of(old: _Row | None) -> Stamp:
    """The stamp of what an earlier run left, if any."""
    if old is None:
        return None, None
    # What was being written when a run was killed is ours to replace, whatever it looks like.
    return _OURS if old.status == "writing" else (old.output_size, old.output_time)


def failed_record(job: Job, problem: str) -> Record:
    """The record of a job that cannot be done."""
    return Record(job.relative.as_posix(), str(job.source), FAILED, error=problem)


def failure_line(record: Record) -> str:
    """The line that tells a person of a failed file."""
    error = str(record.error)
    return "FAILED " + (error if error.startswith(record.source) else f"{record.source}: {error}")
