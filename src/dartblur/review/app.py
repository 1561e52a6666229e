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
from dartblur.review.index_cache import CACHE_NAME, read_entries, write_entries
from dartblur.review.run import FinishedRun, Head, Row
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
    """What the grid shows of all files of a run; read is what changed since the last time."""
    path = run.state / CACHE_NAME
    kept, marks = read_entries(path), decisions.marks()
    entries: dict[str, tuple[str, Entry]] = {}
    changed = []
    for head in run.heads():
        mark = marks.get(_subject(head), "")
        key = f"{head.status} {head.output_stamp} {mark}"
        if not head.done:
            entries[head.file] = key, Entry(done=False, film=head.is_film)
        elif head.file in kept and kept[head.file][0] == key:
            entries[head.file] = kept[head.file]
        else:
            entries[head.file] = key, Entry()
            changed.append(head.file)
    for row, evidence in with_evidence(run.ledger, map(run.row, changed)):
        decision = decisions.latest(_subject(row))
        key, _ = entries[row.file]
        entries[row.file] = key, _entry(run.ledger, row, evidence, decision)
    if entries != kept:
        write_entries(path, entries)
    return Index(list(entries), [entry for _, entry in entries.values()])


def _subject(file: Head) -> str:
    return (FILM_PREFIX if file.is_film else PREFIX) + file.file


def _entry(ledger: Ledger, row: Row, evidence: Evidence, decision: Decision | None) -> Entry:
    """What the grid shows of a file that is done."""
    if row.is_film:
        return film_entry(ledger, row, decision, entry_of(row, evidence, None))
    state, _ = picture_state_of(row, evidence, decision)
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
