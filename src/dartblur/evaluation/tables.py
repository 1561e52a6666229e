"""The tables of a benchmark, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dartblur.evaluation.results import (
    CLEAR,
    FIDELITIES,
    TRUTHS,
    Figure,
    Measure,
    Row,
    Summary,
    Truth,
    figure,
    is_figure_of,
    only_trained,
    summarize,
)
from dartblur.stages.report import markdown

T = TypeVar("T")
NOTHING = "–"


def text_of(value: Figure | None) -> str:
    """`84.7`, `84.7 ± 0.3` over several seeds, or a dash where nothing was measured."""
    if value is None:
        return NOTHING
    spread = "" if value.spread is None else f" ± {value.spread:.1f}"
    return f"{value.mean:.1f}{spread}"


def fidelity_table(
    summaries: Sequence[Summary],
    detector: str,
    start: str,
    truth: Truth,
    measure: Measure = "ap50",
) -> str:
    """Methods down; operational, post-hoc and cycle fidelity across, in percent.

    Operational fidelity is that of the pretrained detector of that name, or of what stands for it.
    """
    chosen = [
        s
        for s in summaries
        if s.detector == detector and s.truth == truth and s.start in (start, "pretrained")
    ]
    cells = {(s.method, s.fidelity): getattr(s, measure) for s in chosen}
    rows = [
        [method, *(text_of(cells.get((method, fidelity))) for fidelity in FIDELITIES)]
        for method in _unique(s.method for s in chosen)
    ]
    return markdown(["method", *FIDELITIES], rows)


def height_table(summaries: Sequence[Summary], detector: str, start: str, truth: Truth) -> str:
    """Fidelities and methods down, bands of face heights in pixels across; "" without any."""
    chosen = [
        s
        for s in summaries
        if s.detector == detector and s.truth == truth and s.start in (start, "pretrained")
    ]
    bands = _unique(band for s in chosen for band in s.by_height)
    rows = [
        [f"{fidelity}, {s.method}", *(text_of(s.by_height.get(band)) for band in bands)]
        for fidelity in FIDELITIES
        for s in chosen
        if s.fidelity == fidelity
    ]
    return markdown(["faces of so many pixels", *bands], rows) if bands else ""


def operational_table(summaries: Sequence[Summary], truth: Truth, measure: Measure = "ap50") -> str:
    """Methods down, detectors across: operational fidelity in percent."""
    chosen = [s for s in summaries if s.fidelity == "operational" and s.truth == truth]
    detectors = _unique(s.detector for s in chosen)
    cells = {(s.method, s.detector): getattr(s, measure) for s in chosen}
    rows = [
        [method, *(text_of(cells.get((method, detector))) for detector in detectors)]
        for method in _unique(s.method for s in chosen)
    ]
    return markdown(["method", *detectors], rows)


@dataclass(frozen=True)
class Grid:
    """Figures of one detector by the methods it was trained on (down) and tested on (across)."""

    detector: str
    methods: tuple[str, ...]
    figures: tuple[tuple[Figure | None, ...], ...]


def motivation(
    rows: Iterable[Row], detector: str, start: str, truth: Truth, measure: Measure = "ap50"
) -> Grid:
    """Pairs of a training and a test method: clear first, then all that have a cross figure.

    Those figures do not count that stand for operational fidelity.
    """
    rows = list(rows)
    stands_in = detector in only_trained(rows)
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        here = row.detector == detector and row.start == start and row.truth == truth
        if here and not is_figure_of(row, "operational"):
            cells.setdefault((row.trained_on, row.tested_on), []).append(row)
    crossed = [
        pair
        for pair, group in cells.items()
        if is_figure_of(group[0], "cross") and not (stands_in and pair[0] == CLEAR)
    ]
    methods = tuple(_unique([CLEAR, *(name for pair in crossed for name in pair)]))
    figures = tuple(
        tuple(figure(cells[a, b], measure) if (a, b) in cells else None for b in methods)
        for a in methods
    )
    return Grid(detector, methods, figures)


def motivation_table(grid: Grid) -> str:
    """The grid, trained on down and tested on across."""
    rows = [
        [name, *(text_of(value) for value in values)]
        for name, values in zip(grid.methods, grid.figures, strict=True)
    ]
    return markdown(["trained on \\ tested on", *grid.methods], rows)


def report(rows: Sequence[Row], measure: Measure = "ap50") -> str:
    """Every table that the rows can fill, each under a heading."""
    summaries = summarize(rows)
    parts = []
    for truth, by in TRUTHS.items():
        here = [row for row in rows if row.truth == truth]
        trained = _unique((row.detector, row.start) for row in here if row.start != "pretrained")
        for detector, start in trained:
            head = f"{detector}, trained from {start}, by {by}"
            table = fidelity_table(summaries, detector, start, truth, measure)
            parts.append(f"## {head}\n\n{table}")
            if by_height := height_table(summaries, detector, start, truth):
                parts.append(f"## {head}: by height of face\n\n{by_height}")
            grid = motivation(here, detector, start, truth, measure)
            if len(grid.methods) > 1:
                parts.append(f"## {head}: trained on × tested on\n\n{motivation_table(grid)}")
        if any(s.fidelity == "operational" and s.truth == truth for s in summaries):
            table = operational_table(summaries, truth, measure)
            parts.append(f"## Operational fidelity of every detector, by {by}\n\n{table}")
            lacking = sorted(only_trained(here))
            if lacking:
                parts.append(f"Of {', '.join(lacking)}: the one trained on clear pictures.\n")
    return "\n".join(parts)


def _unique(items: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(items))
