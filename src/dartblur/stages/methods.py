"""The methods of a protocol: those that it names, and those that it brings."""

from __future__ import annotations

from collections.abc import Mapping


def named_and_brought(named: tuple[str, ...], *brought: Mapping[str, str]) -> tuple[str, ...]:
    """All names, in the order given. brought: name → the file or folder that the method is."""
    more = dict.fromkeys(name for table in brought for name in table if name not in named)
    return (*named, *more)
