"""The grid: the riskiest first, filters, search, pages, and what one key does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.review.conftest import Opened

from dartblur.review.index import FILTERS, Entry, Index, View
from dartblur.review.risk import expected_misses


def numbered(count: int, **columns: list[object]) -> Index:
    files = [f"{number:03}.jpg" for number in range(count)]
    entries = [
        Entry(**{name: values[number] for name, values in columns.items()})
        for number in range(count)
    ]
    return Index(files, entries)


def test_the_riskiest_come_first_and_what_failed_last() -> None:
    index = numbered(4, risk=[0.1, 2.0, 9.0, 0.5], done=[True, True, False, True])
    assert index.slice(View(filter="all"), 10).ids == [1, 3, 0, 2]
    assert index.slice(View("name", "all"), 10).ids == [0, 1, 2, 3]
    assert index.slice(View(filter="failed"), 10).ids == [2]


def test_pages_go_on_where_the_last_one_ended() -> None:
    index = numbered(10)
    view = View("name", "undecided")
    first = index.slice(view, 4)
    assert (first.ids, first.first, first.total) == ([0, 1, 2, 3], 0, 10)
    for number in first.ids:
        index.put(number, Entry(accepted=True))
    following = index.slice(view, 4, after=first.ids[-1])
    assert (following.ids, following.first, following.total) == ([4, 5, 6, 7], 0, 6)
    assert index.slice(view, 4, before=8).ids == following.ids
    assert index.slice(view, 4, at=6).ids == [6, 7, 8, 9]
    assert index.slice(view, 4, after=9).ids == []


def test_neighbours_hold_when_a_file_leaves_the_view() -> None:
    index = numbered(4)
    view = View("name", "undecided")
    index.put(1, Entry(accepted=True))
    index.put(2, Entry(accepted=True))
    assert index.neighbours(view, 1) == (0, 3)
    assert index.neighbours(view, 0) == (None, 3)
    assert index.neighbours(view, 3) == (0, None)


def test_the_order_stays_until_the_first_page_is_asked_for_again() -> None:
    index = numbered(3, risk=[3.0, 2.0, 1.0])
    view = View(filter="all")
    assert index.slice(view, 3).ids == [0, 1, 2]
    index.put(0, Entry(risk=0.0))
    assert index.neighbours(view, 0) == (None, 1)
    index.sort_again()
    assert index.slice(view, 3).ids == [1, 2, 0]


def test_every_filter_and_search_of_an_empty_run() -> None:
    index = numbered(0)
    for name in FILTERS:
        assert index.slice(View(filter=name, search="x"), 5).total == 0
    assert set(index.counts()) == set(FILTERS)


def test_risk_rises_with_what_the_detector_was_unsure_of() -> None:
    def risk(score: float) -> float:
        return expected_misses([(0, 0, 9, 9, score, 1)], 0.25, [], [])

    assert risk(0.13) < risk(0.2) < risk(0.249)
    assert expected_misses([], 0.25, [200.0], []) == 0
    assert expected_misses([], 0.25, [12.0], []) > expected_misses([], 0.25, [40.0], []) > 0
    assert expected_misses([], 0.25, [200.0], [1]) > expected_misses([], 0.25, [200.0], [5])
    assert np.isfinite(expected_misses([(0, 0, 9, 9, 0.1, 1)], 0.0, [0.0], [0]))


def test_what_the_grid_tells(opened: Opened) -> None:
    found = opened.get("/api/pictures?filter=all&sort=name")
    assert [item["name"] for item in found["items"]] == ["a.png", "bad.png", "sub/b.png"]
    assert [item["done"] for item in found["items"]] == [True, False, True]
    assert "not a picture" in found["items"][1]["problem"]
    assert found["items"][0]["faces"] == 1
    assert found["counts"]["failed"] == 1
    assert found["counts"]["undecided"] == 2
    assert [i["name"] for i in opened.get("/api/pictures?search=SUB")["items"]] == ["sub/b.png"]
    for query in ("sort=size", "filter=some", "after=x"):
        assert opened.client.get(f"/api/pictures?{query}").status_code == 400


def test_a_whole_page_is_accepted(opened: Opened) -> None:
    ids = list(range(3))
    answer = opened.post("/api/pictures/accept", {"ids": ids}).json()
    assert answer["accepted"] == [opened.id_of("a.png"), opened.id_of("sub/b.png")]
    assert answer["counts"]["accepted"] == 2
    assert opened.get("/api/pictures")["total"] == 0
    assert opened.post("/api/pictures/accept", {"ids": ids}).json()["accepted"] == []
    for body in ({"ids": [99]}, {"ids": ["a"]}, {"ids": [0] * 1000}, [], {}):
        assert opened.post("/api/pictures/accept", body).status_code in (404, 422)


def test_thumbnails_are_made_of_the_output(opened: Opened, out: Path) -> None:
    path = f"/api/pictures/{opened.id_of('a.png')}/thumbnail"
    first = opened.client.get(path)
    assert first.headers["content-type"] == "image/jpeg"
    assert opened.client.get(path).content == first.content
    assert sorted(p.name for p in out.rglob("*") if p.is_file()) == ["a.png", "b.png"]
    assert opened.client.get("/api/pictures/1/thumbnail").status_code == 409


def test_pages_of_files_that_are_not_there(opened: Opened) -> None:
    assert opened.client.get("/picture/77").status_code == 404
    assert opened.client.get("/picture/1").status_code == 409
    assert "not a picture" in opened.client.get("/picture/1").text
    assert "a.png" in opened.client.get("/picture/0").text


@pytest.mark.parametrize("gone", ["a.png", "sub/b.png"])
def test_outputs_that_are_gone_are_not_listed(
    open_review: Callable[..., Opened], out: Path, gone: str
) -> None:
    (out / gone).unlink()
    names = [item["name"] for item in open_review(out).get("/api/pictures")["items"]]
    assert gone not in names
    assert len(names) == 1
