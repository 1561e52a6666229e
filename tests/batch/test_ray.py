"""Ray's actors make what the plain command makes, though one of them and the command are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.batch.data_sets import BOX, save, widerface
from tests.conftest import Outcome
from tests.pictures import tree

pytest.importorskip("pyarrow", reason="the manifest needs the extra dataset")
ray = pytest.importorskip("ray", reason="needs the extra cluster: pip install 'dartblur[cluster]'")

from dartblur.batch import dataset_command
from dartblur.batch.copier import CopyJob
from dartblur.batch.manifest import read_manifest
from dartblur.cluster import ray_map
from dartblur.records import Record

# The command, which kills itself once it has booked three files.
DYING = """
import os, signal
from dartblur import cli
from dartblur.batch.ledger import Ledger
real, booked = Ledger.done, []

def done(self, relative, target, record):
    real(self, relative, target, record)
    booked.append(relative)
    if len(booked) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

Ledger.done = done
cli.main()
"""


@dataclass(frozen=True)
class DyingActor:
    """Does the work; kills the process that it is in, once, at one file."""

    work: Callable[[CopyJob], Record]
    name: str
    died: Path

    def __call__(self, task: CopyJob) -> Record:
        if task.job.relative.name == self.name and not self.died.exists():
            self.died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.work(task)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a cluster of this machine's own."""
    monkeypatch.setenv("RAY_worker_niceness", "0")  # else they wait for all other tests
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except Exception as error:
        if "timed out during startup" not in str(error):
            raise
        pytest.skip("Ray grants its processes 30 seconds to start, and this machine is too busy")
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


def test_killed_actors_and_a_killed_command_lose_nothing(
    tmp_path: Path,
    command: Callable[..., Outcome],
    cluster: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    src = tmp_path / "src"
    widerface(src)
    labels = src / "wider_face_split/wider_face_val_bbx_gt.txt"
    row = " ".join(map(str, BOX))
    for seed in range(40):
        save(src / f"WIDER_val/images/1--More/{seed:02}.png", seed)
    more = "".join(f"1--More/{seed:02}.png\n1\n{row} 0 0 0 0 0 0\n" for seed in range(40))
    labels.write_text(labels.read_text() + more)
    (src / "broken.jpg").write_bytes(b"no picture")
    words = ("--hidden", "labelled", "--method", "gaussian", "--workers", 2)
    assert command("dataset", src, tmp_path / "plain", *words).status == 1

    with_ray = ("dataset", src, tmp_path / "ray", *words, "--ray", cluster)
    dying = [sys.executable, "-c", DYING, *map(str, with_ray)]
    done = subprocess.run(dying, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr

    died = tmp_path / "died"

    def dying_map(work: Any, *rest: Any, **more: Any) -> Any:
        return ray_map(DyingActor(work, "39.png", died), *rest, **more)

    monkeypatch.setattr(dataset_command, "ray_map", dying_map)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    outcome = command(*with_ray)
    assert outcome.status == 1
    assert "broken.jpg" in outcome.error
    assert "3 already done" in outcome.error
    assert died.exists()

    made = tree(tmp_path / "ray")
    assert made == tree(tmp_path / "plain")
    for name in made:
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
    lines = [tmp_path / f"{name}.dartblur/manifest.jsonl" for name in ("ray", "plain")]
    assert lines[0].read_bytes() == lines[1].read_bytes()
    assert set(Counter(row.file for row in read_manifest(lines[0])).values()) == {1}
    assert not list(tmp_path.rglob("*.part"))


def test_jobs_are_taken_by_windows(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dartblur.cluster._JOBS_AN_ACTOR", 32)
    taken = 0

    def jobs() -> Iterator[int]:
        nonlocal taken
        for number in range(70):
            taken += 1
            yield number

    results = ray_map(abs, jobs(), 1, cluster)
    found = [next(results)]
    assert taken == 32
    assert sorted([*found, *results]) == list(range(70))


def test_a_cluster_that_is_not_there_is_named(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    widerface(tmp_path / "src")
    outcome = command("dataset", tmp_path / "src", tmp_path / "dst", "--ray", "127.0.0.1:1")
    assert outcome.status == 2
    assert "127.0.0.1:1: no cluster can be reached" in outcome.error
