"""Data sets at URLs (s3://, gs://, whatever fsspec knows), as paths like those on disk."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from dartblur.batch.inputs import Inputs, Job
from dartblur.batch.stamps import stamp_of_entry
from dartblur.errors import UsageError
from dartblur.files import PART_PREFIX, PART_SUFFIX, atomic_path, write_atomically

# Options that are paths lose a slash.
_URL = re.compile(r"([a-z][a-z0-9+.-]+):/{1,2}(?=[^/])(.*)", re.S)


def place_of(path: Path) -> Path:
    """The path itself, or what lies at the URL that it spells.

    Raises:
        UsageError: it is a URL, and what it takes is not installed or not to be reached.
    """
    url = _URL.fullmatch(str(path))
    if url is None:
        return path
    try:
        from upath import UPath

        place = UPath(f"{url[1]}://{url[2]}")
        place.fs  # noqa: B018 - made only now
    except ImportError as error:
        raise UsageError(
            f"{path}: URLs need {error.name}: pip install 'dartblur[cluster]' and what fsspec "
            "needs for this kind (s3fs, gcsfs)"
        ) from error
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error
    return cast(Path, place)


def is_remote(path: Path) -> bool:
    """True for what is no file of this machine."""
    return not isinstance(path, Path)


def jobs_of(root: Path) -> Iterator[Job]:
    """Every file below a root, in a fixed order; hidden ones are passed over."""
    if not is_remote(root):
        yield from Inputs([root], every=True)
        return
    for name, told in sorted(_listing(root).items()):
        steps = name.split("/")
        if {"", ".", ".."} & set(steps):
            # Stores take any name; below DST on disk it would lead elsewhere.
            raise UsageError(f"{root}: holds {name!r}, which is no file's name; rename it")
        passed_over = any(step.startswith(".") for step in steps)
        yield Job(
            root / name,
            Path(name),
            None,
            passed_over,
            real_path=f"{root}/{name}",
            stamp=stamp_of_entry(told),
        )


def check_writable(root: Path) -> None:
    """Writes an empty file and takes it away: credentials, bucket and right are there.

    Raises:
        UsageError: one is not.
    """
    probe = root / f"{PART_PREFIX}probe{PART_SUFFIX}"
    # Each kind of store has errors of its own.
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except Exception as error:
        raise UsageError(f"{root}: cannot be written: {error}") from error


def check_readable(root: Path) -> None:
    """Lists the root, and keeps what it finds for questions about single files.

    Raises:
        UsageError: it is not there, or may not be read.
    """
    try:
        listing = _listing(root)
    except Exception as error:
        raise UsageError(f"{root}: cannot be read: {error}") from error
    if not listing:
        raise UsageError(f"{root}: cannot be read: no files are there")


def write(target: Path, data: bytes, parts: Path) -> None:
    """Writes a file that appears whole or not at all: renamed on disk, put at once elsewhere."""
    if is_remote(target):
        target.write_bytes(data)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, data, parts)


@contextmanager
def writing(target: Path, parts: Path) -> Iterator[Path]:
    """A file of this machine that becomes the target when the block ends; see `write`."""
    if is_remote(target):
        with tempfile.NamedTemporaryFile(prefix=PART_PREFIX, suffix=PART_SUFFIX, dir=parts) as file:
            yield Path(file.name)
            place = cast(Any, target)
            place.fs.put_file(file.name, place.path)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target, parts) as part:
        yield part


def _listing(root: Path) -> dict[str, dict[str, Any]]:
    place = cast(Any, root)
    start = place.path.rstrip("/") + "/"
    found = {}
    # By folders: file systems of fsspec keep the listing of each.
    with suppress(FileNotFoundError):
        for _, _, files in place.fs.walk(place.path, detail=True, on_error="raise"):
            for told in files.values():
                if not told["name"].endswith("/"):
                    found[told["name"].removeprefix(start)] = told
    return found
