"""A data set copied by actors of Ray's against the plain command, undisturbed and killed.

    python benchmarks/dataset_cluster.py SRC WORK [--actors 2] [--without ray] [-- OPTIONS...]

Four copies of SRC below WORK: plain; with Ray; with Ray while an actor is killed; with Ray while
the command itself is killed, and run again. All must have the bytes of the plain one. Prints a line
of JSON for each, with wall and CPU seconds of the command and all its processes.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

Options = list[str]


def start(source: Path, target: Path, options: Options) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "dartblur", "dataset", str(source), str(target), *options]
    return subprocess.Popen(words, stderr=subprocess.PIPE)


def watched(
    run: subprocess.Popen[bytes], target: Path, at: int, disturb: Callable[[int], bool] | None
) -> dict[str, object]:
    """Waits for a run, and disturbs it once `at` pictures are there."""
    began, spent, disturbed = time.monotonic(), {}, False
    while run.poll() is None:
        for pid in processes(run.pid):
            try:
                times = psutil.Process(pid).cpu_times()
                spent[pid] = times.user + times.system
            except psutil.Error:
                pass
        if disturb and not disturbed and count(target) >= at:
            disturbed = disturb(run.pid)
        time.sleep(0.2)
    error = run.stderr.read().decode() if run.stderr else ""
    return {
        "status": run.returncode,
        "wall": round(time.monotonic() - began, 1),
        "cpu": round(sum(spent.values()), 1),
        "disturbed": disturbed,
        "told": error.strip().splitlines()[-3:],
    }


def processes(pid: int) -> list[int]:
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:
        return []


def kill_an_actor(pid: int) -> bool:
    for process in processes(pid):
        try:
            if "MapBatches" in " ".join(psutil.Process(process).cmdline()):
                os.kill(process, signal.SIGKILL)
                return True
        except (psutil.Error, ProcessLookupError):
            continue
    return False


def kill_the_command(pid: int) -> bool:
    os.kill(pid, signal.SIGKILL)
    return True


def count(target: Path) -> int:
    return sum(path.is_file() for path in target.rglob("*.*")) if target.is_dir() else 0


def same(one: Path, other: Path) -> bool:
    """The same files with the same bytes, and the same manifest."""
    names = [
        sorted(p.relative_to(root) for p in root.rglob("*") if p.is_file()) for root in (one, other)
    ]
    manifests = [
        root.with_name(root.name + ".dartblur") / "manifest.jsonl" for root in (one, other)
    ]
    pairs = [*((one / name, other / name) for name in names[0]), tuple(manifests)]
    return names[0] == names[1] and all(filecmp.cmp(a, b, shallow=False) for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--actors", type=int, default=2)
    parser.add_argument("--without", nargs="*", default=(), help="names of runs to leave out")
    own, options = sys.argv[1:], []
    if "--" in own:
        own, options = own[: own.index("--")], own[own.index("--") + 1 :]
    given = parser.parse_args(own)
    half = count(given.source) // 3
    plain = [*options, "--workers", str(given.actors)]
    ray = [*plain, "--ray", "local"]
    runs: dict[str, tuple[Options, Callable[[int], bool] | None]] = {
        "plain": (plain, None),
        "ray": (ray, None),
        "ray, an actor killed": (ray, kill_an_actor),
        "ray, the command killed": (ray, kill_the_command),
    }
    for name, (words, disturb) in runs.items():
        if name in given.without:
            continue
        target = given.work / name.replace(", ", "-").replace(" ", "-")
        shutil.rmtree(target, ignore_errors=True)
        shutil.rmtree(target.with_name(target.name + ".dartblur"), ignore_errors=True)
        told = watched(start(given.source, target, words), target, half, disturb)
        if told["status"]:
            told["there when killed"] = count(target)
            told["again"] = watched(start(given.source, target, words), target, half, None)
        told["same as plain"] = same(given.work / "plain", target)
        print(json.dumps({"run": name, **told}), flush=True)


if __name__ == "__main__":
    main()
