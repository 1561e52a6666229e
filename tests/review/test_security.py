"""Nobody but who has the link gets in, and nothing but what the pages send."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
from tests.review.conftest import BASE, PORT, Opened

from dartblur.review.command import server_of
from dartblur.review.security import hosts_of

CHANGE = {"action": "draw", "boxes": [{"box": [1, 1, 9, 9]}], "dismissed": [], "accepted": False}


@pytest.fixture
def picture(untouched: Opened) -> str:
    return f"/api/pictures/{untouched.id_of('a.png')}"


@pytest.mark.parametrize("path", ["/", "/api/pictures", "/api/decisions.csv", "/static/base.css"])
@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=%00", "?token=ä"])
def test_without_the_right_token_nothing_is_served(
    untouched: Opened, path: str, query: str
) -> None:
    for place in (path, BASE + path):
        answer = untouched.stranger.get(place + query)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
        assert "a.png" not in answer.text


def test_a_cookie_of_that_name_by_another_server_does_not_shut_anybody_out(
    untouched: Opened,
) -> None:
    name = untouched.review.sessions.cookie
    mine = f"{name}={untouched.review.sessions.begun()}"
    for cookies in (f"{name}=x; {mine}", f"{mine}; {name}=x"):
        headers = {"Cookie": cookies}
        assert untouched.stranger.get("/api/pictures", headers=headers).status_code == 200


def test_nothing_lies_beside_the_secret_path(untouched: Opened) -> None:
    headers = {"Cookie": f"{untouched.review.sessions.cookie}={untouched.review.sessions.begun()}"}
    for path in ("/", "/api/pictures", "/static/base.css", "/picture/0"):
        assert untouched.stranger.get(BASE + path, headers=headers).status_code == 403


def test_a_made_up_cookie_opens_nothing(untouched: Opened) -> None:
    for value in ("x", "", '"', untouched.review.sessions.token):
        headers = {"Cookie": f"dartblur-review-{PORT}={value}"}
        assert untouched.stranger.get("/api/pictures", headers=headers).status_code == 403


def test_the_link_gives_a_cookie_that_other_sites_cannot_use(untouched: Opened) -> None:
    sessions = untouched.review.sessions
    answer = untouched.stranger.get(f"{BASE}/", params={"token": sessions.token})
    assert "set-cookie" not in answer.headers
    answer = untouched.stranger.get("/", params={"token": sessions.token})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    # Nor other servers of this machine: they know nothing of the path.
    assert f"path={sessions.root}".lower() in cookie
    assert untouched.stranger.get("/api/pictures").status_code == 200


def test_the_link_opened_again_in_the_same_browser_keeps_the_name(opened: Opened) -> None:
    headers = {"Origin": BASE}
    assert opened.client.put("/api/reviewer", json={"name": "Grace"}, headers=headers).is_success
    assert "Grace" in opened.enter(opened.client)
    assert "Grace" not in opened.enter(opened.stranger)


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1:1", ""])
def test_another_host_is_refused(untouched: Opened, host: str) -> None:
    answer = untouched.client.get("/api/pictures", headers={"Host": host})
    assert answer.status_code == 421


def test_hosts_of_an_open_server_are_addresses() -> None:
    assert f"127.0.0.1:{PORT}" in hosts_of("127.0.0.1", PORT)
    assert f"192.0.2.7:{PORT}" in hosts_of("192.0.2.7", PORT)
    assert f"*:{PORT}" not in hosts_of("192.0.2.7", PORT)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"http://127.0.0.1:{PORT + 1}", None]
)
def test_a_change_from_another_origin_is_refused(
    untouched: Opened, picture: str, origin: str | None
) -> None:
    headers = {"If-Match": "0"} | ({} if origin is None else {"Origin": origin})
    assert untouched.client.put(picture, json=CHANGE, headers=headers).status_code == 403
    assert untouched.get(picture)["version"] == 0


def test_other_sites_may_neither_show_nor_send(untouched: Opened, picture: str) -> None:
    for site in ("cross-site", "same-site"):
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
        assert untouched.client.get(f"{picture}/output", headers=headers).status_code == 403
        sent = {**headers, "Origin": BASE, "If-Match": "0"}
        assert untouched.client.put(picture, json=CHANGE, headers=sent).status_code == 403


def test_every_answer_forbids_scripts_of_others_and_storing(
    untouched: Opened, picture: str
) -> None:
    for path in ("/", picture, f"{picture}/output", f"{picture}/thumbnail", "/nothing"):
        headers = untouched.client.get(path).headers
        assert headers["cache-control"] == "no-store"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert headers["x-content-type-options"] == "nosniff"
    assert (
        "script-src 'self'"
        in untouched.client.get("/static/base.css").headers["content-security-policy"]
    )


def test_pages_hold_no_inline_script_or_style(untouched: Opened) -> None:
    for path in ("/", f"/picture/{untouched.id_of('a.png')}"):
        page = untouched.client.get(path).text.replace(untouched.root, "")
        assert "<style" not in page
        assert " style=" not in page
        assert " on" not in page.replace(" one", "").replace(" on ", " ").split("<main")[0]
        assert page.count("<script") == page.count('<script type="module" src="/static/')


@pytest.mark.parametrize(
    "path",
    [
        "/static/../context.py",
        "/static/..%2fcontext.py",
        "/static/%2e%2e/%2e%2e/records.py",
        "/api/pictures/../../etc/passwd/output",
        "/api/pictures/..%2f..%2fa.png/output",
        "/api/pictures/-1/output",
        "/api/pictures/99999999999999999999/output",
        "/api/pictures/a.png/output",
        "/picture/../../secret",
    ],
)
def test_no_path_leads_out(untouched: Opened, path: str) -> None:
    answer = untouched.client.get(path)
    # The client itself resolves some, to what lies beside the review's pages.
    assert answer.status_code == (404 if answer.url.path.startswith(untouched.root) else 403)
    assert "import" not in answer.text


def test_an_output_that_became_a_link_is_not_followed(
    opened: Opened, out: Path, tmp_path: Path
) -> None:
    picture = f"/api/pictures/{opened.id_of('a.png')}"
    secret = tmp_path / "secret.png"
    secret.write_bytes((out / "a.png").read_bytes())
    (out / "a.png").unlink()
    (out / "a.png").symlink_to(secret)
    for kind in ("output", "thumbnail", "result"):
        assert opened.client.get(f"{picture}/{kind}").status_code == 409


def test_a_source_that_became_a_link_is_not_read(
    open_review: Callable[..., Opened], out: Path, tmp_path: Path
) -> None:
    inside = tmp_path / "in" / "a.png"
    inside.rename(tmp_path / "elsewhere.png")
    inside.symlink_to(tmp_path / "elsewhere.png")
    for source in (None, tmp_path / "in"):
        opened = open_review(out, show_originals=True, source=source)
        answer = opened.client.get(f"/api/pictures/{opened.id_of('a.png')}/original")
        assert answer.status_code == 409


def test_originals_are_shown_when_asked_for_alone(
    open_review: Callable[..., Opened], out: Path
) -> None:
    for shown, status in ((False, 403), (True, 200)):
        opened = open_review(out, show_originals=shown)
        answer = opened.client.get(f"/api/pictures/{opened.id_of('a.png')}/original")
        assert answer.status_code == status
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("length", [str(10**9), "-1", "x"])
def test_a_body_that_is_said_to_be_huge_is_not_read(
    untouched: Opened, picture: str, length: str
) -> None:
    headers = {"Origin": BASE, "If-Match": "0", "Content-Length": length}
    answer = untouched.client.put(picture, content=b"{", headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize(("method", "path"), [("PUT", "/api/pictures/0"), ("GET", "/")])
def test_a_gigabyte_of_no_declared_length_is_neither_read_nor_kept(
    untouched: Opened, method: str, path: str
) -> None:
    sessions = untouched.review.sessions
    cookie = f"{sessions.cookie}={sessions.begun()}"
    head = (
        f"{method} {sessions.root}{path} HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{PORT}\r\nOrigin: {BASE}\r\n"
        f"Cookie: {cookie}\r\nContent-Type: application/json\r\nIf-Match: 0\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    ).encode()
    some = b" " * (1 << 20)
    chunk = b"%x\r\n%b\r\n" % (len(some), some)
    server = server_of(untouched.client.app)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with socket.create_connection(listener.getsockname(), timeout=300) as client:
                client.sendall(head)
                sent = 0
                with suppress(ConnectionError):
                    while sent < 1 << 30:
                        client.sendall(chunk)
                        sent += len(some)
        finally:
            server.should_exit = True
            thread.join()
    # What fits into the buffers of a connection, and not the gigabyte.
    assert sent < 1 << 27


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"action": "draw", "boxes": [{"box": [NaN, 1, 9, 9]}]}',
        b"null",
        b"[]",
        b'"draw"',
        b"{}",
        b'{"action": "melt"}',
        b'{"action": "draw", "boxes": {}}',
        b'{"action": "draw", "boxes": [1]}',
        b'{"action": "draw", "boxes": [{"box": [1, 1, 9]}]}',
        b'{"action": "draw", "boxes": [{"box": [1, 1, 9, "9"]}]}',
        b'{"action": "draw", "boxes": [{"box": [1, 1, 9, 1e999]}]}',
        b'{"action": "draw", "boxes": [{"box": [9, 9, 1, 1]}]}',
        b'{"action": "draw", "boxes": [{"box": [1, 1, 1.1, 9]}]}',
        b'{"action": "draw", "boxes": [{"box": [900, 900, 999, 999]}]}',
        b'{"action": "draw", "boxes": [{"box": [1, 1, 9, 9], "score": 7}]}',
        b'{"action": "draw", "boxes": [{"box": [1, 1, 9, 9], "origin": "god"}]}',
        b'{"action": "draw", "boxes": [{"box": [1, 1, 9, 9], "candidate": 3}]}',
        b'{"action": "draw", "boxes": [], "dismissed": [-1]}',
        b'{"action": "draw", "boxes": [], "accepted": "yes"}',
        b'{"action": "draw", "boxes": [], "more": 1}',
        b'{"action": "draw", "boxes": [{"box": [' + b"9" * 400 + b", 1, 9, 9]}]}",
        json.dumps({"action": "draw", "boxes": [{"box": [1, 1, 9, 9]}] * 10_001}).encode(),
    ],
    ids=lambda body: body[:60].decode("latin-1"),
)
def test_a_malformed_change_is_refused_in_words(
    untouched: Opened, picture: str, body: bytes
) -> None:
    headers = {"Origin": BASE, "If-Match": "0", "Content-Type": "application/json"}
    answer = untouched.client.put(picture, content=body, headers=headers)
    assert answer.status_code in (400, 422)
    assert 0 < len(answer.json()["error"]) < 600
    assert untouched.get(picture)["version"] == 0


@pytest.mark.parametrize(("version", "status"), [(None, 428), ("x", 400), ("9", 409), ("-1", 409)])
def test_a_change_names_the_version_that_it_changes(
    untouched: Opened, picture: str, version: str | None, status: int
) -> None:
    headers = {"Origin": BASE} | ({} if version is None else {"If-Match": version})
    assert untouched.client.put(picture, json=CHANGE, headers=headers).status_code == status


def test_a_form_cannot_send_a_change(untouched: Opened, picture: str) -> None:
    headers = {"Origin": BASE, "If-Match": "0", "Content-Type": "text/plain"}
    answer = untouched.client.put(picture, content=json.dumps(CHANGE).encode(), headers=headers)
    assert answer.status_code == 415


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\nb", "\u202e", 3, None])
def test_a_name_that_could_mislead_is_refused(untouched: Opened, name: object) -> None:
    answer = untouched.client.put("/api/reviewer", json={"name": name}, headers={"Origin": BASE})
    assert answer.status_code == 422
