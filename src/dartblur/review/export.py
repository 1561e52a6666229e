"""What a review hands out: the decisions as CSV, the boxes as COCO JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from dartblur.formatting import printable
from dartblur.review.apply import write_mended
from dartblur.review.context import Review
from dartblur.review.decisions import Decision

_HEAD = (
    "number", "time", "reviewer", "kind", "file", "version", "action", "accepted", "boxes",
    "by_person", "added", "removed", "dismissed",
)  # fmt: skip
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def routes(review: Review) -> list[BaseRoute]:
    """The routes of exports."""

    def decisions(request: Request) -> Response:
        headers = {"Content-Disposition": 'attachment; filename="decisions.csv"'}
        lines = csv_lines(review.decisions.rows())
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)

    def boxes(request: Request) -> Response:
        return FileResponse(
            write_mended(review), media_type="application/json", filename="boxes.json"
        )

    return [Route("/api/decisions.csv", decisions), Route("/api/boxes.json", boxes)]


def csv_lines(rows: Iterator[Decision]) -> Iterator[str]:
    """The decisions as lines of CSV, with what each changed."""
    yield _line(_HEAD)
    last: dict[str, set[tuple[float, ...]]] = {}
    for row in rows:
        kind, _, file = row.subject.partition(":")
        boxes = _boxes(row.content)
        before = last.get(row.subject)
        last[row.subject] = boxes
        people = sum(_by_person(box) for box in row.content.get("boxes", []))
        yield _line(
            (
                row.number, row.time, row.reviewer, kind, file, row.version, row.action,
                int(bool(row.content.get("accepted"))), len(boxes), people,
                "" if before is None else len(boxes - before),
                "" if before is None else len(before - boxes),
                len(row.content.get("dismissed", [])),
            )
        )  # fmt: skip


def _boxes(content: dict[str, Any]) -> set[tuple[float, ...]]:
    return {tuple(box["box"]) for box in content.get("boxes", [])}


def _by_person(box: dict[str, Any]) -> bool:
    return bool(box.get("edited")) or box.get("origin") != "detected"


def _line(values: tuple[object, ...]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow([_cell(value) for value in values])
    return buffer.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
