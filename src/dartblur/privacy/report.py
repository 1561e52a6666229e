"""The results of an attack run: JSON, CSV, tables and figures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dartblur.files import write_atomically
from dartblur.privacy.attackers import ATTACKERS
from dartblur.privacy.comparing import STRONGEST
from dartblur.stages.report import markdown, save_figure

Row = dict[str, Any]


def write_results(
    run: Path,
    rows: Sequence[Row],
    paired: Sequence[Row],
    recovered: Sequence[Row],
    told: dict[str, Any],
) -> None:
    """Of rows of attacks, of `compared`, and of `Restored.told`.

    results.json, .csv and .md, attack.png and .svg, and of several sizes also sizes.png.
    """
    lines, pairs, nearness = (_json_lines(each) for each in (rows, paired, recovered))
    head = json.dumps(told, indent=1, ensure_ascii=False).replace("\n", "\n ")
    content = (
        f'{{\n "about": {head},\n "rows": {lines},\n "paired": {pairs},\n'
        f' "recovered": {nearness}\n}}\n'
    )
    write_atomically(run / "results.json", content.encode())
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(run / "results.csv", table.getvalue().encode())
    content = report(rows, paired, recovered, told["people"])
    write_atomically(run / "results.md", content.encode())
    save_figure(figure(rows, told["people"]), run / "attack")
    if len({row["size"] for row in rows}) > 1:
        save_figure(sizes_figure(rows, told["people"]), run / "sizes")


def report(
    rows: Sequence[Row], paired: Sequence[Row], recovered: Sequence[Row], people: int
) -> str:
    """A table for each size and recognizer: rank-1 by method and attacker, in percent.

    The attackers' columns are of faces aligned by the clear photos, where that was attacked; then
    the one that is strongest by rank-1 with each alignment, and more of the first of these.
    At last, generators beside their own blur, and how near hidden and recovered faces come to the
    clear ones.
    """
    parts = [f"Chance is {100 / people:.1f} at rank 1 and {500 / people:.1f} at rank 5.\n"]
    alignments = list(dict.fromkeys(r["alignment"] for r in rows))
    for size, recognizer in dict.fromkeys((r["size"], r["recognizer"]) for r in rows):
        here = [r for r in rows if (r["size"], r["recognizer"]) == (size, recognizer)]
        names = [name for name in ATTACKERS if any(r["attacker"] == name for r in here)]
        lines = []
        for method in dict.fromkeys(r["method"] for r in here):
            aligned = [
                [r for r in here if (r["method"], r["alignment"]) == (method, a)]
                for a in alignments
            ]
            cells = {r["attacker"]: r for r in aligned[0]}
            best = strongest(aligned[0])
            lines.append(
                [
                    method,
                    *(f"{cells[n]['rank1']:.0f}" if n in cells else "–" for n in names),
                    *(_with_interval(strongest(mine)) for mine in aligned),
                    f"{best['rank5']:.0f}",
                    f"{best['tar']:.0f}",
                ]
            )
        columns = [f"strongest, aligned by the {a} photo" for a in alignments]
        head = ["method", *names, *columns, "rank 5", "TAR at FAR 1 %"]
        parts.append(f"## {size} px, {recognizer}\n\n{markdown(head, lines)}")
    if paired:
        parts.append(f"## Generators beside their own blur\n\n{_beside(paired)}")
    if recovered:
        parts.append(f"## Recovered faces\n\n{_nearness(recovered)}")
    return "\n".join(parts)


def _beside(paired: Sequence[Row]) -> str:
    names = [name for name in (*ATTACKERS, STRONGEST) if any(r["attacker"] == name for r in paired)]
    keys = ("method", "than", "size", "recognizer", "alignment")
    lines = []
    for place in dict.fromkeys(tuple(row[key] for key in keys) for row in paired):
        cells = {r["attacker"]: r for r in paired if tuple(r[key] for key in keys) == place}
        told = (
            f"{round(row['difference']):+d} ({round(row['low'])} to {round(row['high'])})"
            if (row := cells.get(name))
            else "–"
            for name in names
        )
        lines.append([f"{place[0]} − {place[1]}", *map(str, place[2:]), *told])
    return markdown(["methods", "px", "recognizer", "alignment", *names], lines)


def _nearness(recovered: Sequence[Row]) -> str:
    head = ["method", "px", "PSNR, dB", "SSIM", "distance", "photos"]
    lines = []
    for row in recovered:
        pairs = [
            (row["hidden"][name], row["recovered"][name]) for name in ("psnr", "ssim", "distance")
        ]
        (a, b), *others = pairs
        cells = [f"{a:.1f} → {b:.1f}", *(f"{x:.2f} → {y:.2f}" for x, y in others)]
        lines.append([row["method"], str(row["size"]), *cells, str(row["photos"])])
    return markdown(head, lines)


def _json_lines(rows: Sequence[Row]) -> str:
    return "[\n" + ",\n".join("  " + json.dumps(row) for row in rows) + "\n ]"


def strongest(rows: Sequence[Row]) -> Row:
    """The one of the highest rank-1; the first of those."""
    return max(rows, key=lambda row: float(row["rank1"]))


def figure(rows: Sequence[Row], people: int) -> Figure:
    """A panel for each size, recognizer and alignment: rank-1 with intervals, and chance."""
    panels = list(dict.fromkeys(map(_panel, rows)))
    drawn = Figure((9, 3.2 * len(panels)), layout="constrained")
    axes: list[Axes] = list(drawn.subplots(len(panels), 1, squeeze=False)[:, 0])
    for axis, panel in zip(axes, panels, strict=True):
        here = [r for r in rows if _panel(r) == panel]
        methods = list(dict.fromkeys(r["method"] for r in here))
        wide = 0.8 / len(ATTACKERS)
        for k, name in enumerate(ATTACKERS):
            mine = [r for r in here if r["attacker"] == name]
            x = [methods.index(r["method"]) + wide * (k - (len(ATTACKERS) - 1) / 2) for r in mine]
            values = [r["rank1"] for r in mine]
            axis.bar(x, values, 0.9 * wide, color=f"C{k}", label=name)
            axis.errorbar(x, values, _spread(mine), fmt="none", ecolor="#444444", lw=1)
        axis.axhline(100 / people, color="#7f7f7f", ls=":", lw=1, label="chance")
        axis.set_xticks(range(len(methods)), methods)
        size, recognizer, alignment = panel
        title = f"{size} px across, {recognizer}, aligned by the {alignment} photo"
        axis.set(ylim=(0, 103), ylabel="rank-1, %", title=title)
    axes[0].legend(ncols=len(ATTACKERS) + 1, fontsize=8)
    return drawn


def sizes_figure(rows: Sequence[Row], people: int) -> Figure:
    """A panel for each recognizer: the strongest attacker's rank-1 on each method by size."""
    recognizers = list(dict.fromkeys(r["recognizer"] for r in rows))
    drawn = Figure((9, 3.2 * len(recognizers)), layout="constrained")
    axes: list[Axes] = list(drawn.subplots(len(recognizers), 1, squeeze=False)[:, 0])
    for axis, recognizer in zip(axes, recognizers, strict=True):
        here = [r for r in rows if r["recognizer"] == recognizer]
        for method in dict.fromkeys(r["method"] for r in here):
            mine = [r for r in here if r["method"] == method]
            sizes = sorted({r["size"] for r in mine})
            best = [strongest([r for r in mine if r["size"] == size]) for size in sizes]
            values = [r["rank1"] for r in best]
            axis.errorbar(sizes, values, _spread(best), marker="o", ms=3, capsize=2, label=method)
        axis.axhline(100 / people, color="#7f7f7f", ls=":", lw=1, label="chance")
        axis.set_xscale("log", base=2)
        axis.set_xticks(sizes, [str(size) for size in sizes])
        axis.set(ylim=(0, 103), ylabel="strongest, rank-1, %", xlabel="pixels across the face")
        axis.set_title(recognizer)
    axes[0].legend(ncols=4, fontsize=8)
    return drawn


def _panel(row: Row) -> tuple[Any, ...]:
    return row["size"], row["recognizer"], row["alignment"]


def _spread(rows: Sequence[Row]) -> list[list[float]]:
    """How far intervals reach below and above the values."""
    return [
        [r["rank1"] - r["rank1_low"] for r in rows],
        [r["rank1_high"] - r["rank1"] for r in rows],
    ]


def _with_interval(row: Row) -> str:
    low, high = row["rank1_low"], row["rank1_high"]
    return f"{row['attacker']}, {row['rank1']:.0f} ({low:.0f} to {high:.0f})"
