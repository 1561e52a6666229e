"""What is to be done: every picture and film under the inputs, or why one cannot be."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from dartblur.batch.stamps import Stamp, stamp_of
from dartblur.errors import UsageError
from dartblur.images import PICTURE_SUFFIXES
from dartblur.video import VIDEO_SUFFIXES, is_video
from dartblur.video.places import PIPE

_SUFFIXES = PICTURE_SUFFIXES | VIDEO_SUFFIXES


@dataclass(frozen=True)
class Job:
    """One input file.

    relative: where its output goes below the output folder. problem: why it cannot be done, if so.
    passed_over: nothing is to be done: its name is no picture's or film's, or is hidden.
    real_path and stamp: of the file, where the search through the folders saw them already.
    """

    source: Path
    relative: Path
    problem: str | None = None
    passed_over: bool = False
    real_path: str | None = None
    stamp: Stamp | None = None

    @property
    def listed(self) -> str:
        """What files of boxes call it: its path below the inputs, with forward slashes."""
        return listed_name(self.relative, self.source)

    @property
    def is_film(self) -> bool:
        """True for a film, by the name of its output: standard input has none of its own."""
        return is_video(self.relative)

    def made_from(self) -> tuple[str, int | None, int | None]:
        """The real path, size and time of the source: what tells it from every other."""
        real_path = self.real_path or os.path.realpath(self.source)
        return real_path, *(self.stamp or stamp_of(self.source))


def listed_name(output: PurePath, source: PurePath) -> str:
    """What files of boxes call an input: it may go to a file that is called otherwise.

    output: below the output folder. Standard input has no name but its output's.
    """
    return (output if str(source) == PIPE else output.with_name(source.name)).as_posix()


@dataclass(frozen=True)
class Inputs:
    """The files under some paths, in a fixed order, those that are passed over among them.

    paths: pictures, films and folders. A single folder's tree is mirrored right below the output;
    of several, each below its own name. every: files of any name are jobs, but hidden ones.
    """

    paths: Sequence[Path]
    every: bool = False

    def __iter__(self) -> Iterator[Job]:
        for path in self.paths:
            if path.is_dir():
                real = os.path.realpath(path)
                prefix = Path() if len(self.paths) == 1 else Path(Path(real).name)
                yield from _walk(path, prefix, (real,), every=self.every)
            else:
                yield Job(path, Path(path.name), _file_problem(path))


def _walk(folder: Path, relative: Path, above: tuple[str, ...], *, every: bool) -> Iterator[Job]:
    """All files of one folder and those below.

    above: the real folders on the way here, from the input to this one.
    """
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError as error:
        yield Job(folder, relative, f"the folder cannot be read: {error.strerror}")
        return
    for entry in entries:
        path, below = folder / entry.name, relative / entry.name
        if entry.name.startswith("."):
            yield Job(path, below, passed_over=True)
            continue
        real = os.path.join(above[-1], entry.name)  # noqa: PTH118 - asked for every file
        if entry.is_symlink():
            real = os.path.realpath(path)
            if problem := _link_problem(real, above):
                yield Job(path, below, problem)
                continue
        if entry.is_dir():
            yield from _walk(path, below, (*above, real), every=every)
        elif not (every or os.path.splitext(entry.name)[1].lower() in _SUFFIXES):  # noqa: PTH122
            yield Job(path, below, passed_over=True)
        else:
            yield _file_job(entry, path, below, real)


def _file_job(entry: os.DirEntry[str], path: Path, below: Path, real: str) -> Job:
    try:
        status = entry.stat()
    except OSError as error:
        return Job(path, below, f"cannot be read: {error.strerror}")
    found = (status.st_size, status.st_mtime_ns)
    return Job(path, below, _kind_problem(status.st_mode), real_path=real, stamp=found)


def check_places(paths: Sequence[Path], out: Path) -> None:
    """Refuses an output folder that lies in an input, is one, or is named like a file.

    Raises:
        UsageError: an input or `out` is in the way of the other.
    """
    if not paths:
        raise UsageError("there is no input: name pictures, films or folders")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: the output exists and is not a folder")
    if not out.exists() and out.suffix.lower() in _SUFFIXES:
        count = f"are {len(paths)} inputs" if len(paths) > 1 else "is a folder of inputs"
        raise UsageError(
            f"{out}: is named like a single file, but there {count}; name a folder to write to"
        )
    target = out.resolve()
    for path in paths:
        if path.is_dir() and target.is_relative_to(path.resolve()):
            raise UsageError(f"{out}: the output may not lie in the input folder {path}")


def _link_problem(real: str, above: tuple[str, ...]) -> str | None:
    if not os.path.exists(real):  # noqa: PTH110
        return "a link that leads nowhere, or to itself"
    if not Path(real).is_relative_to(above[0]):
        return f"a link out of the folder, to {real}; name that as an input of its own"
    if real in above:
        return f"a link in a circle, back to {real}"
    return None


def _file_problem(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return _kind_problem(mode)


def _kind_problem(mode: int) -> str | None:
    # Opening a pipe would wait for ever.
    return None if stat.S_ISREG(mode) else "not a regular file"
