"""Who is let in: one link with a secret, from this page alone, with bodies of bounded size.

The pages show clear faces that were missed. So: a random token in the link gives a session, whose
cookie other sites cannot use; all pages lie below a path that is random too, so that the cookie is
sent to no other server of this machine, whose port a cookie does not tell; every request must name
this server as its host, which stops rebound names; what changes something must come from a page of
ours; and nothing is stored by the browser.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 2_000_000  # bytes; a picture of ten thousand boxes fits
_MOST_SESSIONS = 1000
_READING = ("GET", "HEAD")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}
_REFUSED = """<!doctype html><html lang="en"><meta charset="utf-8"><title>DartBlur review</title>
<h1>This link does not open the review</h1>
<p>Open the link that <code>dartblur review</code> printed; each start prints a new one.</p></html>
"""
_WELCOME = """<!doctype html><html lang="en"><meta charset="utf-8"><title>DartBlur review</title>
<meta http-equiv="refresh" content="0;url={path}">
<p><a href="{path}">Go to the review</a></p></html>
"""


@dataclass(frozen=True)
class Sessions:
    """The browsers that came by the link, each under a secret of its own.

    port: of the server. token: the link's secret. root: the path below which all pages lie; the
    cookie is bound to it.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    root: str = field(default_factory=lambda: f"/{secrets.token_urlsafe(16)}")
    _names: dict[str, str] = field(default_factory=dict)

    @property
    def cookie(self) -> str:
        """The name of the cookie."""
        return f"dartblur-review-{self.port}"

    def begun(self) -> str:
        """A new session."""
        while len(self._names) >= _MOST_SESSIONS:
            del self._names[next(iter(self._names))]
        session = secrets.token_urlsafe(32)
        self._names[session] = ""
        return session

    def of(self, headers: Mapping[str, str]) -> str | None:
        """The session that a request belongs to."""
        # Another server of this machine may have set one of that name besides.
        for cookie in headers.get("cookie", "").split(";"):
            name, _, value = cookie.strip().partition("=")
            if name == self.cookie and value in self._names:
                return value
        return None

    def name(self, session: str) -> str:
        """How the person calls herself, "" until she says."""
        return self._names.get(session, "")

    def rename(self, session: str, name: str) -> None:
        """Keeps the name of the person."""
        if session in self._names:
            self._names[session] = name


class Gate:
    """ASGI middleware: lets a request through, or says why not.

    hosts: what the header Host may name, each with its port; see `hosts_of`.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions, hosts: frozenset[str]) -> None:
        self._app, self._sessions, self._hosts = app, sessions, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, self._with_headers(scope, send))
        # Nothing else is served: a socket is closed by the server.

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        root = self._sessions.root
        session = self._sessions.of(headers) if scope["path"].startswith(f"{root}/") else None
        if refusal is None and session is None:
            refusal = self._entrance(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        scope["root_path"] = root
        scope.setdefault("state", {})["session"] = session
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Why a request is refused, whoever sent it."""
        host = headers.get("host", "")
        if not _names_us(host, self._hosts):
            return _problem(421, "this is not the host of the review")
        reading = scope["method"] in _READING
        if not reading and headers.get("origin") != f"http://{host}":
            return _problem(403, "the request does not come from a page of the review")
        if not reading and headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return _problem(403, "the request does not come from a page of the review")
        # A link on another page may lead here; nothing of ours may be part of one.
        foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if foreign and headers.get("sec-fetch-mode") != "navigate":
            return _problem(403, "pages of others may not use the review")
        # Pages tell the length of what they send, and the server reads no more than that.
        if "transfer-encoding" in headers:
            return _ended(411, "the length of the body must be told")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY:
            return _ended(413, f"the body is larger than {MAX_BODY} bytes")
        return None

    def _entrance(self, scope: Scope) -> Response:
        """What somebody without a session gets: one for the link, else nothing."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        [given] = query.get("token", [""])[:1]
        right = compare_digest(given.encode(), self._sessions.token.encode())
        sessions = self._sessions
        within = f"{sessions.root}/"
        if scope["path"] not in ("/", within) or scope["method"] != "GET" or not right:
            if "/api/" in scope["path"]:
                return _problem(403, "the review was started anew: open the link that it printed")
            return HTMLResponse(_REFUSED, 403)
        # Not redirects: after one, a link that another site or a terminal opened would bring no
        # cookie.
        if scope["path"] == "/":
            # Cookies come below the root alone: there a browser that was here before is known.
            return HTMLResponse(_WELCOME.format(path=f"{within}?token={sessions.token}"))
        response = HTMLResponse(_WELCOME.format(path=within))
        response.set_cookie(
            sessions.cookie, sessions.begun(), path=sessions.root, httponly=True, samesite="strict"
        )
        return response

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                # Pages and pictures may show a face; what comes with the package shows none.
                kept = scope["path"].startswith(f"{self._sessions.root}/static/")
                headers["Cache-Control"] = "no-cache" if kept else "no-store"
            await send(message)

        return sending


def hosts_of(host: str, port: int) -> frozenset[str]:
    """What the header Host may name of a server that listens at `host`; see `_names_us`."""
    local = {"127.0.0.1", "localhost", "[::1]"}
    if host in ("0.0.0.0", "::"):
        local |= {"*", socket.gethostname()}
    elif host not in local:
        local = {f"[{host}]" if ":" in host else host}
    return frozenset(f"{name}:{port}" for name in local)


def _names_us(host: str, hosts: frozenset[str]) -> bool:
    name, _, port = host.rpartition(":")
    return host in hosts or (f"*:{port}" in hosts and _is_address(name.strip("[]")))


def _is_address(name: str) -> bool:
    # Names can be rebound to lead here, addresses cannot.
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _ended(status: int, message: str) -> Response:
    """A refusal with which the connection ends, whatever else was to come."""
    response = _problem(status, message)
    response.headers["Connection"] = "close"
    return response


def _problem(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)
