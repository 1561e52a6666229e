"""What a review costs, and whether its order and its faint candidates help to find missed faces.

    dartblur anonymize PHOTOS -o OUT
    python benchmarks/review.py OUT --data ROOT

ROOT is in the WIDER FACE layout, and PHOTOS some of its val photos in the folders of their events.
Labels are the truth, and a face counts as in benchmarks/detection.py. The run is then copied, by
links, to --copies pictures: their index, the first page, memory. Times are CPU seconds of this
process, which other work on the machine does not lengthen much.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from starlette.testclient import TestClient

from dartblur import boxes as boxlib
from dartblur.batch.inputs import Job
from dartblur.batch.ledger import Ledger
from dartblur.batch.state import DECISIONS_NAME, LEDGER_NAME
from dartblur.datasets import FORMATS
from dartblur.faces import Faces
from dartblur.review.app import make_app, make_index, templates
from dartblur.review.apply import Applier
from dartblur.review.context import Review
from dartblur.review.decisions import Decisions
from dartblur.review.findings import evidence_of
from dartblur.review.index import View
from dartblur.review.rendering import Renderer
from dartblur.review.run import FinishedRun, Row
from dartblur.review.security import Sessions, hosts_of
from detection import ENOUGH, HEIGHTS, MIDDLE

PORT = 8000
OVERLAP = 0.2  # intersection over union from which a person would call a candidate that face
SHARE = 0.2  # of the pictures, the first in order


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--copies", type=int, default=10_000)
    parser.add_argument("--renders", type=int, default=60)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with review_of(options.out) as review:
        found = {
            "help": help_of(review, options.data, options.split),
            "render": renders(review, options.renders),
        }
    with tempfile.TemporaryDirectory(dir=options.out.resolve().parent) as folder:
        out = copied(options.out, Path(folder) / "out", options.copies)
        found["scale"] = scale(out, options.copies)
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


@contextmanager
def review_of(out: Path) -> Iterator[Review]:
    """A review without its server, whose decisions are forgotten."""
    state = out.with_name(out.name + ".dartblur")
    with (
        closing(Ledger(state / LEDGER_NAME, out)) as ledger,
        tempfile.TemporaryDirectory() as folder,
        closing(Decisions(Path(folder) / DECISIONS_NAME)) as decisions,
    ):
        run = FinishedRun(out, state, ledger)
        yield Review(
            run, decisions, make_index(run, decisions), Renderer(run), Sessions(PORT),
            templates(), True, "benchmark",
        )  # fmt: skip


def help_of(review: Review, data: Path, split: str) -> dict[str, Any]:
    """Faces hidden before and after a person judged every candidate, and where the misses lie."""
    labels = {
        "/".join(sample.image.parts[-2:]): sample.faces
        for sample in FORMATS["widerface"].read(data, split)
    }
    rows = [row for row in review.run.rows() if row.done]
    looks = {row.file: judged(review, row, labels[row.file]) for row in rows}
    total = {
        name: sum(look[name] for look in looks.values()) for name in next(iter(looks.values()))
    }
    misses = np.array([looks[row.file]["missed"] for row in rows])
    boxes = np.array([len(row.record.boxes) for row in rows if row.record])
    review.index.sort_again()
    order = review.index.slice(View("risk", "all"), len(rows)).ids
    by_risk = [looks[review.index.file_of(number)]["missed"] for number in order]
    first = round(SHARE * len(rows))
    share = {
        "risk": sum(by_risk[:first]),
        "faces": int(misses[np.argsort(-boxes, kind="stable")][:first].sum()),
        "best possible": int(np.sort(misses)[::-1][:first].sum()),
        "random": SHARE * misses.sum(),
    }
    faces = total["faces"]
    keys = total["candidates"] + total["with_candidates"] + len(rows)
    return {
        "photos": len(rows),
        "faces": faces,
        "recall_before": 1 - total["missed"] / faces,
        "recall_after": 1 - total["missed_after"] / faces,
        "missed_before": total["missed"],
        "missed_after": total["missed_after"],
        "false_boxes_before": total["false_boxes"],
        "false_boxes_after": total["false_boxes"],
        "candidates": total["candidates"],
        "candidates_taken": total["taken"],
        "key_presses": keys,
        "misses_in_the_first_fifth": {
            name: float(count) / max(int(misses.sum()), 1) for name, count in share.items()
        },
        "faces_among_candidates_by_score": among(review, rows, labels),
    }


def judged(review: Review, row: Row, faces: Faces) -> dict[str, int]:
    """One photo before and after a person with the labels before her judged every candidate."""
    assert row.record is not None
    wanted = faces.boxes[~faces.ignore]
    wanted = wanted[wanted[:, 3] - wanted[:, 1] >= HEIGHTS[0]]
    hidden = np.array(row.record.boxes, np.float32).reshape(-1, 5)[:, :4]
    candidates = np.array(review.evidence(row).faint, np.float32).reshape(-1, 6)[:, :4]
    true = boxlib.iou(candidates, faces.boxes).max(axis=1, initial=0) >= OVERLAP
    middle = boxlib.grow(wanted, (MIDDLE - 1) / 2)
    before = boxlib.hidden_share(middle, hidden) >= ENOUGH
    after = boxlib.hidden_share(middle, np.concatenate([hidden, candidates[true]])) >= ENOUGH
    on_faces = (boxlib.intersection(hidden, faces.boxes) > 0).any(axis=1)
    return {
        "faces": len(wanted),
        "missed": int((~before).sum()),
        "missed_after": int((~after).sum()),
        "false_boxes": int((~on_faces).sum()),
        "candidates": len(candidates),
        "with_candidates": int(len(candidates) > 0),
        "taken": int(true.sum()),
    }


def among(review: Review, rows: list[Row], labels: dict[str, Faces]) -> list[dict[str, float]]:
    """Of candidates by their score, as a share of the threshold, how many lie on a missed face."""
    scores, hits = [], []
    for row in rows:
        assert row.record is not None
        evidence = review.evidence(row)
        hidden = np.array(row.record.boxes, np.float32).reshape(-1, 5)[:, :4]
        faces = labels[row.file]
        wanted = faces.boxes[~faces.ignore]
        middle = boxlib.grow(wanted, (MIDDLE - 1) / 2)
        missed = wanted[boxlib.hidden_share(middle, hidden) < ENOUGH]
        candidates = np.array(evidence.faint, np.float32).reshape(-1, 6)
        scores += [score / evidence.threshold for score in candidates[:, 4].tolist()]
        hit = boxlib.iou(candidates[:, :4], missed).max(axis=1, initial=0) >= OVERLAP
        hits += hit.tolist()
    bins = np.linspace(0.5, 1, 6)
    count = np.histogram(scores, bins)[0]
    true = np.histogram(np.array(scores)[np.array(hits, bool)], bins)[0]
    return [
        {"from": round(float(low), 2), "candidates": int(n), "faces": int(t)}
        for low, n, t in zip(bins, count, true, strict=False)
    ]


def renders(review: Review, count: int) -> dict[str, Any]:
    """CPU milliseconds of a picture made anew after a change of one box."""
    rows = [row for row in review.run.rows() if row.done][:count]
    times: dict[str, list[float]] = {"dartblur": [], "gaussian": []}
    for row in rows:
        state, _ = review.picture_state(row)
        boxes = state.faces.boxes.copy()
        if len(boxes):
            boxes[-1, 2] += 2
        for method, taken in times.items():
            started = time.process_time()
            review.renderer.render(row, Faces(boxes), method)
            taken.append(1000 * (time.process_time() - started))
    return {
        "pictures": len(rows),
        **{
            f"{method}_cpu_ms": {"p50": statistics.median(t), "p95": float(np.quantile(t, 0.95))}
            for method, t in times.items()
        },
    }


def copied(out: Path, target: Path, count: int) -> Path:
    """The run again and again, by links, as one of `count` pictures."""
    target.mkdir(parents=True)
    state = target.with_name(target.name + ".dartblur")
    state.mkdir()
    with review_of(out) as review:
        rows = [row for row in review.run.rows() if row.done]
        evidence = evidence_of(review.run.ledger, [row.file for row in rows])
    with closing(Ledger(state / LEDGER_NAME, target)) as ledger:
        named = [
            (Path(f"{number:06}{Path(row.file).suffix}"), row)
            for number, row in enumerate(islice(cycle(rows), count))
        ]
        ledger.plan((Job(row.source, relative), "") for relative, row in named)
        for relative, row in named:
            assert row.record is not None
            os.link(out / row.file, target / relative)
            told = json.dumps(
                {"threshold": evidence[row.file].threshold, "passes": 5,
                 "seen": evidence[row.file].seen, "faint": evidence[row.file].faint}
            )  # fmt: skip
            record = replace(row.record, file=relative.as_posix(), source=str(relative))
            ledger.done(relative, target / relative, record, told)
    return target


def scale(out: Path, count: int) -> dict[str, Any]:
    """Seconds and memory of a grid of many pictures."""
    process = psutil.Process()
    before = process.memory_info().rss
    started = time.process_time()
    with review_of(out) as review:
        index = time.process_time() - started
        app = make_app(review, Applier(review), hosts_of("127.0.0.1", PORT))
        here = f"http://127.0.0.1:{PORT}"
        client = TestClient(app, here + review.sessions.root)
        client.get("/", params={"token": review.sessions.token})
        client.get("/")  # templates are read once
        memory = [process.memory_info().rss]
        started = time.process_time()
        client.get("/").raise_for_status()
        page = client.get("/api/pictures", params={"count": 60, "filter": "all"}).json()
        first = time.process_time() - started
        started = time.process_time()
        _thumbnails(client, page)
        thumbnails = time.process_time() - started
        for _ in range(20):
            after = page["items"][-1]["id"]
            query = {"count": 60, "filter": "all", "after": after}
            page = client.get("/api/pictures", params=query).json()
            _thumbnails(client, page)
            memory.append(process.memory_info().rss)
        started = time.process_time()
        client.get("/api/pictures", params={"search": "0099", "filter": "all"}).raise_for_status()
        search = time.process_time() - started
    return {
        "pictures": count,
        "index_cpu_s": index,
        "first_page_cpu_s": first,
        "its_60_thumbnails_cpu_s": thumbnails,
        "search_cpu_s": search,
        "index_mib": (memory[0] - before) / 2**20,
        "rss_mib_after_1_10_20_pages": [memory[n] / 2**20 for n in (1, 10, 20)],
    }


def _thumbnails(client: TestClient, page: dict[str, Any]) -> None:
    for item in page["items"]:
        client.get(f"/api/pictures/{item['id']}/thumbnail").raise_for_status()


if __name__ == "__main__":
    main()
