"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PART_PREFIX = ".dartblur-"
PART_SUFFIX = ".part"


@contextmanager
def atomic_path(target: Path, folder: Path | None = None) -> Iterator[Path]:
    """A path to write to, moved onto `target` when the block ends and deleted when it fails.

    folder: where the part lies meanwhile; on the target's file system (default: beside the target).

    Raises:
        OSError: the folder cannot be written, or the disk is full; `target` is as it was.
    """
    folder = folder or target.parent
    handle, name = tempfile.mkstemp(PART_SUFFIX, PART_PREFIX, folder)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        # mkstemp makes files private; a finished one gets what the user's umask grants.
        part.chmod(0o666 & ~_umask())
        part.replace(target)
    except BaseException:
        with suppress(FileNotFoundError):
            part.unlink()
        raise


def write_atomically(target: Path, data: bytes, folder: Path | None = None) -> None:
    """Writes a whole file, or leaves what was there; see `atomic_path`."""
    with atomic_path(target, folder) as part:
        part.write_bytes(data)


def remove_parts(folder: Path) -> None:
    """Deletes what killed runs left in `folder` under a temporary name."""
    for part in folder.glob(f"{PART_PREFIX}*{PART_SUFFIX}"):
        part.unlink(missing_ok=True)


def _umask() -> int:
    # The system call can only swap the mask; /proc tells it without touching it for other threads.
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
