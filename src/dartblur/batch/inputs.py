"""What is to be done: every picture and film under the inputs, or why one cannot be."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dartblur.errors import UsageError
from dartblur.images import PICTURE_SUFFIXES
from dartblur.video import VIDEO_SUFFIXES, is_video


@dataclass(frozen=True)
class Job:
    """One input file.

    relative: where its output goes below the output folder. problem: why it cannot be done, if so.
    """

    source: Path
    relative: Path
    problem: str | None = None

    @property
    def is_film(self) -> bool:
        """True for a film, by the name of its output: standard input has none of its own."""
        return is_video(self.relative)


@dataclass
class Inputs:
    """The files under some paths, in a fixed order; counts what it passes over.

    paths: pictures, films and folders. A single folder's tree is mirrored right below the output;
    of several, each below its own name.
    others: files passed over so far, since their names are no picture's or film's or are hidden.
    """

    paths: Sequence[Path]
    others: int = 0

    def __iter__(self) -> Iterator[Job]:
        for path in self.paths:
            if path.is_dir():
                prefix = Path() if len(self.paths) == 1 else Path(path.resolve().name)
                yield from self._walk(path, prefix, path.resolve(), (path.resolve(),))
            else:
                yield Job(path, Path(path.name), _file_problem(path))

    def _walk(
        self, folder: Path, relative: Path, root: Path, above: tuple[Path, ...]
    ) -> Iterator[Job]:
        """All files of one folder and those below; `above` are the real folders on the way here."""
        try:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries)
        except OSError as error:
            yield Job(folder, relative, f"the folder cannot be read: {error.strerror}")
            return
        for name in names:
            path, below = folder / name, relative / name
            if name.startswith("."):
                self.others += 1
                continue
            real = path
            if path.is_symlink():
                real = Path(os.path.realpath(path))
                if problem := _link_problem(real, root, above):
                    yield Job(path, below, problem)
                    continue
            if path.is_dir():
                yield from self._walk(path, below, root, (*above, path.resolve()))
            elif path.suffix.lower() not in PICTURE_SUFFIXES | VIDEO_SUFFIXES:
                self.others += 1
            else:
                yield Job(path, below, _file_problem(path))


def check_places(paths: Sequence[Path], out: Path) -> None:
    """Refuses an output folder that lies in an input, or is one.

    Raises:
        UsageError: an input or `out` is in the way of the other.
    """
    if not paths:
        raise UsageError("there is no input: name pictures, films or folders")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: the output exists and is not a folder")
    target = out.resolve()
    for path in paths:
        if not path.is_dir():
            continue
        real = path.resolve()
        if real == target or real in target.parents:
            raise UsageError(f"{out}: the output may not lie in the input folder {path}")


def _link_problem(real: Path, root: Path, above: tuple[Path, ...]) -> str | None:
    if not real.exists():
        return "a link that leads nowhere, or to itself"
    if root != real and root not in real.parents:
        return f"a link out of the folder, to {real}; name that as an input of its own"
    if real in above:
        return f"a link in a circle, back to {real}"
    return None


def _file_problem(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    # Opening a pipe would wait for ever.
    return None if stat.S_ISREG(mode) else "not a regular file"
