"""What an encoder may not change: how the system shares its processors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_THREADS = Path("/proc/self/task")


@contextmanager
def kept_scheduling() -> Iterator[None]:
    """Threads that were there keep their scheduling policy, new ones get that of the caller; Linux.

    Run by root, as in most containers, SVT-AV1 makes its threads and the one that opens it
    real-time threads: what they and all that they begin do goes before everything else on the
    machine.
    """
    if not _THREADS.is_dir():
        yield
        return
    before = _policies()
    mine = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        for thread, policy in _policies().items():
            wanted, parameters = before.get(thread, mine)
            if policy[0] != wanted:
                with suppress(OSError):  # it has ended
                    os.sched_setscheduler(thread, wanted, parameters)


def _policies() -> dict[int, tuple[int, os.sched_param]]:
    """By thread of this process its policy and its priority."""
    found = {}
    for thread in (int(folder.name) for folder in _THREADS.iterdir()):
        with suppress(OSError):
            found[thread] = os.sched_getscheduler(thread), os.sched_getparam(thread)
    return found
