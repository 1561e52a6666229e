"""The log keeps every decision that it confirmed, and loses none to a later writer."""

import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from dartblur.errors import UsageError
from dartblur.review.decisions import Decisions, StaleError


def test_rows_come_back_as_they_went_in(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    with closing(Decisions(path)) as log:
        one = log.append("picture:a", 0, "Ada", "draw", {"boxes": [1]})
        two = log.append("picture:a", 1, "Bob", "undo", {"boxes": []})
        other = log.append("film:a", 0, "Ada", "accept", {})
    with closing(Decisions(path)) as log:
        assert list(log.rows()) == [one, two, other]
        assert log.latest("picture:a") == two
        assert log.latest("picture:b") is None
        assert list(log.latest_of_all("picture:")) == [two]
        assert [row.version for row in log.rows()] == [1, 2, 1]
        assert one.time.endswith("+00:00")


def test_a_late_writer_is_told(tmp_path: Path) -> None:
    with closing(Decisions(tmp_path / "log.sqlite")) as log:
        first = log.append("x", 0, "Ada", "draw", {})
        for version in (0, 2, -1):
            with pytest.raises(StaleError) as stale:
                log.append("x", version, "Bob", "draw", {})
            assert stale.value.current == first
        assert list(log.rows()) == [first]


def test_of_many_writers_at_once_one_wins(tmp_path: Path) -> None:
    with closing(Decisions(tmp_path / "log.sqlite")) as log:

        def write(number: int) -> bool:
            try:
                log.append("x", 0, str(number), "draw", {})
            except StaleError:
                return False
            return True

        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(write, range(64))) == 1


def test_rows_are_never_changed(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    with closing(Decisions(path)) as log:
        log.append("x", 0, "Ada", "draw", {})
    with closing(sqlite3.connect(path)) as base:
        for query in ("UPDATE decisions SET reviewer = 'Eve'", "DELETE FROM decisions"):
            with pytest.raises(sqlite3.IntegrityError, match="only added"):
                base.execute(query)


def test_one_review_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    with closing(Decisions(path)), pytest.raises(UsageError, match="another review"):
        Decisions(path)
    path.write_bytes(b"no data base at all" * 100)
    with pytest.raises(UsageError, match="cannot be used"):
        Decisions(path)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals")
def test_what_was_confirmed_outlives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    script = """
import sys
from pathlib import Path
from dartblur.review.decisions import Decisions
log = Decisions(Path(sys.argv[1]))
number = 0
while True:
    log.append("x", number, "Ada", "draw", {"n": number})
    number += 1
    print(number, flush=True)
"""
    words = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        confirmed = 0
        for line in process.stdout:
            confirmed = int(line)
            if confirmed == 20:
                os.kill(process.pid, signal.SIGKILL)
                break
        # What it had still said before it died.
        confirmed = max([confirmed, *map(int, process.stdout.read().split())])
    with closing(Decisions(path)) as log:
        assert len(list(log.rows())) >= confirmed
