"""All files of a run, in memory, as the grid sorts, filters and searches them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

SORTS = ("risk", "name", "faces", "faint")
FILTERS = ("undecided", "all", "faint", "changed", "accepted", "failed", "films")
_FIELDS: list[tuple[str, Any]] = [
    ("risk", np.float32), ("faces", np.int32), ("faint", np.int32), ("single", np.int32),
    ("small", np.int32), ("done", np.bool_), ("film", np.bool_), ("accepted", np.bool_),
    ("changed", np.bool_), ("people", np.int32), ("stamp", np.int64),
]  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """What the grid shows of a file.

    risk: expected number of faces that are not hidden. faint: candidates that nobody has judged.
    single: faces that one pass of the detector saw. small: faces of a size of which some are
    missed. people: boxes that a person made. changed: other boxes are to be hidden than the output
    hides. stamp: of the output, so that a new one is shown.
    """

    risk: float = 0.0
    faces: int = 0
    faint: int = 0
    single: int = 0
    small: int = 0
    done: bool = True
    film: bool = False
    accepted: bool = False
    changed: bool = False
    people: int = 0
    stamp: int = 0


@dataclass(frozen=True)
class View:
    """Which files a page shows, and in which order.

    search: what their names hold, in any case.
    """

    sort: str = "risk"
    filter: str = "undecided"
    search: str = ""


@dataclass(frozen=True)
class Slice:
    """Some files of a view. first: place of the first of them, from 0. total: of the view."""

    ids: list[int]
    first: int
    total: int


class Index:
    """The files, each by a number that holds as long as the server runs. For any thread."""

    def __init__(self, files: Sequence[str], entries: Sequence[Entry]) -> None:
        self._files = list(files)
        self._folded = [file.casefold() for file in files]
        self._ids = {file: number for number, file in enumerate(files)}
        self._table = np.array([_values(entry) for entry in entries], dtype=_FIELDS)
        self._lock = Lock()
        self._orders: dict[str, npt.NDArray[np.intp]] = {}

    def __len__(self) -> int:
        return len(self._files)

    def file_of(self, number: int) -> str:
        """The file of that number.

        Raises:
            KeyError: there is none.
        """
        if not 0 <= number < len(self._files):
            raise KeyError(number)
        return self._files[number]

    def id_of(self, file: str) -> int:
        """The number of a file.

        Raises:
            KeyError: the run knows of none.
        """
        return self._ids[file]

    def entry(self, number: int) -> Entry:
        """What the grid shows of a file."""
        with self._lock:
            return Entry(*self._table[number].item())

    def put(self, number: int, entry: Entry) -> None:
        """A file became another."""
        with self._lock:
            self._table[number] = _values(entry)

    def counts(self) -> dict[str, int]:
        """How many files each filter lets through."""
        with self._lock:
            return {name: int(_passing(self._table, name).sum()) for name in FILTERS}

    def changed(self) -> list[int]:
        """The numbers of all files that "apply" is to make anew."""
        with self._lock:
            return np.flatnonzero(self._table["changed"]).tolist()

    def slice(
        self, view: View, count: int, *, after: int = -1, before: int = -1, at: int = -1
    ) -> Slice:
        """The first files of a view, or those after, right before, or from a file on.

        Neighbours keep their places while files leave the view, so that none is passed over.
        """
        order, passing = self._of_view(view)
        places = np.flatnonzero(passing)
        start = 0
        if after >= 0:
            start = int(np.searchsorted(places, self._place(order, after), "right"))
        elif before >= 0:
            end = int(np.searchsorted(places, self._place(order, before), "left"))
            start = max(end - count, 0)
        elif at >= 0:
            start = int(np.searchsorted(places, self._place(order, at), "left"))
            # What follows may have left the view: then what stands last is shown.
            start = min(start, max(len(places) - 1, 0))
        chosen = order[places[start : start + count]]
        return Slice(chosen.tolist(), start, len(places))

    def neighbours(self, view: View, number: int) -> tuple[int | None, int | None]:
        """The files before and after a file in a view, which may have left it meanwhile."""
        order, passing = self._of_view(view)
        places = np.flatnonzero(passing)
        here = self._place(order, number)
        before = int(np.searchsorted(places, here, "left")) - 1
        after = int(np.searchsorted(places, here, "right"))
        return (
            int(order[places[before]]) if before >= 0 else None,
            int(order[places[after]]) if after < len(places) else None,
        )

    def sort_again(self) -> None:
        """Lets the order follow what was decided; until then every file keeps its place."""
        with self._lock:
            self._orders.clear()

    def _of_view(self, view: View) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """All numbers in the view's order, and which of them it shows, (N,) each."""
        with self._lock:
            if view.sort not in self._orders:
                self._orders[view.sort] = self._sorted(view.sort)
            order = self._orders[view.sort]
            passing = _passing(self._table, view.filter)
        if view.search:
            wanted = view.search.casefold()
            passing = passing & np.array([wanted in name for name in self._folded], np.bool_)
        return order, passing[order]

    def _sorted(self, sort: str) -> npt.NDArray[np.intp]:
        if sort == "name":
            return np.arange(len(self._files))
        # What failed shows nothing that could be missed.
        values = np.where(self._table["done"], self._table[sort], -1)
        return np.argsort(-values, kind="stable")

    @staticmethod
    def _place(order: npt.NDArray[np.intp], number: int) -> int:
        found = np.flatnonzero(order == number)
        return int(found[0]) if len(found) else -1


def _passing(table: npt.NDArray[Any], name: str) -> npt.NDArray[np.bool_]:
    passing: dict[str, npt.NDArray[np.bool_]] = {
        "all": np.ones(len(table), np.bool_),
        "undecided": table["done"] & ~table["accepted"],
        "faint": table["faint"] > 0,
        "changed": table["changed"],
        "accepted": table["accepted"],
        "failed": ~table["done"],
        "films": table["film"],
    }
    return passing[name]


def _values(entry: Entry) -> tuple[Any, ...]:
    return tuple(getattr(entry, name) for name, _ in _FIELDS)
