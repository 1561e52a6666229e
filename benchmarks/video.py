"""What films are measured by: faces that stay hidden, speed, memory.

    python benchmarks/video.py recall FILM
    python benchmarks/video.py speed FILM --deface deface
    python benchmarks/video.py memory FILM --minutes 30 --seconds 120

`recall` counts sightings of reference faces, by a network that the tool in question does not use,
that are not hidden: where less than 90 % of the middle 70 % × 70 % of the box lies in hidden boxes.
`speed` runs `dartblur`, `deface --keep-audio` and decoding with encoding alone, one after the other
on the same cores. `memory` repeats the film by copying its packets until it lasts --minutes, does
--seconds of it, and prints how much memory was in use on the way. Each prints a table, and JSON
with --json FILE.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from dartblur import boxes as boxlib
from dartblur.anonymizers import make_anonymizer
from dartblur.detectors import centerface, make_detector
from dartblur.detectors.network import shipped
from dartblur.faces import FloatArray, Image
from dartblur.video import VideoOptions, VideoTask, anonymize_video

LARGE = 48
# What deface does by default: one look at 0.2, boxes 1.6 times as wide and high (its
# --mask-scale 1.3 grows each side by 0.3).
DEFACE_THRESHOLD, DEFACE_MARGIN = 0.2, 0.3

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("recall", "speed", "memory", "alone"))
    parser.add_argument("film", type=Path)
    parser.add_argument("--detector", default="film")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--deface", help="command of deface; left out where not given")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seconds", type=float, help="of film; all of it where not given")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, help="keep the film that is made here")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.what == "alone":
        print(json.dumps(alone(options)))
        return
    measures = {"recall": recall, "speed": speed, "memory": memory}
    with tempfile.TemporaryDirectory() as folder:
        rows = list(measures[options.what](options, Path(folder)))
    for row in rows:
        print("  ".join(f"{name} {_text(value)}" for name, value in row.items()))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def alone(options: argparse.Namespace) -> Row:
    """One film in this process; `--detector none` decodes and encodes only."""
    detector = None if options.detector == "none" else make_detector(options.detector)
    task = VideoTask(
        str(options.film),
        make_anonymizer(),
        detector,
        options=VideoOptions(every=options.every),
        boxes_out=Path(f"{options.out}.jsonl"),
        workers=options.workers,
    )

    def stop_in_time(done: float, total: float | None) -> None:
        if options.seconds and done >= options.seconds:
            raise SystemExit

    started = time.monotonic()
    report = anonymize_video(task, options.out, progress=stop_in_time)
    return {"frames": report.frames, "faces": report.faces, "s": time.monotonic() - started}


def recall(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    options.out = options.out or folder / f"out{options.film.suffix}"
    if options.seconds:
        part = folder / f"part{options.film.suffix}"
        options.film, options.seconds = looped(options.film, part, options.seconds), None
    alone(options)
    ours = covers_of(Path(f"{options.out}.jsonl"))
    frames = len(ours)
    clear = list(whole_centerface(options.film, DEFACE_THRESHOLD, frames))
    theirs = [boxlib.grow(boxes, DEFACE_MARGIN) for boxes, _ in clear]
    center = [boxes[scores >= 0.5] for boxes, scores in clear]
    retina = [faces.boxes for faces in looked_at(options.film, frames)]
    name = f"dartblur --detector {options.detector} --every {options.every}"
    for tool, covers in ((name, ours), ("deface", theirs)):
        for label, reference in (("CenterFace", center), ("RetinaFace", retina)):
            yield {"tool": tool, "reference": label, **missed(reference, covers)}


def missed(reference: list[FloatArray], covers: list[FloatArray]) -> Row:
    """How many sightings show, and how many of large faces in two frames running."""
    shown = []
    for faces, hidden in zip(reference, covers, strict=True):
        bare = boxlib.hidden_share(boxlib.grow(faces, -0.15), hidden) < 0.9
        shown.append(faces[bare])
    large = [faces[faces[:, 3] - faces[:, 1] > LARGE] for faces in shown]
    running = sum(
        int((boxlib.iou(now, before) > 0.3).any(axis=1).sum())
        for before, now in itertools.pairwise(large)
    )
    sightings, bare_count = sum(map(len, reference)), sum(map(len, shown))
    return {
        "sightings": sightings,
        "shown": bare_count,
        "percent": 100 * bare_count / max(1, sightings),
        "large": sum(map(len, large)),
        "large_running": running,
        "covers_a_frame": sum(map(len, covers)) / max(1, len(covers)),
    }


def covers_of(lines: Path) -> list[FloatArray]:
    rows = [json.loads(line) for line in lines.read_text().splitlines()[1:]]
    return [np.array([b[:4] for b in row["boxes"]], np.float32).reshape(-1, 4) for row in rows]


def frames_of(film: Path, count: int) -> Iterator[Image]:
    with av.open(str(film)) as container:
        for frame, _ in zip(container.decode(video=0), range(count), strict=False):
            yield frame.to_ndarray(format="rgb24")


def whole_centerface(
    film: Path, threshold: float, count: int
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """CenterFace on every whole frame, as deface runs it: boxes and scores."""
    network = shipped("centerface")
    for image in frames_of(film, count):
        height, width = (-(-side // 32) * 32 for side in image.shape[:2])
        padded = np.zeros((1, height, width, 3), np.uint8)
        padded[0, : image.shape[0], : image.shape[1]] = image
        boxes, scores = centerface.decode(network({"image": padded}), 0, threshold)
        kept = boxlib.nms(boxes, scores, 0.3)
        yield boxes[kept], scores[kept]


def looked_at(film: Path, count: int) -> Iterator[Any]:
    detector = make_detector("retinaface", 0.5)
    for image in frames_of(film, count):
        yield from detector([image])


def speed(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    film = options.film
    if options.seconds:
        film = looped(film, folder / f"part{film.suffix}", options.seconds)
    frames = sum(1 for _ in packets_of(film))
    for detector in ("none", options.detector):
        command = _alone(film, folder / f"{detector}{film.suffix}", detector, options)
        yield {"command": f"dartblur {detector}", **timed(command, frames)}
    if options.deface:
        command = [options.deface, "--keep-audio", "-o", str(folder / "deface.mp4"), str(film)]
        yield {"command": "deface --keep-audio", **timed(command, frames)}


def packets_of(film: Path) -> Iterator[Any]:
    with av.open(str(film)) as container:
        yield from (p for p in container.demux(video=0) if p.size)


def timed(command: list[str], frames: int) -> Row:
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    seconds = time.monotonic() - started
    cpu = used.ru_utime + used.ru_stime
    return {
        "frames_per_second": frames / seconds,
        "cpu_seconds_a_frame": cpu / frames,
        "peak_mib": used.ru_maxrss / 1024,
    }


def memory(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    film = looped(options.film, folder / f"long{options.film.suffix}", options.minutes * 60)
    out = folder / f"out{film.suffix}"
    process = subprocess.Popen(
        _alone(film, out, options.detector, options), stdout=subprocess.DEVNULL
    )
    lines, started = Path(f"{out}.jsonl").parent, time.monotonic()
    while process.poll() is None:
        time.sleep(10)
        now = time.monotonic() - started
        yield {"seconds": now, "frames": _lines(lines), "mib": _resident(process.pid)}


def _alone(film: Path, out: Path, detector: str, options: argparse.Namespace) -> list[str]:
    command = [sys.executable, __file__, "alone", str(film), "--out", str(out)]
    command += ["--detector", detector, "--every", str(options.every)]
    command += ["--workers", str(options.workers)]
    if options.what == "memory" and options.seconds:
        command += ["--seconds", str(options.seconds)]
    return command


def looped(film: Path, target: Path, seconds: float) -> Path:
    """The film again and again, by its packets, until it lasts that long."""
    with av.open(str(target), "w") as out:
        shift = 0.0
        with av.open(str(film)) as first:
            length = (first.duration or 0) / av.time_base
            streams = {s.index: out.add_stream_from_template(s) for s in first.streams}
        while shift < seconds:
            with av.open(str(film)) as again:
                for packet in again.demux():
                    if packet.dts is None or packet.stream_index not in streams:
                        continue
                    if shift + float(packet.dts * packet.time_base) >= seconds:
                        continue
                    ticks = round(shift / packet.time_base)
                    packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
                    packet.stream = streams[packet.stream_index]
                    out.mux(packet)
            shift += length
    return target


def _resident(process: int) -> float:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _lines(folder: Path) -> int:
    """Frames written so far: the boxes lie beside the film under a temporary name."""
    parts = [p for p in folder.glob("*.part") if p.read_bytes()[:8] == b'{"video"']
    return sum(p.read_bytes().count(b'"frame"') for p in parts)


def _text(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
