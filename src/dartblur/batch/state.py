"""Where the state of an output lies: beside it, never in it, since it is private.

What a run must remember (which inputs, from where, with which boxes) is nothing to publish with the
pictures. Of a folder OUT it lies in OUT.dartblur beside it; of a single file in the user's own
folder of states, since many such runs may write into one folder.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dartblur.errors import UsageError
from dartblur.files import PART_PREFIX, PART_SUFFIX

LEDGER_NAME = "ledger.sqlite"
REPORT_NAME = "report.jsonl"
DECISIONS_NAME = "review.sqlite"
"""Of the log of what people decided in a review."""
MENDED_NAME = "review/boxes.json"
"""Of the boxes as they were mended in a review."""
_PRIVATE = 0o700


def state_of(out: Path, chosen: Path | None, inputs: Sequence[Path]) -> Path:
    """The folder for the state of an output folder, made where it is not there.

    chosen: by the user. inputs: real folders into which nothing may be written.

    Raises:
        UsageError: it cannot be made, or would lie in an input.
    """
    if chosen is None:
        real = out.resolve()
        if not real.name:
            raise UsageError(f"{out}: nothing lies beside it; name a folder with --state")
        folder = real.with_name(real.name + ".dartblur")
        # As short as the output was named.
        with suppress(ValueError):
            folder = folder.relative_to(Path.cwd())
    else:
        folder = chosen
    if any(folder.resolve().is_relative_to(root) for root in inputs):
        raise UsageError(f"{folder}: the state may not lie in an input folder; name another")
    try:
        folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder}: cannot be made ({error.strerror}); it would keep what is done already, "
            "and the report: name another place with --state"
        ) from error
    return folder


def parts_of(out: Path, state: Path) -> Path:
    """The folder for unfinished files: the state, or `out` where that is another file system.

    Raises:
        UsageError: one of the two cannot be written.
    """
    target = out / f"{PART_PREFIX}{os.getpid()}{PART_SUFFIX}"
    try:
        handle, part = tempfile.mkstemp(PART_SUFFIX, PART_PREFIX, state)
        os.close(handle)
        try:
            Path(part).replace(target)
        finally:
            Path(part).unlink(missing_ok=True)
        target.unlink()
    except OSError as error:
        if error.errno == errno.EXDEV:
            return out
        raise UsageError(f"{out}: cannot be written: {error.strerror}") from error
    return state


def ledger_of_file(target: Path, chosen: Path | None) -> Path | str:
    """The place of a single output file's ledger, or ":memory:" where nothing can be remembered."""
    try:
        folder = chosen or _home_of_states()
        folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        if chosen is not None:
            raise UsageError(f"{chosen}: cannot be made: {error}") from error
        return ":memory:"
    if not os.access(folder, os.W_OK):
        return ":memory:"
    real = target.parent.resolve() / target.name
    return folder / f"{hashlib.sha256(os.fsencode(real)).hexdigest()[:24]}.sqlite"


def _home_of_states() -> Path:
    chosen = os.environ.get("XDG_STATE_HOME")
    return (Path(chosen) if chosen else Path.home() / ".local" / "state") / "dartblur"
