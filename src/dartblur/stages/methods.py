"""The methods of a protocol: those that it names, and those that it brings."""

from __future__ import annotations

from collections.abc import Mapping

from dartblur.anonymizers import MethodSettings
from dartblur.stages.stage import digest_of


def named_and_brought(named: tuple[str, ...], *brought: Mapping[str, str]) -> tuple[str, ...]:
    """All names, in the order given. brought: name → the file or folder that the method is."""
    more = dict.fromkeys(name for table in brought for name in table if name not in named)
    return (*named, *more)


def generator_digest(method: tuple[str, MethodSettings] | None) -> str:
    """Hash of a generator's file, and what it is told; "" for what is no generator's.

    A name does not tell it: the default generator is not the same in every version.

    Raises:
        InputError: the file cannot be read.
    """
    if method is None or method[0] != "dartblur":
        return ""
    return f"{digest_of([method[1].generator_file])}{method[1].of_blur('strength') or ''}"
