"""Many jobs on all cores, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def parallel_map(
    work: Callable[[Job], Result], jobs: Iterable[Job], workers: int
) -> Iterator[Result]:
    """`work` of every job, in the order in which they end; takes two jobs a worker at a time.

    Threads are enough: decoders, networks, filters and encoders all release the interpreter.
    When the caller stops, or `work` raises, what has begun is finished and nothing new is begun.
    """
    source = iter(jobs)
    with ThreadPoolExecutor(workers, "dartblur") as pool:
        running: set[Future[Result]] = {
            pool.submit(work, job) for job in islice(source, 2 * workers)
        }
        try:
            while running:
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {pool.submit(work, job) for job in islice(source, len(ended))}
                for future in ended:
                    yield future.result()
        finally:
            for future in running:
                future.cancel()
