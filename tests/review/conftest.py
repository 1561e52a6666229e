"""A finished run of a few pictures, and its review."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from tests.pictures import MiddleDetector, state, textured

# What the extra brings, and httpx2, by which its tests call it. Without them pytest goes on without
# the tests of this folder, which it could not even collect.
_MISSING = [
    name for name in ("starlette", "uvicorn", "jinja2", "httpx2") if find_spec(name) is None
]
collect_ignore_glob = ["test_*.py"] if _MISSING else []

if not _MISSING:
    from starlette.testclient import TestClient

    from dartblur import pipeline
    from dartblur.batch.anonymize_command import anonymize
    from dartblur.batch.ledger import Ledger
    from dartblur.batch.options import AnonymizationOptions, RunOptions
    from dartblur.batch.state import DECISIONS_NAME, LEDGER_NAME
    from dartblur.review.app import make_app, make_index, templates
    from dartblur.review.apply import Applier
    from dartblur.review.context import Review
    from dartblur.review.decisions import Decisions
    from dartblur.review.rendering import Renderer
    from dartblur.review.run import FinishedRun
    from dartblur.review.security import Sessions, hosts_of

PORT = 8000
BASE = f"http://127.0.0.1:{PORT}"
HEIGHT, WIDTH = 48, 60


@dataclass
class Opened:
    """A review without its server, and a browser that came by the link."""

    review: Review
    applier: Applier
    client: TestClient
    stranger: TestClient

    @property
    def root(self) -> str:
        return self.review.sessions.root

    def enter(self, client: TestClient) -> str:
        """Opens the link as a browser does; returns the page that it leads to."""
        step = f"{BASE}/?token={self.review.sessions.token}"
        while True:
            answer = client.get(step)
            assert answer.status_code == 200, answer.text
            onward = re.search('http-equiv="refresh" content="0;url=([^"]+)"', answer.text)
            if onward is None:
                return str(answer.text)
            step = BASE + onward[1]

    def get(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, path: str, version: int, body: Any, **headers: str) -> Any:
        given = {"If-Match": f'"{version}"', "Origin": BASE, **headers}
        return self.client.put(path, json=body, headers=given)

    def post(self, path: str, body: Any) -> Any:
        return self.client.post(path, json=body, headers={"Origin": BASE})

    def apply(self) -> Any:
        assert self.post("/api/apply", {}).status_code == 200
        self.applier.wait()
        return self.get("/api/apply")

    def id_of(self, file: str) -> int:
        return self.review.index.id_of(file)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The output of a run over two pictures, the middle of each hidden, and a broken file."""
    return finished(tmp_path)


@pytest.fixture
def open_review() -> Iterator[Callable[..., Opened]]:
    """Opens the review of an output folder, as often as a test wants; one at a time."""
    with ExitStack() as stack:

        def opened(out: Path, **options: Any) -> Opened:
            stack.pop_all().close()
            return _opened(stack, out, **options)

        yield opened


@pytest.fixture
def opened(out: Path, open_review: Callable[..., Opened]) -> Opened:
    return open_review(out)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One browser for all tests."""
    from tests.review import chromium

    with chromium.launched() as started:
        yield started


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """One for all tests of a module that change nothing."""
    with ExitStack() as stack:
        yield _opened(stack, finished(tmp_path_factory.mktemp("untouched")))


def finished(place: Path, height: int = HEIGHT, width: int = WIDTH) -> Path:
    """The output of a run over two pictures, the middle of each hidden, and a broken file."""
    for name, seed in (("a.png", 0), ("sub/b.png", 1)):
        path = place / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(textured(height, width, seed)).save(path)
    (place / "in" / "bad.png").write_bytes(b"bad")
    options = AnonymizationOptions(method="block", margin=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "make_detector", lambda *_: MiddleDetector())
        run = RunOptions(workers=1, quiet=True)
        assert anonymize([place / "in"], out=place / "out", hide=options, run=run) == 1
    return place / "out"


def _opened(
    stack: ExitStack, out: Path, *, show_originals: bool = False, source: Path | None = None
) -> Opened:
    ledger = stack.enter_context(closing(Ledger(state(out) / LEDGER_NAME, out)))
    decisions = stack.enter_context(closing(Decisions(state(out) / DECISIONS_NAME)))
    run = FinishedRun(out, state(out), ledger, source)
    index = make_index(run, decisions)
    sessions = Sessions(PORT)
    made = Review(
        run, decisions, index, Renderer(run), sessions, templates(), show_originals, "Ada"
    )
    applier = Applier(made)
    stack.callback(applier.wait)
    app = make_app(made, applier, hosts_of("127.0.0.1", PORT))
    pages = BASE + sessions.root
    client = TestClient(app, pages, raise_server_exceptions=False)
    opened = Opened(made, applier, client, TestClient(app, pages))
    opened.enter(client)
    return opened
