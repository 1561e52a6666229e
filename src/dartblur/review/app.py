"""The server's application: its pages, behind its gate."""

from __future__ import annotations

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
from dartblur.review.film_entry import film_entry
from dartblur.review.film_state import PREFIX as FILM_PREFIX
from dartblur.review.films import Films
from dartblur.review.findings import Evidence, with_evidence
from dartblur.review.http import problem
from dartblur.review.index import Entry, Index
from dartblur.review.run import FinishedRun, Row
from dartblur.review.security import Gate
from dartblur.review.state import PREFIX


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
    """The pages' templates."""
    made = Jinja2Templates(directory=HERE / "templates")
    made.env.trim_blocks = made.env.lstrip_blocks = True
    return made


def make_index(run: FinishedRun, decisions: Decisions) -> Index:
    """Reads all files of a run, and what was decided on them."""
    # Of pictures and of films.
    decided = {row.subject: row for row in decisions.latest_of_all()}
    files: list[str] = []
    entries: list[Entry] = []
    for row, evidence in with_evidence(run.ledger, run.rows()):
        files.append(row.file)
        entries.append(_entry(run.ledger, row, evidence, decided))
    return Index(files, entries)


def _entry(ledger: Ledger, row: Row, evidence: Evidence, decided: dict[str, Decision]) -> Entry:
    if row.is_film:
        entry = entry_of(row, evidence, None)
        decision = decided.get(FILM_PREFIX + row.file)
        return film_entry(ledger, row, decision, entry) if row.done else entry
    if not row.done:
        return entry_of(row, evidence, None)
    state, _ = picture_state_of(row, evidence, decided.get(PREFIX + row.file))
    return entry_of(row, evidence, state)


def _told(review: Review, request: Request, status: int, message: Any) -> Response:
    if request.url.path.startswith(f"{review.sessions.root}/api/"):
        return problem(status, str(message))
    try:
        page = review.page(request, "problem.html", {"status": status, "message": str(message)})
    except AttributeError:  # before the gate gave it a session
        return JSONResponse({"error": str(message)}, status)
    page.status_code = status
    return page
