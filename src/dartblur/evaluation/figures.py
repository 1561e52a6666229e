"""The figures of a benchmark: curves, bars, a heat map, and what detectors see in a photo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dartblur.evaluation import results
from dartblur.evaluation.results import (
    CLEAR,
    FIDELITIES,
    RECALLS,
    TRUTHS,
    Fidelity,
    Measure,
    Row,
    Summary,
    Truth,
    summarize,
)
from dartblur.evaluation.tables import Grid, motivation, text_of
from dartblur.faces import Faces, Image
from dartblur.stages.report import save_figure

# Okabe and Ito's, which the colour-blind tell apart.
_COLOURS = {
    CLEAR: "#000000",
    "block": "#d55e00",
    "gaussian": "#56b4e9",
    "pixelate": "#e69f00",
    "dartblur": "#0072b2",
}
_MORE_COLOURS = ("#009e73", "#cc79a7", "#7f7f7f", "#8c564b", "#bcbd22", "#5d3a9b")
_DASHES = {CLEAR: ":", "block": "-.", "gaussian": "--", "pixelate": (0, (3, 1, 1, 1, 1, 1))}
_MEASURES: dict[Measure, str] = {
    "ap50": "average precision at IoU 0.5, %",
    "coco_ap50": "COCO average precision at IoU 0.5, %",
    "coco_ap": "COCO average precision, IoU 0.50:0.95, %",
}


def save_all(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Every figure that the rows can fill, into a folder; returns the files without suffix.

    Raises:
        OSError: a file cannot be written.
    """
    summaries = summarize(rows)
    drawn: dict[str, Figure] = {}
    for truth in dict.fromkeys(row.truth for row in rows):
        here = [row for row in rows if row.truth == truth]
        drawn[f"bars-{truth}"] = bars(summaries, truth)
        for detector, start in dict.fromkeys((row.detector, row.start) for row in here):
            if start == "pretrained":
                continue
            name = f"{detector}-{start}-{truth}"
            drawn[f"curves-{name}"] = curves(summaries, detector, start, truth)
            if any(row.by_height for row in here):
                drawn[f"heights-{name}"] = heights(summaries, detector, start, truth)
            grid = motivation(here, detector, start, truth)
            if len(grid.methods) > 1:
                drawn[f"motivation-{name}"] = heat_map(grid)
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in drawn.items():
        save_figure(figure, folder / name)
    return [folder / name for name in drawn]


def colours(methods: Iterable[str]) -> dict[str, str]:
    """A colour for each method: ours have their own, others take the next free one.

    The same methods in the same order have the same colours in every figure.
    """
    others = [name for name in dict.fromkeys(methods) if name not in _COLOURS]
    return _COLOURS | {n: _MORE_COLOURS[i % len(_MORE_COLOURS)] for i, n in enumerate(others)}


def curves(summaries: Sequence[Summary], detector: str, start: str, truth: Truth) -> Figure:
    """Precision by recall, a panel for each fidelity and a line for each method, mean over seeds.

    summaries: all there are, so that colours agree between figures; operational fidelity is that of
    the pretrained detector of the same name, or of what stands for it.
    """
    palette = colours(s.method for s in summaries)
    figure = Figure((9, 3.6), layout="constrained")
    panels: list[Axes] = list(figure.subplots(1, 3, sharey=True))
    recall = np.linspace(0, 1, RECALLS)
    for panel, fidelity in zip(panels, FIDELITIES, strict=True):
        for s in _chosen(summaries, fidelity, truth):
            if s.detector == detector and s.start in (start, "pretrained"):
                dash = _DASHES.get(s.method, "-")
                panel.plot(recall, s.precision, color=palette[s.method], ls=dash, label=s.method)
        panel.set(title=fidelity, xlabel="recall", xlim=(0, 1), ylim=(0, 1.02))
        panel.grid(alpha=0.25)
    panels[0].set_ylabel("precision")
    _legend(figure, panels)
    figure.suptitle(f"{detector}, truth: {TRUTHS[truth]}")
    return figure


def heights(summaries: Sequence[Summary], detector: str, start: str, truth: Truth) -> Figure:
    """Average precision by height of face, a panel for each fidelity, a line for each method."""
    palette = colours(s.method for s in summaries)
    figure = Figure((9, 3.6), layout="constrained")
    panels: list[Axes] = list(figure.subplots(1, 3, sharey=True))
    for panel, fidelity in zip(panels, FIDELITIES, strict=True):
        for s in _chosen(summaries, fidelity, truth):
            if s.detector == detector and s.start in (start, "pretrained"):
                means = [value.mean for value in s.by_height.values()]
                spreads = [value.spread or 0 for value in s.by_height.values()]
                panel.errorbar(
                    list(s.by_height), means, spreads, color=palette[s.method],
                    ls=_DASHES.get(s.method, "-"), marker="o", capsize=2, label=s.method,
                )  # fmt: skip
        panel.set(title=fidelity, xlabel="height of face, pixels", ylim=(0, 102))
        panel.grid(alpha=0.25)
    panels[0].set_ylabel(_MEASURES["ap50"])
    _legend(figure, panels)
    figure.suptitle(f"{detector}, truth: {TRUTHS[truth]}")
    return figure


