"""The log of decisions: who decided what, and when. Rows are added, never changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from dartblur.batch.database import locked
from dartblur.errors import UsageError

_VERSION = 1
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS decisions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, reviewer TEXT NOT NULL,
    subject TEXT NOT NULL, version INTEGER NOT NULL, action TEXT NOT NULL, content TEXT NOT NULL,
    UNIQUE (subject, version)
);
CREATE TRIGGER IF NOT EXISTS never_changed BEFORE UPDATE ON decisions
    BEGIN SELECT raise(ABORT, 'decisions are only added'); END;
CREATE TRIGGER IF NOT EXISTS never_removed BEFORE DELETE ON decisions
    BEGIN SELECT raise(ABORT, 'decisions are only added'); END;
PRAGMA user_version = {_VERSION};
"""
_COLUMNS = "number, time, reviewer, subject, version, action, content"
_SLICE = 500  # rows read at a time: memory stays flat


@dataclass(frozen=True)
class Decision:
    """One row of the log.

    number: counts all rows from 1. time: UTC, ISO 8601. subject: what it is about, such as
    `picture:a/b.jpg`. version: counts the rows of the subject from 1. content: the subject's whole
    state from here on.
    """

    number: int
    time: str
    reviewer: str
    subject: str
    version: int
    action: str
    content: dict[str, Any]


class StaleError(Exception):
    """A writer did not know the latest version, which is `current`."""

    def __init__(self, current: Decision | None) -> None:
        super().__init__("decided by another in the meantime")
        self.current = current


class Decisions:
    """The log of one run, for one process at a time and any of its threads.

    path: of the SQLite file, made where there is none.

    Raises:
        UsageError: another review holds it, it is of another version, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, Lock()
        try:
            self._base = sqlite3.connect(
                path, timeout=1, isolation_level=None, check_same_thread=False
            )
            self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._base.execute("PRAGMA journal_mode = WAL")
            # A decision is confirmed once it is on the disk, and not before.
            self._base.execute("PRAGMA synchronous = FULL")
            [version] = self._base.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise UsageError(
                    f"{path}: is of version {version}, not {_VERSION}; review it with the dartblur "
                    "that wrote it"
                )
            self._base.executescript("BEGIN IMMEDIATE;" + _SCHEMA + "COMMIT;")
        except sqlite3.Error as error:
            raise UsageError(
                f"{path}: cannot be used ({error}); is another review of this output open?"
            ) from error

    def close(self) -> None:
        """Lets the next review in."""
        self._base.close()

    def append(
        self, subject: str, version: int, reviewer: str, action: str, content: dict[str, Any]
    ) -> Decision:
        """Adds a decision; returns when it is on the disk.

        version: of the subject's latest decision as the writer knows it; 0 where there is none.

        Raises:
            StaleError: there is a later one. OSError: it cannot be written.
        """
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._locked():
            current = self._latest(subject)
            if version != (current.version if current else 0):
                raise StaleError(current)
            values = (time, reviewer, subject, version + 1, action, json.dumps(content))
            number = self._base.execute(
                "INSERT INTO decisions (time, reviewer, subject, version, action, content)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                values,
            ).lastrowid
        assert number is not None
        return Decision(number, time, reviewer, subject, version + 1, action, content)

    def latest(self, subject: str) -> Decision | None:
        """The last decision on a subject."""
        with self._locked():
            return self._latest(subject)

    def since(self, subject: str, version: int) -> list[Decision]:
        """The decisions on a subject after a version of it."""
        with self._locked():
            rows = self._base.execute(
                f"SELECT {_COLUMNS} FROM decisions WHERE subject = ? AND version > ?"
                " ORDER BY version",
                (subject, version),
            ).fetchall()
        return [_decision(row) for row in rows]

    def latest_of_all(self, prefix: str = "") -> Iterator[Decision]:
        """The last decision on each subject whose name begins so, in the order of their names."""
        with self._locked():
            # The other columns are of the row in which max() found its value.
            rows = self._base.execute(
                f"SELECT {_COLUMNS.replace('number', 'max(number)')} FROM decisions"
                " WHERE substr(subject, 1, ?) = ? GROUP BY subject",
                (len(prefix), prefix),
            ).fetchall()
        return map(_decision, rows)

    def marks(self) -> dict[str, str]:
        """What tells the last decision on each subject from every other, of this log or another."""
        with self._locked():
            rows = self._base.execute(
                "SELECT subject, max(number), time, reviewer FROM decisions GROUP BY subject"
            ).fetchall()
        return {subject: " ".join(map(str, mark)) for subject, *mark in rows}

    def rows(self) -> Iterator[Decision]:
        """All decisions, in order."""
        after = 0
        while True:
            with self._locked():
                rows = self._base.execute(
                    f"SELECT {_COLUMNS} FROM decisions WHERE number > ? ORDER BY number"
                    f" LIMIT {_SLICE}",
                    (after,),
                ).fetchall()
            if not rows:
                return
            yield from map(_decision, rows)
            after = rows[-1][0]

    def _latest(self, subject: str) -> Decision | None:
        row = self._base.execute(
            f"SELECT {_COLUMNS} FROM decisions WHERE subject = ? ORDER BY version DESC LIMIT 1",
            (subject,),
        ).fetchone()
        return None if row is None else _decision(row)

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self._lock, self._path)


def _decision(row: tuple[Any, ...]) -> Decision:
    number, time, reviewer, subject, version, action, content = row
    return Decision(number, time, reviewer, subject, version, action, json.loads(content))
