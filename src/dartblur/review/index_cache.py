"""What the grid shows of each file, kept between starts: what did not change is not read again.

It lies in the run's private state and holds names of files and numbers, nothing of a picture. Where
it is damaged, or of another version, all is made anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple, fields
from pathlib import Path

from dartblur import __version__
from dartblur.files import write_atomically
from dartblur.review.index import Entry
from dartblur.review.risk import WEIGHTS

CACHE_NAME = "review-index.json"
_LAYOUT = 1


def read_entries(path: Path) -> dict[str, tuple[str, Entry]]:
    """What was kept of each file, and the key that it was kept under; nothing if it cannot be used.

    The key tells what the entry was made of.
    """
    with suppress(OSError):
        head, _, content = path.read_bytes().partition(b"\n")
        # What has the right checksum is what was written.
        if head == _head(content):
            return {file: (key, Entry(*values)) for file, key, values in json.loads(content)}
    return {}


def write_entries(path: Path, entries: Mapping[str, tuple[str, Entry]]) -> None:
    """Keeps an entry of each file under a key, where that is possible."""
    rows = [(file, key, astuple(entry)) for file, (key, entry) in entries.items()]
    content = json.dumps(rows, separators=(",", ":")).encode("ascii")
    with suppress(OSError):
        write_atomically(path, _head(content) + b"\n" + content)


def _head(content: bytes) -> bytes:
    # Entries that other weights or another layout made are of no use.
    maker = repr((__version__, _LAYOUT, [field.name for field in fields(Entry)], WEIGHTS))
    return hashlib.sha256(maker.encode() + content).hexdigest().encode()