def bars(summaries: Sequence[Summary], truth: Truth, measure: Measure = "ap50") -> Figure:
    """A panel for each fidelity, a group for each detector, a bar with spread for each method."""
    palette = colours(s.method for s in summaries)
    figure = Figure((9, 8), layout="constrained")
    panels: list[Axes] = list(figure.subplots(3, 1))
    for panel, fidelity in zip(panels, FIDELITIES, strict=True):
        chosen = _chosen(summaries, fidelity, truth)
        groups = list(dict.fromkeys(_group(s) for s in chosen))
        methods = list(dict.fromkeys(s.method for s in chosen))
        width = 0.84 / max(1, len(methods))
        for s in chosen:
            offset = methods.index(s.method) - (len(methods) - 1) / 2
            _bar(panel, groups.index(_group(s)) + offset * width, width, s, measure, palette)
        panel.set(title=fidelity, ylim=(0, 110), yticks=range(0, 101, 25))
        panel.set_xticks(range(len(groups)), groups)
        panel.set_xlim(-0.5, max(1, len(groups)) - 0.5)
        panel.grid(axis="y", alpha=0.25)
        panel.set_axisbelow(True)
    figure.supylabel(_MEASURES[measure], fontsize="medium")
    _legend(figure, panels)
    figure.suptitle(f"Truth: {TRUTHS[truth]}; whiskers: standard deviation over seeds")
    return figure


def heat_map(grid: Grid, measure: Measure = "ap50") -> Figure:
    """What a detector was trained on (down) by what it is tested on (across), figures in cells."""
    count = len(grid.methods)
    figure = Figure((1.9 + 1.0 * count, 1.4 + 0.75 * count), layout="constrained")
    panel = figure.subplots()
    means = [[np.nan if c is None else c.mean for c in row] for row in grid.figures]
    shown = panel.imshow(np.array(means), cmap="cividis", vmin=0, vmax=100)
    for i, row in enumerate(grid.figures):
        for j, cell in enumerate(row):
            dark = cell is not None and cell.mean < 55
            text = text_of(cell).replace(" ± ", "\n± ")
            panel.text(j, i, text, ha="center", va="center", color="white" if dark else "black")
    names = ["origin" if method == CLEAR else method for method in grid.methods]
    panel.set_xticks(range(count), names)
    panel.set_yticks(range(count), names)
    panel.set(xlabel="tested on", ylabel="trained on", title=grid.detector)
    figure.colorbar(shown, label=_MEASURES[measure])
    return figure


@dataclass(frozen=True)
class Panel:
    """One photo, (H, W, 3) uint8 RGB, with what was found in it."""

    title: str
    image: Image
    faces: Faces


def detections(rows: Sequence[Sequence[Panel]]) -> Figure:
    """Photos with boxes drawn, every panel under its title; rows of one length.

    Raises:
        ValueError: there is no panel, or rows are of several lengths.
    """
    if not rows or not rows[0] or len({len(row) for row in rows}) > 1:
        raise ValueError("rows of panels must be of one length, and at least one panel long")
    height, width = rows[0][0].image.shape[:2]
    side = 2.6
    tall = side * min(2.0, max(0.5, height / max(1, width)))
    figure = Figure((side * len(rows[0]), (tall + 0.3) * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    for panels, places in zip(rows, axes, strict=True):
        for panel, place in zip(panels, places, strict=True):
            _photo(place, panel)
    return figure


def _photo(place: Axes, panel: Panel) -> None:
    # Antialiased: a large photo must not sparkle in a small panel, or pixelation would look worse.
    place.imshow(panel.image, interpolation="antialiased")
    for x1, y1, x2, y2 in panel.faces.boxes.tolist():
        corner = (x1 - 0.5, y1 - 0.5)  # the middle of the first pixel is at 0
        for colour, line in (("black", 2.6), ("#f0e442", 1.2)):
            edge = Rectangle(corner, x2 - x1, y2 - y1, fill=False, ec=colour, lw=line)
            place.add_patch(edge)
    place.set_title(panel.title, fontsize=8)
    place.set_axis_off()


def _bar(
    panel: Axes,
    x: float,
    width: float,
    summary: Summary,
    measure: Measure,
    palette: dict[str, str],
) -> None:
    figure: results.Figure = getattr(summary, measure)
    colour = palette[summary.method]
    panel.bar(x, figure.mean, 0.92 * width, color=colour, label=summary.method)
    if figure.spread is not None:
        panel.errorbar(x, figure.mean, figure.spread, color="#444444", capsize=2, lw=1)
    top = figure.mean + (figure.spread or 0)
    panel.text(x, top + 1.5, f"{figure.mean:.0f}", ha="center", va="bottom", fontsize=7)


def _chosen(summaries: Sequence[Summary], fidelity: Fidelity, truth: Truth) -> list[Summary]:
    return [s for s in summaries if s.fidelity == fidelity and s.truth == truth]


def _group(summary: Summary) -> str:
    if summary.start == "pretrained":
        return summary.detector
    return f"{summary.detector}\nfrom {'f' if summary.start == 'reference' else summary.start}"


def _legend(figure: Figure, panels: Iterable[Axes]) -> None:
    """One for all panels; a method drawn in several is told once."""
    drawn: dict[str, Artist] = {}
    for panel in panels:
        handles, labels = panel.get_legend_handles_labels()
        drawn |= {label: handle for handle, label in zip(handles, labels, strict=True)}
    if drawn:
        place: Literal["outside lower center"] = "outside lower center"
        figure.legend(list(drawn.values()), list(drawn), loc=place, ncols=min(len(drawn), 7))
