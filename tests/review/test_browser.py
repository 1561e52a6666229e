"""The review in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.pictures import blocked, state, textured
from tests.review import chromium
from tests.review.chromium import page_in, playwright, served
from tests.review.conftest import finished

from dartblur.batch.findings import Finding
from dartblur.batch.ledger import Ledger
from dartblur.batch.state import LEDGER_NAME
from dartblur.records import Record

pytestmark = chromium.NEEDED
HEIGHT, WIDTH = 240, 320
FOUND = [106, 80, 212, 160]
FAINT = [20.0, 30.0, 60.0, 80.0]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A finished run of two pictures; in the first, the detector was unsure of one face more."""
    out = finished(tmp_path, HEIGHT, WIDTH)
    with closing(Ledger(state(out) / LEDGER_NAME, out)) as ledger:
        [[line]] = ledger.select("SELECT record FROM files WHERE output = ?", b"a.png")
        finding = Finding(0.25, 5, (5,), ((*FAINT, 0.2, 1),))
        record = Record(**json.loads(line))
        ledger.done(Path("a.png"), out / "a.png", record, finding.to_json())
    return out


@contextmanager
def page_of(browser: Any, link: str, **options: Any) -> Iterator[Any]:
    """A page of the grid, by the link."""
    with page_in(browser, **options) as page:
        enter(page, link)
        yield page


def enter(page: Any, link: str) -> None:
    page.goto(link)
    page.wait_for_selector(".picture", state="attached")


def open_first(page: Any) -> None:
    page.locator(".picture").first.click()
    page.wait_for_selector("#after[src]", state="attached")


def saved(page: Any) -> None:
    page.wait_for_selector('#save-mark[data-state="saved"]', state="attached")


def hidden(page: Any, count: int) -> None:
    playwright.expect(page.locator("#box-list li")).to_have_count(count)


def draw(page: Any, x1: float, y1: float, x2: float, y2: float) -> None:
    """A box by a drag of the mouse, in pixels of the picture."""
    place = page.locator("#canvas").bounding_box()
    scale = place["width"] / WIDTH
    page.mouse.move(place["x"] + x1 * scale, place["y"] + y1 * scale)
    page.mouse.down()
    page.mouse.move(place["x"] + x2 * scale, place["y"] + y2 * scale, steps=3)
    page.mouse.up()


def boxes_of(page: Any) -> list[list[float]]:
    number = page.url.split("/picture/")[1].partition("?")[0]
    answer = page.evaluate(f"fetch('../api/pictures/{number}').then(answer => answer.json())")
    return [row["box"] for row in answer["boxes"]]


def test_a_person_mends_a_picture(browser: Any, out: Path) -> None:
    with served(out) as link, page_of(browser, link) as page:
        # What the detector was unsure of comes first.
        assert page.locator(".picture .file").first.inner_text() == "a.png"
        assert page.locator(".box.faint").count() == 1
        open_first(page)
        hidden(page, 1)
        page.keyboard.press("f")
        page.keyboard.press("t")
        hidden(page, 2)
        draw(page, 240, 170, 300, 220)
        hidden(page, 3)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Shift+ArrowUp")
        saved(page)
        # The false one: the detector's own.
        page.locator("#box-list .choose").filter(has_text="found").click()
        page.keyboard.press("Delete")
        hidden(page, 2)
        page.keyboard.press("Control+z")
        hidden(page, 3)
        page.keyboard.press("Control+y")
        hidden(page, 2)
        saved(page)
        [taken, drawn] = boxes_of(page)
        assert taken == FAINT
        assert np.allclose(drawn, [241, 160, 301, 210], atol=1.5)
        page.keyboard.press("a")
        page.wait_for_url("**/picture/*")
        playwright.expect(page.locator("#name")).to_have_text("sub/b.png")
        page.locator("#apply").click()
        page.get_by_text("1 made anew").wait_for(state="attached")
        expected = blocked(textured(HEIGHT, WIDTH, 0), taken, drawn)
        np.testing.assert_array_equal(np.array(Pillow.open(out / "a.png")), expected)
        page.go_back()
        playwright.expect(page.locator("#name")).to_have_text("a.png")
        page.reload()
        hidden(page, 2)
        assert boxes_of(page) == [taken, drawn]
        assert page.locator("#accepted").is_visible()
        # On a phone, nothing is wider than the screen, and no key scrolls it sideways.
        page.set_viewport_size({"width": 390, "height": 844})
        page.keyboard.press("b")
        page.wait_for_selector("#box-list .chosen")
        widths = "[document.scrollingElement.scrollWidth - innerWidth, scrollX]"
        assert page.evaluate(widths) == [0, 0]
    with served(out) as link, page_of(browser, link) as page:
        page.get_by_role("button", name=re.compile("^Accepted 1")).wait_for(state="attached")


