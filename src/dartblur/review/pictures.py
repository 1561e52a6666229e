"""The page of one picture: its boxes, and what they make of it."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool as in_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dartblur.errors import ConfigError
from dartblur.review.context import Review
from dartblur.review.decisions import StaleError
from dartblur.review.grid import item_of, view_of
from dartblur.review.http import choice_of, expected_version, json_body, stale
from dartblur.review.rendering import METHODS, Shown
from dartblur.review.run import Row
from dartblur.review.state import changed


def routes(review: Review) -> list[BaseRoute]:
    """The routes of one picture."""

    def page(request: Request) -> Response:
        row = review.picture_row(request)
        return review.page(
            request, "picture.html", {"id": request.path_params["id"], "name": row.name}
        )

    def detail(request: Request) -> Response:
        number = request.path_params["id"]
        row = review.picture_row(request)
        before, after = review.index.neighbours(view_of(request), number)
        found = _detail(review, row)
        return JSONResponse({**found, "previous": before, "next": after})

    def decided(request: Request, version: int, body: Any) -> Response:
        row = review.picture_row(request)
        assert row.record is not None
        before, _ = review.picture_state(row)
        faint = len(review.evidence(row).faint)
        try:
            state = changed(before, body, (row.record.height, row.record.width), faint)
        except ConfigError as error:
            raise HTTPException(422, str(error)[:500]) from error
        try:
            review.decide(request, row, version, body["action"], state)
        except StaleError as error:
            return stale(error, _detail(review, row))
        return JSONResponse(_detail(review, row))

    async def decide(request: Request) -> Response:
        version = expected_version(request)
        body = await json_body(request)
        return await in_thread(decided, request, version, body)

    def output(request: Request) -> Response:
        return _response(review.renderer.output(review.picture_row(request)))

    def result(request: Request) -> Response:
        """The picture with the boxes of its latest version, as "apply" would write it."""
        row = review.picture_row(request)
        assert row.record is not None
        state, _ = review.picture_state(row)
        method = choice_of(request, "method", ("", *METHODS)) or None
        if method in (None, row.record.method) and not state.differs_from(row.record):
            return _response(review.renderer.output(row))
        return _response(review.renderer.shown(row, state.faces, method))

    def original(request: Request) -> Response:
        if not review.show_originals:
            raise HTTPException(403, "originals are shown with --show-originals only")
        return _response(review.renderer.original(review.picture_row(request)))

    return [
        Route("/picture/{id:int}", page),
        Route("/api/pictures/{id:int}", detail),
        Route("/api/pictures/{id:int}", decide, methods=["PUT"]),
        Route("/api/pictures/{id:int}/output", output),
        Route("/api/pictures/{id:int}/result", result),
        Route("/api/pictures/{id:int}/original", original),
    ]


def _detail(review: Review, row: Row) -> dict[str, Any]:
    assert row.record is not None
    state, version = review.picture_state(row)
    evidence = review.evidence(row)
    number = review.index.id_of(row.file)
    return {
        **item_of(review, number),
        "version": version,
        "width": row.record.width,
        "height": row.record.height,
        "method": row.record.method,
        "threshold": evidence.threshold,
        "boxes": [
            {
                "box": list(box.box),
                "score": box.score,
                "origin": box.origin,
                "edited": box.edited,
                "candidate": box.candidate,
                "seen": box.seen,
            }
            for box in state.boxes
        ],
        "candidates": [
            {"box": list(candidate[:4]), "score": candidate[4]} for candidate in evidence.faint
        ],
        "dismissed": list(state.dismissed),
    }


def _response(shown: Shown) -> Response:
    return Response(shown.data, media_type=shown.media_type)
