"""The shares of several commands that copy one data set side by side, without a cluster."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from dartblur.batch.manifest import LINES_NAME
from dartblur.errors import UsageError


@dataclass(frozen=True)
class Share:
    """The files of one of `count` commands that work side by side; number: from 1."""

    number: int
    count: int

    @property
    def folder(self) -> str:
        """Where its state lies, below that of the copy."""
        return f"shard-{self.number}-of-{self.count}"

    def __contains__(self, name: str) -> bool:
        # By the name alone: no command need know what the others see.
        return crc32(os.fsencode(name)) % self.count == self.number - 1


def share_of(shard: str | None) -> Share | None:
    """What `--shard` spells.

    Raises:
        UsageError: it is not i/n.
    """
    if shard is None:
        return None
    number, slash, count = shard.partition("/")
    if not (slash and number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise UsageError(f"--shard must be i/n, 1/8 to 8/8 say, not {shard!r}")
    return Share(int(number), int(count))


def shard_folders(state: Path) -> list[Path]:
    """The folders of all shards of a copy, each with its manifest.

    Raises:
        UsageError: not all of one number of shards are there.
    """
    folders = sorted(state.glob("shard-*-of-*"))
    counts = {folder.name.rpartition("-")[2] for folder in folders}
    if len(counts) != 1:
        told = f"shards of {' and of '.join(sorted(counts))}" if counts else "no shards"
        raise UsageError(f"{state}: holds {told}; run --shard 1/n to n/n first, with one n")
    [count] = map(int, counts)
    wanted = [state / Share(number, count).folder for number in range(1, count + 1)]
    for folder in wanted:
        if not (folder / LINES_NAME).is_file():
            raise UsageError(f"{folder}: has no manifest; end that shard first")
    return wanted
