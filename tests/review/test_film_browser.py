"""The page of a film, and the report, in a real browser, driven by Playwright."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.pictures import state
from tests.review import chromium
from tests.review.test_films import COUNT, finished_film, two_squares
from tests.video import films

from dartblur.review.command import review
from dartblur.video.boxes_file import GivenBoxes

pytestmark = chromium.NEEDED


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run over one film, of which the detector was unsure of a face."""
    return finished_film(tmp_path_factory.mktemp("film"))


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    with chromium.page_in(browser, viewport={"width": 1440, "height": 900}) as page:
        yield page


def saved(page: Any) -> None:
    page.wait_for_selector('#save-mark[data-state="saved"]', state="attached")


def decided(page: Any) -> tuple[list[int], list[int]]:
    """Numbers of the tracks that are kept, and dismissed, as the server has them."""
    told = page.evaluate("fetch('../api/films/0').then(answer => answer.json())")
    return told["kept"], told["dismissed"]


def drag(page: Any, *places: tuple[float, float]) -> None:
    """Draws with the mouse, in pixels of the film."""
    frame = page.locator("#canvas").bounding_box()
    scale = frame["width"] / 128
    for number, (x, y) in enumerate(places):
        page.mouse.move(frame["x"] + x * scale, frame["y"] + y * scale, steps=3)
        if not number:
            page.mouse.down()
    page.mouse.up()


@chromium.WITH_AXE
def test_nothing_serious_stands_in_the_way_of_anybody_in_the_report(
    page: Any, out: Path, tmp_path: Path
) -> None:
    review(out, report=tmp_path / "report.html")
    page.goto((tmp_path / "report.html").as_uri())
    assert page.locator("img").count() > 0
    assert chromium.axe(page) == []


def test_a_track_is_dismissed_and_a_box_carried_on(out: Path, page: Any) -> None:
    with chromium.served(out) as link:
        page.goto(link)
        page.wait_for_selector(".picture", state="attached")
        film = page.url.partition("?")[0] + "film/0"
        other = page.context.new_page()
        for tab in (page, other):
            tab.goto(film)
            tab.wait_for_selector("#frame[src]")
        page.bring_to_front()  # a page behind another one paints once a second
        if chromium.AXE.exists():
            assert chromium.axe(page) == []
        cards = page.locator("#tracks .track")
        tracks = cards.count()
        for number in range(tracks):
            cards.nth(number).locator("input").check()
        page.click("#dismiss-all")
        saved(page)
        assert page.locator("#tracks .track.dismissed").count() == tracks

        # Somebody else, who has not seen that, takes what the detector was unsure of.
        other.bring_to_front()
        other.keyboard.press("f")
        other.wait_for_selector(".box.faint.chosen")
        other.keyboard.press("t")
        saved(other)
        other.wait_for_selector(".badge >> text=taken")
        assert other.locator("#tracks .track.dismissed").count() == tracks
        page.keyboard.press("Control+z")
        saved(page)
        assert decided(page) == ([-1], [])
        page.keyboard.press("Control+Shift+z")
        saved(page)
        assert decided(page) == ([-1], list(range(1, tracks + 1)))
        other.keyboard.press("Control+z")
        saved(other)
        assert decided(page) == ([], list(range(1, tracks + 1)))

        other.close()
        # A box over what was missed, by hand, mended by a handle, and on by the tracker.
        page.fill("#seek", "3")
        page.wait_for_selector('#frame[alt^="Frame 4 "]')
        page.keyboard.press("n")  # over the candidate, too
        drag(page, (23, 60), (43, 80))
        page.wait_for_selector(".box.drawn.chosen")
        page.wait_for_selector(".handle.se")
        drag(page, (43, 80), (47, 84))
        saved(page)
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
        assert page.locator("#tracks .track.dismissed").count() == tracks
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
