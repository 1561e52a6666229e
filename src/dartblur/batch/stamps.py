"""What tells a file from its later versions, with and without reading it."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

Stamp = tuple[int | None, int | None]
# What stores say of a file's version, the surest first.
_VERSIONS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "updated", "created")


def stamp_of(path: str | Path) -> Stamp:
    """Size and time of the last change in nanoseconds; None twice where there is no file.

    Of a file at a URL, a number made of its version stands for the time.
    """
    place: Any = path
    if not isinstance(place, str | Path):
        try:
            return stamp_of_entry(place.fs.info(place.path))
        except FileNotFoundError:
            return None, None
    try:
        found = os.stat(path)  # noqa: PTH116 - asked for every file
    except OSError:
        return None, None
    return found.st_size, found.st_mtime_ns


def stamp_of_entry(entry: dict[str, Any]) -> Stamp:
    """The stamp of what fsspec tells of a file."""
    version = next((entry[key] for key in _VERSIONS if entry.get(key)), "")
    return entry["size"], int(hashlib.sha256(str(version).encode()).hexdigest()[:15], 16)


def sha256_of(path: Path) -> str:
    """The sha256 of what a file holds, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_hash(path: Path) -> str:
    """As `sha256_of`; read again only where the file has changed, since many pictures ask."""
    return _content_hash(path, stamp_of(path))


@lru_cache(maxsize=4)
def _content_hash(path: Path, _stamp: Stamp) -> str:
    return sha256_of(path)
