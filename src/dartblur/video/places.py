"""Where a film comes from: a file, a device, or standard input."""

from __future__ import annotations

from pathlib import Path

PIPE = "-"
STANDARD_INPUT = Path("/dev/stdin")
"""What `-` becomes on the command line, where a lone hyphen would be taken for an option."""


def is_device(source: str) -> bool:
    """True for what is read like a camera."""
    return source != PIPE and Path(source).is_char_device()


def is_live(source: str) -> bool:
    """True for what cannot be read twice: a pipe or a camera."""
    return source == PIPE or not Path(source).is_file()
