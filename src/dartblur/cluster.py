"""Many jobs on the cores of many machines: an actor pool of Ray Data."""

from __future__ import annotations

import logging
import pickle
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

from dartblur.errors import UsageError

Job = TypeVar("Job")
Result = TypeVar("Result")

LOCAL = "local"
# A task of Ray's: what is done again when an actor or its machine dies.
_JOBS_A_TASK = 16
# Jobs that the driver holds for each actor: minutes of work, so that waiting for the last of them,
# and starting the actors anew for the next, is little beside it.
_JOBS_AN_ACTOR = 1024
# Results that an actor hands on together.
_TOGETHER = 4


def ray_map(
    work: Callable[[Job], Result],
    jobs: Iterable[Job],
    actors: int,
    address: str,
    *,
    gpus: float = 0,
) -> Iterator[Result]:
    """`work` of every job by actors of Ray's, in the order in which they end.

    `work` and jobs travel pickled; each actor keeps its own copy of `work`, and with it what that
    makes once, as networks are. When an actor dies, Ray starts another and gives it the whole task
    again, as often as it takes (Ray Data's default): `work` must do no harm when it is done twice.
    Jobs are taken as they are needed, `_JOBS_AN_ACTOR` for each actor at a time.

    address: of a cluster, as `ray.init` takes it ("auto", "ray://head:10001"), or "local" for one
    of this machine alone. gpus: that each actor asks for.

    Raises:
        UsageError: Ray is not installed, or no cluster is at the address.
    """
    ray, pyarrow = _imported()
    tables = (pyarrow.table({"job": some}) for some in _packed(jobs))
    window = list(islice(tables, actors * _JOBS_AN_ACTOR // _JOBS_A_TASK))
    if not window:
        return
    started = _connect(ray, address, actors)
    try:
        while window:
            results = ray.data.from_arrow(window).map_batches(
                _Actor,
                fn_constructor_args=(ray.cloudpickle.dumps(work), _TOGETHER if gpus else 1),
                batch_size=_TOGETHER,
                compute=ray.data.ActorPoolStrategy(size=actors),
                num_cpus=1,
                num_gpus=gpus or None,
            )
            for batch in results.iter_batches(batch_size=None, prefetch_batches=0):
                for result in batch["result"]:
                    yield pickle.loads(result)
            window = list(islice(tables, actors * _JOBS_AN_ACTOR // _JOBS_A_TASK))
    finally:
        if started:
            ray.shutdown()


def _packed(jobs: Iterable[Job]) -> Iterator[list[bytes]]:
    """The jobs of one task after the other."""
    packed = (pickle.dumps(job) for job in jobs)
    while some := list(islice(packed, _JOBS_A_TASK)):
        yield some


class _Actor:
    """One process of the pool; on a GPU its threads' calls of a network become batches."""

    def __init__(self, work: bytes, threads: int) -> None:
        self.work, self.threads = pickle.loads(work), threads

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        with ThreadPoolExecutor(self.threads) as pool:
            return {"result": list(pool.map(self._done, batch["job"]))}

    def _done(self, job: bytes) -> bytes:
        return pickle.dumps(self.work(pickle.loads(job)))


def _check_reachable(address: str) -> None:
    """Ray would try for minutes, and then end the process."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and port.isdigit()):
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise UsageError(f"--ray {address}: no cluster can be reached: {error}") from error


def _imported() -> tuple[Any, Any]:
    try:
        import pyarrow
        import ray
        import ray.data
    except ImportError as error:
        raise UsageError(
            f"--ray needs {error.name}: pip install 'dartblur[cluster]', on every machine"
        ) from error
    return ray, pyarrow


def _connect(ray: Any, address: str, actors: int) -> bool:
    """Joins a cluster; True where it was begun here, and ends with the work."""
    if ray.is_initialized():
        return False
    _check_reachable(address)
    where = {"num_cpus": actors + 1} if address == LOCAL else {"address": address}
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR", **where)
    # Ray raises a bare Exception where its processes do not start in time.
    except Exception as error:
        raise UsageError(f"--ray {address}: no cluster can be reached: {error}") from error
    # The command has a bar and words of its own.
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    return True
