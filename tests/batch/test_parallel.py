import threading
from collections.abc import Iterator

import pytest

from dartblur.batch.parallel import parallel_map


def counting(limit: int, taken: list[int]) -> Iterator[int]:
    for number in range(limit):
        taken.append(number)
        yield number


@pytest.mark.parametrize("workers", [1, 3])
def test_every_job_is_done_once(workers: int) -> None:
    assert sorted(parallel_map(lambda job: job * 2, range(50), workers)) == list(range(0, 100, 2))


def test_no_jobs_end_at_once() -> None:
    assert list(parallel_map(lambda job: job, [], 4)) == []


@pytest.mark.parametrize("workers", [1, 3])
def test_only_two_jobs_a_worker_are_taken_ahead(workers: int) -> None:
    """So memory stays flat however many jobs there are."""
    taken: list[int] = []
    ended = 0
    for _ in parallel_map(lambda job: job, counting(100, taken), workers):
        ended += 1
        assert len(taken) < ended + 4 * workers  # those that wait to be told, and as many again
    assert ended == 100


def test_nothing_is_taken_while_all_workers_are_busy() -> None:
    """One job may end, and one more is taken: no more than two a worker are ever out."""
    taken: list[int] = []
    go = threading.Semaphore(1)
    results = parallel_map(lambda job: go.acquire(), counting(100, taken), 2)
    next(iter(results))
    assert len(taken) == 5
    go.release()
    next(iter(results))
    assert len(taken) == 6
    go.release(4)  # what has begun is finished before the caller may leave
    results.close()  # type: ignore[attr-defined]


def test_an_error_in_work_comes_through_and_stops_the_rest() -> None:
    taken: list[int] = []

    def work(job: int) -> int:
        if job == 5:
            raise RuntimeError("job 5")
        return job

    with pytest.raises(RuntimeError, match="job 5"):
        list(parallel_map(work, counting(1000, taken), 2))
    assert len(taken) < 30


def test_an_error_in_the_jobs_comes_through() -> None:
    def jobs() -> Iterator[int]:
        yield from range(7)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(parallel_map(lambda job: job, jobs(), 2))


def test_a_caller_who_stops_early_waits_only_for_what_has_begun() -> None:
    taken: list[int] = []
    results = parallel_map(lambda job: job, counting(1000, taken), 2)
    assert next(iter(results)) in range(4)
    results.close()  # type: ignore[attr-defined]
    assert len(taken) <= 8


def test_work_really_runs_side_by_side() -> None:
    both = threading.Barrier(2)
    assert len(list(parallel_map(lambda job: both.wait(), range(2), 2))) == 2
