"""Draws how often people are recognized against what detectors learn, a point for each method.

    python scripts/privacy_curve.py ATTACK.json FIDELITY.json ... -o docs/figures/privacy-curve

ATTACK.json: results.json of `dartblur attack`; of each method the strongest attacker of those in it
counts, at 64 pixels. FIDELITY.json: of `dartblur evaluate`; cycle fidelity of RetinaFace, truth f.
A method is drawn where both have it. Writes OUT.png, OUT.svg and a table on standard output.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from dartblur.privacy.methods import CLEAR
from dartblur.privacy.report import strongest
from dartblur.stages.report import markdown, save_figure

Row = dict[str, Any]
# What evaluations and the figure call a way to hide otherwise than attacks do. Of results of before
# there was another default, dartblur is compact.
EVALUATED = {"gaussian-1": "gaussian", "pixelate-8": "pixelate", "dartblur-wide": "wide"}
DRAWN = {"dartblur": "compact", "dartblur-wide": "wide"}
STARTS = {"scratch": "from its ImageNet backbone", "reference": "from f"}


def cycle(rows: Sequence[Row], method: str, start: str) -> list[float]:
    """Average precision of each seed of f_g, trained on the method, on clear pictures."""
    wanted = {
        "trained_on": method, "tested_on": "clear", "truth": "reference", "start": start,
        "detector": "retinaface",
    }  # fmt: skip
    return [row["ap50"] for row in rows if all(row[k] == v for k, v in wanted.items())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("attack", type=Path)
    parser.add_argument("fidelity", type=Path, nargs="+")
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    attack = json.loads(options.attack.read_text())
    chance = 100 / attack["about"]["people"]
    attacked = [row for row in attack["rows"] if row["size"] == 64]
    measured = [row for file in options.fidelity for row in json.loads(file.read_text())["rows"]]
    best = {
        name: strongest([row for row in attacked if row["method"] == name])
        for name in dict.fromkeys(row["method"] for row in attacked)
    }
    drawn = Figure((9, 4.2), layout="constrained")
    lines = []
    for axis, (start, words) in zip(drawn.subplots(1, 2, sharey=True), STARTS.items(), strict=True):
        axis.set_prop_cycle(color=colormaps["tab20"].colors)
        for name, row in best.items():
            values = cycle(measured, EVALUATED.get(name, name), start)
            if not values or name == CLEAR:
                continue
            middle, told = float(np.mean(values)), DRAWN.get(name, name)
            up = [[row["rank1"] - row["rank1_low"]], [row["rank1_high"] - row["rank1"]]]
            along = [[middle - min(values)], [max(values) - middle]]
            axis.errorbar([middle], [row["rank1"]], up, along, marker="o", capsize=2, label=told)
            interval = f"{row['rank1_low']:.0f} to {row['rank1_high']:.0f}"
            by = f"{row['attacker']}, {row['recognizer']}"
            told_row = [told, words, f"{middle:.1f}", f"{row['rank1']:.0f} ({interval})", by]
            lines.append(told_row)
        axis.axhline(chance, color="#7f7f7f", ls=":", lw=1)
        axis.set(title=f"f_g {words}", xlabel="cycle fidelity", xlim=(-3, 100), ylim=(0, None))
    drawn.axes[0].legend(fontsize=8)
    drawn.axes[0].set_ylabel("strongest attacker's rank-1, %")
    save_figure(drawn, options.out)
    print(markdown(["method", "f_g", "cycle", "strongest, rank-1", "attacker"], lines))


if __name__ == "__main__":
    main()
