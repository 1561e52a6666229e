"""An encoder leaves the machine to others."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import av
import pytest

from dartblur.video.scheduling import kept_scheduling

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="policies are Linux's")


def in_a_thread(work: Callable[[], list[int]]) -> list[int]:
    """What the work tells; it may change its own thread."""
    told: list[list[int]] = []
    thread = threading.Thread(target=lambda: told.append(work()))
    thread.start()
    thread.join()
    return told[0]


def test_threads_get_back_what_they_had_and_new_ones_what_the_caller_has() -> None:
    def work() -> list[int]:
        stop, begun = threading.Event(), threading.Event()
        new: list[int] = []

        def other() -> None:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
            new.append(threading.get_native_id())
            begun.set()
            stop.wait()

        thread = threading.Thread(target=other)
        with kept_scheduling():
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
            thread.start()
            begun.wait()
            within = os.sched_getscheduler(0)
        after = [os.sched_getscheduler(0), os.sched_getscheduler(new[0])]
        stop.set()
        thread.join()
        return [within, *after]

    assert in_a_thread(work) == [os.SCHED_BATCH, os.SCHED_OTHER, os.SCHED_OTHER]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="SVT-AV1 asks for root")
def test_svt_av1_does_not_become_real_time(tmp_path: Path) -> None:
    def work() -> list[int]:
        with av.open(str(tmp_path / "a.mkv"), "w") as container:
            stream = container.add_stream("libsvtav1", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            with kept_scheduling():
                container.start_encoding()
            found = []
            for folder in Path("/proc/self/task").iterdir():
                with suppress(OSError):  # a thread of other tests has ended
                    found.append(os.sched_getscheduler(int(folder.name)))
            return found

    assert set(in_a_thread(work)) == {os.SCHED_OTHER}
