"""What the grid shows is kept between starts, and made anew where it changed or is damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.pictures import state
from tests.review.conftest import Opened

from dartblur.review.app import make_index
from dartblur.review.index import Entry
from dartblur.review.index_cache import CACHE_NAME, read_entries, write_entries
from dartblur.review.run import FinishedRun, Row

BOX = {"box": [1, 1, 9, 9], "score": 1, "origin": "drawn", "candidate": None}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose records are read from now on."""
    files: list[str] = []
    row = FinishedRun.row

    def counted(run: FinishedRun, file: str) -> Row:
        files.append(file)
        return row(run, file)

    monkeypatch.setattr(FinishedRun, "row", counted)
    return files


def entries_of(opened: Opened) -> list[Entry]:
    """What the next start would show."""
    index = make_index(opened.review.run, opened.review.decisions)
    return [index.entry(number) for number in range(len(index))]


def test_only_what_changed_is_read_again(opened: Opened, read: list[str]) -> None:
    shown = entries_of(opened)
    assert read == []
    picture = f"/api/pictures/{opened.id_of('a.png')}"
    body = {"action": "draw", "boxes": [BOX], "dismissed": [], "accepted": True}
    assert opened.put(picture, 0, body).status_code == 200
    for change in (lambda: None, opened.apply):
        change()
        read.clear()
        now = entries_of(opened)
        assert read == ["a.png"]
        number = opened.id_of("a.png")
        assert now[number] == opened.review.index.entry(number)
        assert now[number].accepted
        assert [*now[:number], *now[number + 1 :]] == [*shown[:number], *shown[number + 1 :]]


def test_decisions_of_another_log_are_not_taken_for_these(
    opened: Opened, open_review: Callable[..., Opened], out: Path, read: list[str]
) -> None:
    ids = [opened.id_of("a.png")]
    assert opened.post("/api/pictures/accept", {"ids": ids}).status_code == 200
    assert entries_of(opened)[ids[0]].accepted
    for path in state(out).glob("review.sqlite*"):
        path.unlink()
    assert not entries_of(open_review(out))[ids[0]].accepted


@pytest.mark.parametrize(
    "damaged", [b"", b"x", b'{"a": 1}', lambda kept: kept[:-9], lambda kept: kept[:-9] + b"1" * 9]
)
def test_what_is_damaged_is_made_anew(
    opened: Opened, damaged: bytes | Callable[[bytes], bytes], read: list[str]
) -> None:
    shown = entries_of(opened)
    path = opened.review.state / CACHE_NAME
    kept = path.read_bytes()
    path.write_bytes(damaged if isinstance(damaged, bytes) else damaged(kept))
    assert read_entries(path) == {}
    assert entries_of(opened) == shown
    assert sorted(read) == ["a.png", "sub/b.png"]
    assert path.read_bytes() == kept


def test_names_that_are_no_text_are_kept(tmp_path: Path) -> None:
    path = tmp_path / CACHE_NAME
    entries = {"\udcff.png": ("done", Entry(risk=0.1, faces=2, film=True, stamp=2**62))}
    write_entries(path, entries)
    assert read_entries(path) == entries
    write_entries(tmp_path / "none" / CACHE_NAME, entries)
