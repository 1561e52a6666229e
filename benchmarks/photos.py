"""Photos per second and peak memory of `dartblur anonymize`, beside `deface` in the same run.

    python benchmarks/photos.py PHOTOS --copies 1000 --deface deface

PHOTOS is a folder; its photos are copied, in turn, until there are --copies. Every command sees the
same folder, on the same cores, one after the other; --deface names the other tool's command, which
may live in an environment of its own. Prints a table, and JSON with --json FILE.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--copies", type=int, default=1000)
    parser.add_argument("--deface", help="command of deface; left out where not given")
    parser.add_argument("--methods", nargs="+", default=["gaussian"])
    parser.add_argument("--detectors", nargs="+", default=["thorough", "fast"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photos = copies(options.photos, options.copies, Path(folder) / "in")
        command = [sys.executable, "-m", "dartblur", "anonymize", str(photos), "--quiet"]
        rows = []
        for detector in options.detectors:
            for method in options.methods:
                chosen = ["--detector", detector, "--method", method]
                target = ["-o", f"{folder}/{detector}-{method}"]
                name = " ".join(["dartblur", *chosen])
                rows.append(measured(name, [*command, *target, *chosen], options.copies))
        if options.deface:
            rows.append(against_deface(options.deface, photos, Path(folder) / "deface"))
    print(f"{'command':<52}{'photos/s':>10}{'wall s':>9}{'CPU s':>9}{'peak MiB':>10}")
    for row in rows:
        print(
            f"{row['command']:<52}{row['photos_per_second']:>10.2f}{row['wall_seconds']:>9.1f}"
            f"{row['cpu_seconds']:>9.1f}{row['peak_mib']:>10.0f}"
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def copies(photos: Path, count: int, target: Path) -> Path:
    sources = sorted(p for p in photos.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not sources:
        sys.exit(f"{photos}: holds no photos")
    target.mkdir(parents=True)
    for number, source in enumerate(islice(cycle(sources), count)):
        shutil.copyfile(source, target / f"{number:06d}{source.suffix.lower()}")
    return target


def against_deface(command: str, photos: Path, target: Path) -> dict[str, Any]:
    # It writes beside its inputs: give it a copy, and the files one by one, as its users do.
    shutil.copytree(photos, target)
    files = [str(path) for path in sorted(target.iterdir())]
    name = "deface --replacewith blur"
    return measured(name, [command, "--replacewith", "blur", *files], len(files))


def measured(name: str, command: list[str], photos: int) -> dict[str, Any]:
    started = time.monotonic()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, **quiet)
    assert process.stderr is not None
    last = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{name}: failed\n{last[-2000:]}")
    return {
        "command": name,
        "photos": photos,
        "photos_per_second": photos / wall,
        "wall_seconds": wall,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / 1024,
    }


if __name__ == "__main__":
    main()
