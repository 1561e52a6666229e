"""The thread that runs ahead: in order, bounded, and it cannot hang."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from dartblur.video.prefetch import Prefetcher

# Seconds, only so that a test that hangs ends.
LONG = 300


def test_items_come_in_order_and_are_made_ahead() -> None:
    made: list[int] = []
    five = threading.Event()

    def items() -> Iterator[int]:
        for i in range(20):
            made.append(i)
            if i == 4:
                five.set()
            yield i

    with Prefetcher(items(), 4) as prefetcher:
        iterator = iter(prefetcher)
        assert next(iterator) == 0
        # One was taken, and four wait, though nobody asked for them.
        assert five.wait(LONG)
        for wanted in range(1, 20):
            # Four wait, one was taken, one is in hand.
            assert len(made) <= wanted + 5
            assert next(iterator) == wanted
        assert list(iterator) == []


def test_an_error_comes_where_its_item_would_have_come() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    with Prefetcher(items(), 4) as prefetcher:
        iterator = iter(prefetcher)
        assert next(iterator) == 1
        with pytest.raises(ValueError, match="broken"):
            next(iterator)


def test_leaving_early_ends_the_thread() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 1

    before = set(threading.enumerate())
    with pytest.raises(KeyError), Prefetcher(endless(), 2):
        raise KeyError
    for thread in set(threading.enumerate()) - before:
        thread.join(LONG)
        assert not thread.is_alive()


def test_stopping_keeps_what_is_ready() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 1

    with Prefetcher(endless(), 3) as prefetcher:
        iterator = iter(prefetcher)
        next(iterator)
        prefetcher.stop()
        assert len(list(iterator)) <= 5
