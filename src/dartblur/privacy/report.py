"""The results of an attack run: JSON, CSV, tables and a figure."""

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
from dartblur.privacy.methods import CLEAR
from dartblur.stages.report import markdown, save_figure

Row = dict[str, Any]
_COLOURS = {"naive": "#56b4e9", "parrot": "#e69f00", "trained": "#0072b2", "inverted": "#d55e00"}


def write_results(run: Path, rows: Sequence[Row], told: dict[str, Any]) -> None:
    """results.json, .csv and .md, and attack.png and .svg."""
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    head = json.dumps(told, indent=1, ensure_ascii=False).replace("\n", "\n ")
    content = f'{{\n "about": {head},\n "rows": [\n{lines}\n ]\n}}\n'
    write_atomically(run / "results.json", content.encode())
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(run / "results.csv", table.getvalue().encode())
    write_atomically(run / "results.md", report(rows, told["people"]).encode())
    save_figure(figure(rows, told["people"]), run / "attack")


def report(rows: Sequence[Row], people: int) -> str:
    """A table for each size and recognizer: rank-1 by method and attacker, in percent.

    The last columns are of the attacker that is strongest by rank-1.
    """
    parts = [f"Chance is {100 / people:.1f} at rank 1 and {500 / people:.1f} at rank 5.\n"]
    for size, recognizer in dict.fromkeys((r["size"], r["recognizer"]) for r in rows):
        here = [r for r in rows if (r["size"], r["recognizer"]) == (size, recognizer)]
        names = [name for name in ATTACKERS if any(r["attacker"] == name for r in here)]
        lines = []
        for method in dict.fromkeys(r["method"] for r in here):
            cells = {r["attacker"]: r for r in here if r["method"] == method}
            best = strongest(list(cells.values()))
            lines.append(
                [
                    method,
                    *(f"{cells[n]['rank1']:.0f}" if n in cells else "–" for n in names),
                    f"{best['attacker']}, {best['rank1_low']:.0f} to {best['rank1_high']:.0f}",
                    f"{best['rank5']:.0f}",
                    f"{best['tar']:.0f}",
                ]
            )
        head = ["method", *names, "strongest, 95 % interval", "rank 5", "TAR at FAR 1 %"]
        parts.append(f"## {size} px, {recognizer}\n\n{markdown(head, lines)}")
    return "\n".join(parts)


def strongest(rows: Sequence[Row]) -> Row:
    """The one of the highest rank-1; the first of those."""
    return max(rows, key=lambda row: float(row["rank1"]))


def figure(rows: Sequence[Row], people: int) -> Figure:
    """A panel for each size and recognizer: bars of rank-1 with intervals, and chance."""
    panels = list(dict.fromkeys((r["size"], r["recognizer"]) for r in rows))
    drawn = Figure((9, 3.2 * len(panels)), layout="constrained")
    axes: list[Axes] = list(drawn.subplots(len(panels), 1, squeeze=False)[:, 0])
    for axis, (size, recognizer) in zip(axes, panels, strict=True):
        here = [r for r in rows if (r["size"], r["recognizer"]) == (size, recognizer)]
        methods = list(dict.fromkeys(r["method"] for r in here))
        for k, name in enumerate(ATTACKERS):
            mine = [r for r in here if r["attacker"] == name]
            x = [methods.index(r["method"]) + 0.2 * (k - 1.5) for r in mine]
            values = [r["rank1"] for r in mine]
            spread = [
                [r["rank1"] - r["rank1_low"] for r in mine],
                [r["rank1_high"] - r["rank1"] for r in mine],
            ]
            axis.bar(x, values, 0.18, color=_COLOURS[name], label=name)
            axis.errorbar(x, values, spread, fmt="none", ecolor="#444444", lw=1)
        axis.axhline(100 / people, color="#7f7f7f", ls=":", lw=1, label="chance")
        axis.set_xticks(range(len(methods)), [m if m != CLEAR else "clear" for m in methods])
        axis.set(ylim=(0, 103), ylabel="rank-1, %", title=f"{size} px across, {recognizer}")
    axes[0].legend(ncols=5, fontsize=8)
    return drawn
