"""The report: one HTML file that tells a data-protection officer what was done and decided.

It opens without a server and needs no script; it holds no clear face and no place of this machine.
"""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from dartblur import __version__
from dartblur import boxes as boxlib
from dartblur.errors import InputError, PictureError, UsageError
from dartblur.faces import Image
from dartblur.files import write_atomically
from dartblur.formatting import printable
from dartblur.images import read_picture
from dartblur.records import Record
from dartblur.review.context import Review
from dartblur.review.decisions import Decision
from dartblur.review.film_state import PREFIX as FILM_PREFIX
from dartblur.review.films import known_tracks, told_track
from dartblur.review.frames import FilmFrames
from dartblur.review.run import Row

CLASSES = ((0, 8), (8, 16), (16, 32), (32, 64), (64, None))
"""Heights of faces in pixels, from and up to."""
MEASURED = {
    "thorough": (None, 0.862, 0.966, 0.981, 1.000),
    "fast": (None, 0.758, 0.950, 0.981, 0.983),
}
"""Share of labelled faces of each class that a detector found, as docs/detectors.md has it; with
its own threshold and the margin `MEASURED_MARGIN`, and whole boxes hidden."""
MEASURED_MARGIN = 0.15
_MOST_FACES, _MOST_TRACKS, _MOST_DECISIONS, _MOST_FAILURES = 400, 200, 2000, 500
_SIDE = 72  # pixels of a face on the sheet
_GREY = 128


@dataclass
class _Group:
    """Pictures that were done with the same settings. sizes: hidden boxes of each of `CLASSES`."""

    settings: dict[str, Any]
    film: bool
    files: int = 0
    faces: int = 0
    sizes: Counter[int] = field(default_factory=Counter)

    @property
    def measured(self) -> tuple[float | None, ...] | None:
        """The share of faces that these settings found where they were measured."""
        told = self.settings
        own = told.get("threshold") is None and told.get("shape", "box") == "box"
        if self.film or not own or told.get("margin") != MEASURED_MARGIN:
            return None
        return None if told.get("boxes") == "instead" else MEASURED.get(str(told.get("detector")))


@dataclass
class _Counts:
    """What a run came to."""

    pictures: int = 0
    films: int = 0
    failed: int = 0
    faces: int = 0
    people: int = 0
    by_person: int = 0
    groups: dict[str, _Group] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)


def write_report_page(review: Review, target: Path) -> None:
    """Writes the report of a review, whole or not at all.

    Raises:
        UsageError: the target lies in the output folder, which is to be published, or is a folder.
        OSError: it cannot be written; what was there stays.
    """
    if target.is_dir():
        raise UsageError(f"{target}: is a folder; name the HTML file to write")
    if target.resolve().is_relative_to(review.out.resolve()):
        raise UsageError(f"{target}: lies in the output, which is to be published; name another")
    write_atomically(target, report_page(review).encode())


def report_page(review: Review) -> str:
    """The report of a review as HTML."""
    counts = _counts(review)
    faces, skipped = _faces(review, counts.faces)
    film_faces, films_skipped = _film_faces(review)
    decisions = list(review.decisions.rows())
    page: str = review.templates.env.get_template("report.html").render(
        run=printable(review.out.resolve().name),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
        counts=counts,
        groups=[_told_group(group) for group in counts.groups.values()],
        views=review.index.counts(),
        faces=faces,
        skipped=skipped + films_skipped,
        film_faces=film_faces,
        failures=counts.failures,
        reviewers=sorted({row.reviewer for row in decisions}),
        decided=len(decisions),
        decisions=[_told_decision(row) for row in decisions[-_MOST_DECISIONS:]],
    )
    return page


def _counts(review: Review) -> _Counts:
    counts = _Counts()
    for row in review.run.rows():
        record = row.record
        if record is None or not row.done:
            counts.failed += 1
            if len(counts.failures) < _MOST_FAILURES:
                counts.failures.append((row.name, printable(row.problem)))
            continue
        key = json.dumps([row.is_film, record.method, record.settings], sort_keys=True)
        if key not in counts.groups:
            settings = {"method": record.method, **(record.settings or {})}
            counts.groups[key] = _Group(settings, row.is_film)
        group = counts.groups[key]
        group.files += 1
        group.faces += record.faces
        if row.is_film:
            counts.films += 1
            counts.people += record.faces
            continue
        counts.pictures += 1
        counts.faces += len(record.boxes)
        counts.by_person += len(record.by_person)
        group.sizes.update(_classes(record, group.settings))
    return counts


def _classes(record: Record, settings: dict[str, Any]) -> list[int]:
    """The class of each hidden box, without the margin that a detected one got."""
    boxes = np.array(record.boxes, np.float64).reshape(-1, 5)
    heights = boxes[:, 3] - boxes[:, 1]
    grown = ~np.isin(np.arange(len(boxes)), record.by_person)
    heights[grown] /= 1 + 2 * float(settings.get("margin") or 0)
    edges = [low for low, _ in CLASSES]
    return [int(n) for n in np.digitize(heights, edges) - 1]


