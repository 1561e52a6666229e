"""The page of a film in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.pictures import state
from tests.review import chromium
from tests.review.test_films import COUNT, finished_film, two_squares
from tests.video import films

from dartblur.video.boxes_file import GivenBoxes

pytestmark = chromium.NEEDED
PATIENCE = 60_000  # ms; ends what hangs, and never a machine that is busy


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """The output of a run over one film, and the link to its review, in a process of its own."""
    out = finished_film(tmp_path)
    with chromium.served(out) as link:
        yield out, link


@pytest.fixture
def page() -> Iterator[Any]:
    viewport = {"width": 1440, "height": 900}
    with (
        chromium.launched(PATIENCE) as browser,
        chromium.page_in(browser, PATIENCE, viewport=viewport) as page,
    ):
        yield page


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
