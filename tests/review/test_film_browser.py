"""The page of a film in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.pictures import state
from tests.review.test_films import COUNT, finished_film, two_squares
from tests.video import films

from dartblur.video.boxes_file import GivenBoxes

playwright = pytest.importorskip("playwright.sync_api", reason="needs dartblur[dev]")
CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason="needs Chromium at /usr/bin/chromium (apt-get install chromium)"
)
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE = 60_000  # ms; ends what hangs, and never a machine that is busy


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """The output of a run over one film, and the link to its review, in a process of its own."""
    out = finished_film(tmp_path)
    words = [sys.executable, "-m", "dartblur", "review", str(out), "--reviewer", "Ada"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("open http://127.0.0.1:"), line
        yield out, line.split()[1]
        process.send_signal(signal.SIGINT)
        process.wait()


@pytest.fixture
def page() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(PATIENCE)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        yield page
        browser.close()
        assert faults == []


def saved(page: Any) -> None:
    page.wait_for_selector('#save-mark[data-state="saved"]', state="attached")


def test_a_track_is_dismissed_and_a_box_carried_on(served: tuple[Path, str], page: Any) -> None:
    out, link = served
    page.goto(link)
    page.wait_for_url("**/")
    page.goto(f"{link.partition('?')[0]}film/0")
    page.wait_for_selector("#frame[src]")
    cards = page.locator(".track")
    tracks = cards.count()
    for number in range(tracks):
        cards.nth(number).locator("input").check()
    page.click("#dismiss-all")
    saved(page)
    assert page.locator(".track.dismissed").count() == tracks

    # A box over what was missed, by hand, and on by the tracker.
    page.fill("#seek", "3")
    page.wait_for_selector('#frame[alt^="Frame 4 "]')
    page.keyboard.press("n")
    frame = page.locator("#canvas").bounding_box()
    scale = frame["width"] / 128
    x, y = frame["x"] + 23 * scale, frame["y"] + 60 * scale
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 24 * scale, y + 24 * scale, steps=3)
    page.mouse.up()
    page.wait_for_selector(".box.drawn.chosen")
    page.keyboard.press("c")
    page.wait_for_selector(".notice >> text=Carried from frame 1 to 30")
    saved(page)
    page.keyboard.press("Control+z")
    page.wait_for_selector("#redo:not([disabled])")
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("a")
    page.wait_for_selector("#accepted:not([hidden])")
    page.wait_for_selector("#apply:has-text('1 change')")
    saved(page)

    page.reload()
    page.wait_for_selector("#frame[src]")
    assert page.locator(".track.dismissed").count() == tracks
    assert page.locator(".lane.drawn").count() == 1
    page.click("#apply")
    page.wait_for_selector(".notice >> text=1 made anew")

    given = GivenBoxes(state(out) / "review" / "film.mp4.jsonl")
    covered = [len(given.of_frame(number)) for number in range(COUNT)]
    assert sum(covered) >= 21
    assert max(covered) == 1
    for number, picture in enumerate(films.pictures(out / "film.mp4")):
        red = films.is_red(two_squares(number))
        assert films.is_red(picture)[red].mean() > 0.8
        if covered[number]:
            assert picture[68:76, 28 + number : 36 + number].max() < 80
