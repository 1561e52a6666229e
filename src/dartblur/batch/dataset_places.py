"""What is checked of the places of a data set and its copy before anything is done."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from dartblur.batch.inputs import Job, check_places
from dartblur.batch.remote import check_readable, check_writable, is_remote, jobs_of
from dartblur.batch.state import LEDGER_NAME
from dartblur.errors import UsageError
from dartblur.files import PART_PREFIX


def check_folders(src: Path, dst: Path, state: Path | None) -> None:
    """Refuses folders that lie in each other, and a DST that holds something else.

    Raises:
        UsageError: one is in the way of the other, or DST is not empty and no copy of ours.
    """
    if is_remote(src) or is_remote(dst):
        _check_urls(src, dst, state)
        return
    if not src.is_dir():
        raise UsageError(f"{src}: there is no such folder; name the root of a data set")
    check_places([src], dst)
    if src.resolve().is_relative_to(dst.resolve()):
        raise UsageError(f"{src}: the data set may not lie in the folder of its copy {dst}")
    memory = state or dst.resolve().with_name(f"{dst.resolve().name}.dartblur")
    known = (memory / LEDGER_NAME).exists() or any(memory.glob("shard-*"))
    if not known and dst.is_dir() and any(dst.iterdir()):
        raise UsageError(
            f"{dst}: holds files, and {memory} knows of no run into it; name an empty folder"
        )


def _check_urls(src: Path, dst: Path, state: Path | None) -> None:
    one, other = (f"{str(place).rstrip('/')}/" for place in (src, dst))
    if one.startswith(other) or other.startswith(one):
        raise UsageError(f"{dst}: the copy and its source may not lie in each other")
    if is_remote(src):
        check_readable(src)
    elif not src.is_dir():
        raise UsageError(f"{src}: there is no such folder; name the root of a data set")
    if not is_remote(dst):
        return
    if state is None:
        raise UsageError(f"{dst}: is no folder of this machine; name one for the state: --state")
    check_writable(dst)
    known = (state / LEDGER_NAME).exists() or any(state.glob("shard-*"))
    if not known and any(True for _ in jobs_of(dst)):
        raise UsageError(f"{dst}: holds files, and {state} knows of no run into it")


def distinct(jobs: Iterable[Job], dst: Path) -> Iterator[Job]:
    """The jobs; where the file system of DST takes two names for one, the second has a problem."""
    if not folds_case(dst):
        yield from jobs
        return
    seen: set[str] = set()
    for job in jobs:
        key = job.relative.as_posix().casefold()
        if key in seen:
            told = "its name differs from another's in case alone, and DST takes them for one"
            job = replace(job, problem=told)
        seen.add(key)
        yield job


def folds_case(folder: Path) -> bool:
    """True where the file system takes a.png and A.png for one name."""
    if is_remote(folder):
        return False
    with tempfile.NamedTemporaryFile(prefix=f"{PART_PREFIX}a", dir=folder) as file:
        return Path(file.name.swapcase()).exists()
