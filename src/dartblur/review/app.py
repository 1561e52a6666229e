"""The server's application: its pages, behind its gate."""

from __future__ import annotations

from itertools import islice
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from dartblur.batch.ledger import Ledger
from dartblur.errors import DartblurError
from dartblur.review import apply, export, films, grid, pictures
from dartblur.review.apply import Applier
from dartblur.review.context import HERE, Review, entry_of, picture_state_of
from dartblur.review.decisions import Decision, Decisions
from dartblur.review.film_state import PREFIX as FILM_PREFIX
from dartblur.review.films import Films, film_entry
from dartblur.review.findings import evidence_of
from dartblur.review.http import problem
from dartblur.review.index import Entry, Index
from dartblur.review.run import FinishedRun, Row
from dartblur.review.security import Gate
from dartblur.review.state import PREFIX

_SLICE = 500


def make_app(review: Review, applier: Applier, hosts: frozenset[str]) -> Starlette:
    """The application of a review. hosts: see `hosts_of`."""
    routes = [
        *grid.routes(review),
        *pictures.routes(review),
        *films.routes(review, Films(review)),
        *apply.routes(review, applier),
        *export.routes(review),
        Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
    ]

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _told(review, request, error.status_code, error.detail)

    async def failed(request: Request, error: Exception) -> Response:
        return _told(review, request, 409, str(error))

    async def unusable(request: Request, error: Exception) -> Response:
        reason = getattr(error, "strerror", None) or str(error)
        return _told(review, request, 507, f"nothing was saved: {reason}")

    return Starlette(
        routes=routes,
        middleware=[Middleware(Gate, sessions=review.sessions, hosts=hosts)],
        exception_handlers={HTTPException: refused, DartblurError: failed, OSError: unusable},
    )


def templates() -> Jinja2Templates:
    """The pages' templates; `static(name)` is the path of a file that comes with them."""
    made = Jinja2Templates(directory=HERE / "templates")
    made.env.globals["static"] = _static
    made.env.trim_blocks = made.env.lstrip_blocks = True
    return made


def make_index(run: FinishedRun, decisions: Decisions) -> Index:
    """Reads all files of a run, and what was decided on them."""
    # Of pictures and of films.
    decided = {row.subject: row for row in decisions.latest_of_all()}
    files: list[str] = []
    entries: list[Entry] = []
    rows = run.rows()
    while some := list(islice(rows, _SLICE)):
        files += [row.file for row in some]
        entries += _entries(run.ledger, some, decided)
    return Index(files, entries)


def _entries(ledger: Ledger, rows: list[Row], decided: dict[str, Decision]) -> list[Entry]:
    evidence = evidence_of(ledger, [row.file for row in rows])
    entries = []
    for row in rows:
        state = None
        if row.done and not row.is_film:
            state, _ = picture_state_of(row, evidence[row.file], decided.get(PREFIX + row.file))
        entry = entry_of(row, evidence[row.file], state)
        if row.done and row.is_film:
            entry = film_entry(ledger, row, decided.get(FILM_PREFIX + row.file), entry)
        entries.append(entry)
    return entries


def _static(name: str) -> str:
    # As scripts name each other: by two names, a module would be loaded twice.
    return f"/static/{name}"


def _told(review: Review, request: Request, status: int, message: Any) -> Response:
    if request.url.path.startswith("/api/"):
        return problem(status, str(message))
    try:
        page = review.page(request, "problem.html", {"status": status, "message": str(message)})
    except AttributeError:  # before the gate gave it a session
        return JSONResponse({"error": str(message)}, status)
    page.status_code = status
    return page
