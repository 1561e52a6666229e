"""The page of all pictures, in order of risk, and what it asks for."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool as in_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dartblur.formatting import printable
from dartblur.review.context import Review
from dartblur.review.decisions import StaleError
from dartblur.review.http import choice_of, json_body, number_of, stale
from dartblur.review.index import FILTERS, SORTS, View

_MOST = 200  # files a page
_THUMBNAIL = 384  # pixels of the longer side
_LONGEST_NAME = 80
_ATTEMPTS = 3


def routes(review: Review) -> list[BaseRoute]:
    """The routes of the grid."""

    def page(request: Request) -> Response:
        return review.page(request, "grid.html", {"total": len(review.index)})

    def pictures(request: Request) -> Response:
        view = view_of(request)
        after = number_of(request, "after", -1, -1, len(review.index))
        before = number_of(request, "before", -1, -1, len(review.index))
        at = number_of(request, "from", -1, -1, len(review.index))
        if max(after, before, at) < 0:
            review.index.sort_again()
        count = number_of(request, "count", 60, 1, _MOST)
        found = review.index.slice(view, count, after=after, before=before, at=at)
        return JSONResponse(
            {
                "items": [item_of(review, number) for number in found.ids],
                "first": found.first,
                "total": found.total,
                "counts": review.index.counts(),
            }
        )

    def thumbnail(request: Request) -> Response:
        shown = review.renderer.thumbnail(review.picture_row(request), _THUMBNAIL)
        return Response(shown.data, media_type=shown.media_type)

    def accept_all(review_request: Request, numbers: list[int]) -> dict[str, Any]:
        accepted, passed = [], []
        for number in numbers:
            row = review.row(number)
            if not row.done or row.is_film:
                continue
            state, version = review.picture_state(row)
            if state.accepted:
                continue
            try:
                review.decide(review_request, row, version, "accept", state.accept())
                accepted.append(number)
            except StaleError:
                passed.append(number)
        return {"accepted": accepted, "passed": passed, "counts": review.index.counts()}

    def judge_all(request: Request, action: str) -> Response:
        row = review.picture_row(request)
        faint = review.evidence(row).faint
        for attempt in range(_ATTEMPTS):
            state, version = review.picture_state(row)
            new = state.take(faint) if action == "take" else state.dismiss(len(faint))
            try:
                review.decide(request, row, version, action, new)
                break
            except StaleError as error:
                if attempt == _ATTEMPTS - 1:
                    return stale(error)
        item = item_of(review, review.index.id_of(row.file))
        return JSONResponse({"item": item, "counts": review.index.counts()})

    async def judge(request: Request) -> Response:
        body = await json_body(request)
        action = body.get("action") if isinstance(body, dict) else None
        if action not in ("take", "dismiss"):
            raise HTTPException(422, "action must be take or dismiss")
        return await in_thread(judge_all, request, action)

    async def accept(request: Request) -> Response:
        body = await json_body(request)
        numbers = body.get("ids") if isinstance(body, dict) else None
        if not isinstance(numbers, list) or len(numbers) > _MOST:
            raise HTTPException(422, f"ids must be a list of at most {_MOST} numbers")
        if not all(type(number) is int for number in numbers):
            raise HTTPException(422, "ids must be numbers")
        return JSONResponse(await in_thread(accept_all, request, numbers))

    async def rename(request: Request) -> Response:
        body = await json_body(request)
        name = body.get("name") if isinstance(body, dict) else None
        if not isinstance(name, str) or not 0 < len(name.strip()) <= _LONGEST_NAME:
            raise HTTPException(422, f"name must have 1 to {_LONGEST_NAME} letters")
        if not name.isprintable():
            raise HTTPException(422, "name must be printable")
        review.sessions.rename(request.state.session, name.strip())
        return JSONResponse({"name": name.strip()})

    return [
        Route("/", page),
        Route("/api/pictures", pictures),
        Route("/api/pictures/accept", accept, methods=["POST"]),
        Route("/api/pictures/{id:int}/thumbnail", thumbnail),
        Route("/api/pictures/{id:int}/faint", judge, methods=["POST"]),
        Route("/api/reviewer", rename, methods=["PUT"]),
    ]


def view_of(request: Request) -> View:
    """The view that a query names."""
    return View(
        choice_of(request, "sort", SORTS),
        choice_of(request, "filter", FILTERS),
        request.query_params.get("search", "").strip(),
    )


def item_of(review: Review, number: int) -> dict[str, Any]:
    """What the grid shows of a file."""
    entry = review.index.entry(number)
    file = review.index.file_of(number)
    item: dict[str, Any] = {
        "id": number,
        "name": printable(file),
        "done": entry.done,
        "film": entry.film,
        "faces": entry.faces,
        "faint": entry.faint,
        "single": entry.single,
        "small": entry.small,
        "people": entry.people,
        "risk": round(entry.risk, 3),
        "accepted": entry.accepted,
        "changed": entry.changed,
        "stamp": str(entry.stamp),
    }
    row = review.row(number)
    if not entry.done:
        item["problem"] = row.problem
    elif row.record is not None and not entry.film:
        item |= {"width": row.record.width, "height": row.record.height, "open": []}
        if entry.faint:
            candidates = review.evidence(row).faint
            state, _ = review.picture_state(row)
            item["open"] = [
                list(candidates[one][:4]) for one in state.open_candidates(len(candidates))
            ]
    return item
