"""Work that is done once: each stage makes one file from the files of others.

A stage's key is the hash of all that its file depends on, so a file that is there is never made
again, and one whose cause changed has another name. `running` makes what is missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from dartblur.errors import InputError


class Work(Protocol):
    """What a stage does: input files → target."""

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """Writes `target`; raises an InputError that names what is wrong."""
        ...

    def dependencies(self) -> dict[str, Any]:
        """All that the target depends on besides the inputs, its own code's version too."""
        ...

    def cost(self) -> float:
        """Roughly how many seconds one core takes for it."""
        ...

    def memory(self) -> float:
        """Roughly how many MiB its process takes."""
        ...


@dataclass(frozen=True)
class Stage:
    """One file to be made."""

    title: str
    work: Work
    inputs: tuple[Stage, ...] = ()

    @cached_property
    def key(self) -> str:
        """Hash of all that the file depends on."""
        parts = [type(self.work).__name__, self.work.dependencies()]
        parts += [stage.key for stage in self.inputs]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]

    def path(self, folder: Path) -> Path:
        """Where the file lies."""
        return folder / f"{type(self.work).__name__.lower()}-{self.key}"

    def make(self, folder: Path, target: Path) -> None:
        """Does the work."""
        self.work([stage.path(folder) for stage in self.inputs], target)


def fields_of(work: Any, without: Collection[str] = ()) -> dict[str, Any]:
    """The fields of a dataclass of work, but those that its target does not depend on."""
    return {name: value for name, value in asdict(work).items() if name not in without}


def digest_of(paths: Iterable[Path]) -> str:
    """Hash of the contents of files, in order.

    Raises:
        InputError: a file cannot be read.
    """
    whole = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); restore it") from error
    return whole.hexdigest()[:20]
