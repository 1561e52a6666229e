"""What the pages share of HTTP: bodies of JSON, versions, and how problems are told."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from dartblur.review.decisions import Decision, StaleError


async def json_body(request: Request) -> Any:
    """The value that a request's body holds as JSON.

    Raises:
        HTTPException: 400, it is none; 415, it is said to be something else.
    """
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise HTTPException(415, "the body must be application/json")
    try:
        return json.loads(await request.body(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the body is not JSON") from error


def expected_version(request: Request) -> int:
    """The version that the writer saw, of the header If-Match.

    Raises:
        HTTPException: 428, it is missing; 400, it is no number.
    """
    given = request.headers.get("if-match")
    if given is None:
        raise HTTPException(428, "If-Match must say which version was changed")
    try:
        return int(given.strip('"'))
    except ValueError as error:
        raise HTTPException(400, "If-Match is no version") from error


def number_of(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A whole number of the query, within its limits.

    Raises:
        HTTPException: 400, it is none.
    """
    try:
        value = int(request.query_params.get(name, default))
    except ValueError as error:
        raise HTTPException(400, f"{name} must be a whole number") from error
    return min(max(value, least), most)


def choice_of(request: Request, name: str, choices: tuple[str, ...]) -> str:
    """One of some words of the query, the first where it says nothing.

    Raises:
        HTTPException: 400, it is none of them.
    """
    value = request.query_params.get(name, choices[0])
    if value not in choices:
        raise HTTPException(400, f"{name} must be one of {', '.join(choices)}")
    return value


def problem(status: int, message: str, **more: Any) -> JSONResponse:
    """A refusal, in words that the page shows."""
    return JSONResponse({"error": message, **more}, status)


def stale(error: StaleError, current: Any = None, what: str = "it") -> JSONResponse:
    """409: another was faster; says who, and what stands now. what: they changed."""
    who = _told(error.current, what)
    return problem(409, f"not saved: {who}; what was decided is shown now", current=current)


def invalid(message: str) -> NoReturn:
    """Refuses a body that is JSON but not what is asked for.

    Raises:
        HTTPException: 422.
    """
    raise HTTPException(422, message)


def _told(decision: Decision | None, what: str) -> str:
    if decision is None:
        return "the run was made anew"
    return f"{decision.reviewer} or another tab changed {what} at {decision.time[11:19]} UTC"


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
