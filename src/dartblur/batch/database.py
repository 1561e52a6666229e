"""What SQLite files share: used by one thread at a time, faults told as those of a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock


@contextmanager
def locked(lock: Lock, path: Path | str) -> Iterator[None]:
    """A block that uses the data base of `path`, by one thread at a time.

    Raises:
        OSError: SQLite could not do what was asked, such as on a full disk.
    """
    with lock:
        try:
            yield
        except sqlite3.Error as error:
            raise OSError(f"{path}: cannot be used ({error}); run again") from error
