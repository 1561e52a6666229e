"""How long many cores take for many pictures, with stragglers and machines that die.

    python benchmarks/scale_simulation.py [--pictures 10000000] [--seconds 0.15] [--cores 256]

A simulation, no measurement: tasks of 16 pictures go to cores as they get free; a picture's time is
lognormal around the given mean; machines die at random, and their tasks are done again. Prints the
hours that the work takes at best, the hours that it took, and what was done twice.
"""

from __future__ import annotations

import argparse
import heapq
import json

import numpy as np

TASK = 16  # pictures, as in dartblur.cluster


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=0.15, help="of one core for a picture")
    parser.add_argument("--spread", type=float, default=1.0, help="sigma of the lognormal times")
    parser.add_argument("--cores", type=int, default=256)
    parser.add_argument("--machine", type=int, default=32, help="cores of one machine")
    parser.add_argument("--death-hours", type=float, default=24.0, help="mean life of a machine")
    parser.add_argument("--back-seconds", type=float, default=300.0, help="until another is there")
    given = parser.parse_args()
    print(json.dumps({**vars(given), **simulated(given)}))


def simulated(given: argparse.Namespace) -> dict[str, float]:
    rng = np.random.default_rng(0)
    tasks = given.pictures // TASK
    mean = np.log(given.seconds) - given.spread**2 / 2
    # The sum of a task's pictures, in bulk.
    times = rng.lognormal(mean, given.spread, (tasks, TASK)).astype(np.float32).sum(axis=1)
    machines = given.cores // given.machine
    deaths = rng.exponential(given.death_hours * 3600, machines)
    free = [(0.0, core) for core in range(given.cores)]
    heapq.heapify(free)
    waiting, twice, died, end = list(times), 0, 0, 0.0
    while waiting:
        now, core = heapq.heappop(free)
        machine, took = core // given.machine, waiting.pop()
        done = now + float(took)
        if deaths[machine] < done:
            # Whatever runs there is lost; its cores come back together.
            waiting.append(took)
            twice += 1
            back = max(now, deaths[machine] + given.back_seconds)
            if core % given.machine == 0:
                died += 1
                deaths[machine] = back + rng.exponential(given.death_hours * 3600)
            heapq.heappush(free, (back, core))
            continue
        end = max(end, done)
        heapq.heappush(free, (done, core))
    work = float(times.sum())
    return {
        "core_hours": round(work / 3600, 1),
        "hours_at_best": round(work / 3600 / given.cores, 3),
        "hours": round(end / 3600, 3),
        "machines_died": died,
        "tasks_done_twice": twice,
        "longest_task_seconds": round(float(times.max()), 1),
    }


if __name__ == "__main__":
    main()
