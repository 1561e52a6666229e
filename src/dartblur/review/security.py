"""Who is let in: one link with a secret, from this page alone, with bodies of bounded size.

The pages show clear faces that were missed. So: a random token in the link gives a session, whose
cookie other sites cannot use; every request must name this server as its host, which stops rebound
names; what changes something must come from a page of ours; and nothing is stored by the browser.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
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
# Not a redirect: after one, a link that another site or a terminal opened would bring no cookie.
_WELCOME = """<!doctype html><html lang="en"><meta charset="utf-8"><title>DartBlur review</title>
<meta http-equiv="refresh" content="0;url=/"><p><a href="/">Go to the review</a></p></html>
"""


@dataclass(frozen=True)
class Sessions:
    """The browsers that came by the link, each under a secret of its own.

    port: of the server; cookies do not tell ports apart, so their name does.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
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
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return None
        return cookie.value if cookie is not None and cookie.value in self._names else None

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
            await self._http(scope, receive, _with_headers(scope, send))
        # Nothing else is served: a socket is closed by the server.

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        session = self._sessions.of(headers)
        if refusal is None and session is None:
            refusal = self._entrance(scope)
        if refusal is None and scope["path"] == "/" and b"token=" in scope["query_string"]:
            refusal = HTMLResponse(_WELCOME)  # again by the link: out of the address bar
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        scope.setdefault("state", {})["session"] = session
        bounded = _Bounded(receive, send)
        try:
            await self._app(scope, bounded.receive, bounded.send)
        except _TooLargeError:
            if not bounded.begun:
                await _too_large()(scope, receive, send)

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
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY:
            return _too_large()
        return None

    def _entrance(self, scope: Scope) -> Response | None:
        """What somebody without a session gets: one for the link, else nothing."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        [given] = query.get("token", [""])[:1]
        right = compare_digest(given.encode(), self._sessions.token.encode())
        if scope["path"] != "/" or scope["method"] != "GET" or not right:
            if scope["path"].startswith("/api/"):
                return _problem(403, "the review was started anew: open the link that it printed")
            return HTMLResponse(_REFUSED, 403)
        response = HTMLResponse(_WELCOME)
        response.set_cookie(
            self._sessions.cookie, self._sessions.begun(), httponly=True, samesite="strict"
        )
        return response


class _TooLargeError(Exception):
    """A body that goes on beyond what is allowed."""


class _Bounded:
    """Counts what a body brings, whatever its length was said to be."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._length = 0
        self.begun = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._length += len(message.get("body", b""))
        if self._length > MAX_BODY:
            raise _TooLargeError
        return message

    async def send(self, message: Message) -> None:
        self.begun = True
        await self._send(message)


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


def _with_headers(scope: Scope, send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            # Pages and pictures may show a face; what comes with the package shows none.
            kept = scope["path"].startswith("/static/")
            headers["Cache-Control"] = "no-cache" if kept else "no-store"
        await send(message)

    return sending


def _too_large() -> Response:
    response = _problem(413, f"the body is larger than {MAX_BODY} bytes")
    response.headers["Connection"] = "close"
    return response


def _problem(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)