def _faces(review: Review, total: int) -> tuple[list[dict[str, str]], int]:
    """Hidden faces as they lie in the output, evenly over the run; and outputs not to be read."""
    count = min(total, _MOST_FACES)
    chosen = {n * total // count for n in range(count)}
    faces: list[dict[str, str]] = []
    skipped = first = 0
    for row in review.run.rows():
        if row.record is None or not row.done or row.is_film:
            continue
        boxes = row.record.boxes
        mine = sorted(chosen & set(range(first, first + len(boxes))))
        numbers = [n - first for n in mine]
        first += len(boxes)
        if not numbers:
            continue
        try:
            safe = read_picture(review.run.checked_output(row), float("inf")).rgb
        except (PictureError, OSError):
            skipped += 1
            continue
        faces += (_face(safe, row, number) for number in numbers)
    return faces, skipped


def _film_faces(review: Review) -> tuple[list[dict[str, str]], int]:
    """Tracks of films, each at its largest in the output; and outputs not to be read.

    Without those that a person ever took for no face: the output may show them.
    """
    dismissed: dict[str, set[int]] = {}
    for decision in review.decisions.rows():
        told = decision.content.get("dismissed", [])
        dismissed.setdefault(decision.subject, set()).update(told)
    faces: list[dict[str, str]] = []
    skipped = 0
    for row in review.run.rows():
        if row.record is None or not row.done or not row.is_film or len(faces) >= _MOST_TRACKS:
            continue
        try:
            found = _tracks(review, row, dismissed.get(FILM_PREFIX + row.file, set()))
            faces += islice(found, _MOST_TRACKS - len(faces))
        except (InputError, OSError):
            skipped += 1
    return faces, skipped


def _tracks(review: Review, row: Row, without: set[int]) -> Iterator[dict[str, str]]:
    tracks = known_tracks(review, row)
    path = review.run.checked_output(row)
    ellipse = _ellipse(row)
    told = [told_track(tracks, number) for number in np.unique(tracks.tracks) if number > 0]
    best = [(each["sightings"][0], each["track"]) for each in told if each["track"] not in without]
    if not best:
        return
    with closing(FilmFrames(path, len(tracks.pts))) as frames:
        # In order of time: a film is read forwards.
        for (frame, *box), track in sorted(best):
            part = hidden_part(frames.picture(frame), box, ellipse=ellipse)
            yield {"image": _data_url(part), "told": f"{row.name}, track {track}", "kind": ""}


def _face(safe: Image, row: Row, number: int) -> dict[str, str]:
    assert row.record is not None
    *box, score = row.record.boxes[number]
    person = number in row.record.by_person
    pixels = hidden_part(safe, box, ellipse=_ellipse(row))
    by = "by a person" if person else f"score {score:.2f}"
    return {
        "image": _data_url(pixels),
        "told": f"{row.name}, {by}",
        "kind": "person" if person else "",
    }


def _ellipse(row: Row) -> bool:
    """True where only the ellipse in each box is hidden."""
    settings = row.record.settings if row.record else None
    return (settings or {}).get("shape") == "ellipse"


def hidden_part(safe: Image, box: Sequence[float], *, ellipse: bool = False) -> Image:
    """The hidden pixels of one box, and no others: whatever lies around them may be clear.

    safe: (H, W, 3), the output. box: x1, y1, x2, y2. ellipse: only what lies in the box's ellipse
    is hidden; the rest is grey.
    """
    height, width = safe.shape[:2]
    boxes = np.array([box], np.float32)
    [[x1, y1, x2, y2]] = boxlib.to_pixels(boxes, height, width)
    part = safe[y1:y2, x1:x2].copy()
    if ellipse:
        inside = boxlib.mask(boxes, height, width, "ellipse")[y1:y2, x1:x2]
        part[~inside] = _GREY
    return part


def _data_url(pixels: Image) -> str:
    height, width = pixels.shape[:2]
    scale = _SIDE / max(height, width, 1)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    buffer = io.BytesIO()
    small = Pillow.fromarray(pixels).resize(size, Pillow.Resampling.BICUBIC)
    small.save(buffer, "JPEG", quality=75)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _told_group(group: _Group) -> dict[str, Any]:
    measured = group.measured
    sizes = [
        {
            "name": f"{low} to {high}" if high else f"{low} and more",
            "hidden": group.sizes[number],
            "found": None if measured is None else measured[number],
        }
        for number, (low, high) in enumerate(CLASSES)
    ]
    told = group.settings.items()
    shown = {name: value for name, value in told if value is not None and value is not False}
    return {
        "film": group.film,
        "files": group.files,
        "faces": group.faces,
        "settings": [(name.replace("_", " "), _word(value)) for name, value in shown.items()],
        "detector": group.settings.get("detector"),
        "threshold": group.settings.get("threshold"),
        "sizes": sizes,
        "measured": measured is not None,
    }


def _word(value: Any) -> str:
    if value is True:
        return "yes"
    if isinstance(value, list):
        return " ".join(map(str, value))
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text  # a hash


def _told_decision(row: Decision) -> dict[str, Any]:
    kind, _, name = row.subject.partition(":")
    boxes = row.content.get("boxes")
    parts = []
    if isinstance(boxes, list):
        people = sum(1 for box in boxes if _by_person(box))
        parts.append(f"{len(boxes)} boxes, {people} by a person")
    if row.content.get("dismissed"):
        what = "candidates" if kind == "picture" else "tracks"
        parts.append(f"{len(row.content['dismissed'])} {what} dismissed")
    return {
        "time": row.time.replace("T", " ")[:19],
        "reviewer": row.reviewer,
        "kind": kind,
        "name": printable(name),
        "action": row.action,
        "content": ", ".join(parts),
    }


def _by_person(box: Any) -> bool:
    return isinstance(box, dict) and (box.get("edited") or box.get("origin") != "detected")
