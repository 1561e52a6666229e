"""Debian's Chromium, driven by Playwright, and a review in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs dartblur[dev]")
_PROGRAM = Path("/usr/bin/chromium")
NEEDED = pytest.mark.skipif(
    not _PROGRAM.exists(), reason="needs Chromium at /usr/bin/chromium (apt-get install chromium)"
)
PATIENCE = 120_000  # ms; ends what hangs, and never a machine that is busy
AXE = Path(os.environ.get("AXE_CORE", "node_modules/axe-core/axe.min.js"))
WITH_AXE = pytest.mark.skipif(
    not AXE.exists(), reason="needs axe-core: npm install axe-core, or AXE_CORE"
)
_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextmanager
def launched() -> Iterator[Any]:
    """A browser."""
    with playwright.sync_playwright() as driver:
        playwright.expect.set_options(timeout=PATIENCE)
        browser = driver.chromium.launch(executable_path=str(_PROGRAM), args=_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def served(out: Path, end: int = signal.SIGINT) -> Iterator[str]:
    """The link to a review of its own process. end: the signal that ends it."""
    words = [sys.executable, "-m", "dartblur", "review", str(out), "--reviewer", "Ada"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("open http://127.0.0.1:"), line
        try:
            yield line.split()[1]
        finally:
            process.send_signal(end)
            process.wait()


@contextmanager
def page_in(browser: Any, **options: Any) -> Iterator[Any]:
    """An empty page; what goes wrong in its scripts fails the test."""
    faults: list[str] = []
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda told: told.type == "error" and faults.append(told.text))
    yield page
    context.close()
    # What the server refuses, or does not answer, the browser logs by itself.
    assert [fault for fault in faults if "Failed to load resource" not in fault] == []


def axe(page: Any) -> list[tuple[str, str]]:
    """What axe-core finds that is serious, in the light and in the dark: its rule, and where."""
    faults = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run().then(result => result.violations)")
        faults += [
            (f"{scheme}: {rule['id']}", node["html"][:200])
            for rule in found
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]
    return faults