def test_two_tabs_lose_nothing(browser: Any, out: Path) -> None:
    with served(out) as link, page_of(browser, link) as one:
        one.locator("#reviewer").click()
        one.locator("#rename-name").fill("Grace")
        one.get_by_role("button", name="Save").click()
        one.get_by_text("Decisions are kept under Grace now").wait_for(state="attached")
        open_first(one)
        other = one.context.new_page()
        enter(other, link)  # once more, in the same browser
        playwright.expect(other.locator("#reviewer-name")).to_have_text("Grace")
        other.goto(one.url)
        other.wait_for_selector("#after[src]", state="attached")
        one.bring_to_front()  # a page behind another one paints once a second
        draw(one, 240, 170, 300, 220)
        saved(one)
        other.bring_to_front()
        draw(other, 10, 150, 60, 230)
        other.wait_for_selector('#save-mark[data-state="conflict"]', state="attached")
        other.get_by_text("Grace or another tab changed it").wait_for(state="attached")
        # Theirs is shown; an undo brings back what was drawn here.
        assert boxes_of(other)[1][0] > 200
        other.keyboard.press("Control+z")
        saved(other)
        assert boxes_of(other)[1][0] < 60


def test_a_killed_server_is_told_of_and_loses_nothing(browser: Any, out: Path) -> None:
    with page_in(browser) as page:
        with served(out, signal.SIGKILL) as link:
            enter(page, link)
            open_first(page)
            page.keyboard.press("n")
            page.keyboard.press("Enter")
            hidden(page, 2)
            saved(page)
            kept = boxes_of(page)
        page.keyboard.press("Delete")
        page.wait_for_selector('#save-mark[data-state="failed"]', state="attached")
        page.get_by_text("is dartblur review still running").first.wait_for(state="attached")
    with served(out) as link, page_of(browser, link) as page:
        open_first(page)
        hidden(page, 2)
        assert boxes_of(page) == kept


def test_every_state_of_the_pages_is_told(browser: Any, out: Path) -> None:
    with served(out) as link, page_of(browser, link) as page:
        page.keyboard.press("Shift+a")
        page.get_by_text("Every picture is decided").wait_for(state="attached")
        page.keyboard.press("?")
        page.get_by_text("Accept all of this page").wait_for(state="attached")
        page.keyboard.press("Escape")
        page.route("**/api/pictures?*", lambda route: route.abort())
        page.get_by_role("button", name=re.compile("^All")).click()
        page.get_by_text("the server does not answer").wait_for(state="attached")
        page.unroute("**/api/pictures?*")
        page.get_by_role("button", name="Try again").click()
        page.wait_for_selector(".picture", state="attached")


@chromium.WITH_AXE
def test_nothing_serious_stands_in_the_way_of_anybody(browser: Any, out: Path) -> None:
    with served(out) as link, page_of(browser, link) as page:
        assert chromium.axe(page) == [], "grid"
        open_first(page)
        page.keyboard.press("f")
        assert chromium.axe(page) == [], "picture"
        page.keyboard.press("?")
        assert chromium.axe(page) == [], "keys"
