"""What tells a file from its later versions without reading it."""

from __future__ import annotations

import hashlib
import os
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
