"""What a benchmark measured: one row a figure, kept as JSON, and its mean and spread over seeds."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dartblur.config_file import build_config
from dartblur.errors import ConfigError

CLEAR = "clear"
Fidelity = Literal["operational", "post-hoc", "cycle", "cross"]
Truth = Literal["reference", "labels"]
StartKind = Literal["scratch", "reference", "pretrained"]
Measure = Literal["ap50", "coco_ap50", "coco_ap"]
TRUTHS: Mapping[Truth, str] = {
    "reference": "detections on the clear pictures",
    "labels": "labels",
}
FIDELITIES: tuple[Fidelity, ...] = ("operational", "post-hoc", "cycle")
RECALLS = 101


@dataclass(frozen=True)
class Row:
    """One detector, tested once.

    detector: its name. start: what it was trained from: "scratch" (backbone from ImageNet or
        random), "reference" (from f), "pretrained" (not trained here).
    trained_on: a method, or "" for a pretrained detector. tested_on: a method.
    truth: "reference" (what the reference detector finds on the clear picture) or "labels".
    ap50: percent, area under the all-point interpolated curve at IoU 0.5.
    coco_ap50, coco_ap: percent, COCO's at IoU 0.5 and at 0.50:0.95.
    precision: interpolated, in [0, 1], at recall 0, 0.01 .. 1.
    by_height: as ap50, by bands of face heights, see `scoring.HEIGHTS`; without those that no face
        is in.

    Raises:
        ValueError: a figure is out of range, or `trained_on` does not fit `start`.
    """

    detector: str
    start: StartKind
    seed: int
    trained_on: str
    tested_on: str
    truth: Truth
    ap50: float
    coco_ap50: float
    coco_ap: float
    precision: tuple[float, ...]
    by_height: dict[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        figures = {name: getattr(self, name) for name in ("ap50", "coco_ap50", "coco_ap")}
        for name, value in (figures | self.by_height).items():
            if not 0 <= value <= 100:
                raise ValueError(f"{name} must lie in 0 to 100, not {value}")
        if len(self.precision) != RECALLS or not all(0 <= p <= 1 for p in self.precision):
            raise ValueError(f"precision must be {RECALLS} values in [0, 1]")
        if (self.start == "pretrained") != (self.trained_on == ""):
            raise ValueError("trained_on must be empty for a pretrained detector, and only for one")


def is_figure_of(row: Row, fidelity: Fidelity) -> bool:
    """Whether the row is a figure of that fidelity.

    A detector both trained and tested on clear pictures is one of post-hoc and of cycle: it bounds
    both. "cross" are the rows that are none of the three.
    """
    trained = row.trained_on != ""
    if fidelity == "operational":
        return not trained
    if fidelity == "post-hoc":
        return trained and row.trained_on == row.tested_on
    if fidelity == "cycle":
        return trained and row.tested_on == CLEAR
    return trained and row.tested_on not in (row.trained_on, CLEAR)


def only_trained(rows: Iterable[Row]) -> frozenset[str]:
    """The detectors of which no pretrained one was tested.

    The one trained on clear pictures stands for it in operational fidelity.
    """
    rows = list(rows)
    return frozenset(r.detector for r in rows) - {r.detector for r in rows if r.trained_on == ""}


@dataclass(frozen=True)
class Figure:
    """A figure over `n` seeds; spread: the sample standard deviation, None for a single seed."""

    mean: float
    spread: float | None
    n: int


@dataclass(frozen=True)
class Summary:
    """The rows of one setting that differ in their seeds alone.

    method: the one trained on; the one tested on where fidelity is operational. precision: the mean
    curve. by_height: ap50, by bands of face heights.
    """

    detector: str
    start: StartKind
    method: str
    fidelity: Fidelity
    truth: Truth
    ap50: Figure
    coco_ap50: Figure
    coco_ap: Figure
    precision: tuple[float, ...]
    by_height: dict[str, Figure]


def summarize(rows: Iterable[Row]) -> list[Summary]:
    """Mean and spread of the three fidelities, in the order in which the rows begin.

    Operational fidelity of a detector that is only trained here is that of the one trained on clear
    pictures.

    Raises:
        ValueError: one setting has two rows of one seed, which would count as repeats.
    """
    rows = list(rows)
    lacking = only_trained(rows)
    groups: dict[tuple[str, StartKind, str, Fidelity, Truth], list[Row]] = {}
    for row in rows:
        stands_in = row.detector in lacking and row.trained_on == CLEAR
        for fidelity in FIDELITIES:
            operational = fidelity == "operational"
            if is_figure_of(row, fidelity) or (operational and stands_in):
                method = row.tested_on if operational else row.trained_on
                key = (row.detector, row.start, method, fidelity, row.truth)
                groups.setdefault(key, []).append(row)
    return [
        Summary(
            *key,
            figure(group, "ap50"),
            figure(group, "coco_ap50"),
            figure(group, "coco_ap"),
            tuple(np.mean([row.precision for row in group], axis=0).tolist()),
            {
                band: _figure([row.by_height[band] for row in group])
                for band in group[0].by_height
                if all(band in row.by_height for row in group)
            },
        )
        for key, group in groups.items()
    ]


def figure(rows: Sequence[Row], measure: Measure) -> Figure:
    """Mean and spread of rows that differ in their seeds alone, of one row at least.

    Raises:
        ValueError: two rows have one seed.
    """
    if len({row.seed for row in rows}) < len(rows):
        first = rows[0]
        raise ValueError(
            f"{first.detector} from {first.start}, trained on {first.trained_on or 'other data'}, "
            f"tested on {first.tested_on}: two rows have the same seed; leave one out"
        )
    return _figure([float(getattr(row, measure)) for row in rows])


def _figure(values: Sequence[float]) -> Figure:
    spread = statistics.stdev(values) if len(values) > 1 else None
    return Figure(statistics.fmean(values), spread, len(values))


def to_json(rows: Iterable[Row], about: Mapping[str, Any]) -> bytes:
    """JSON, a line for each row; `read` gives back the same rows.

    about: how they came to be: command, seed, commit, machine, configuration, versions.
    """
    lines = ",\n".join("  " + json.dumps(asdict(row), allow_nan=False) for row in rows)
    head = json.dumps(about, indent=1, ensure_ascii=False).replace("\n", "\n ")
    return f'{{\n "about": {head},\n "rows": [\n{lines}\n ]\n}}\n'.encode()


def read(path: Path) -> list[Row]:
    """The rows of a file that `to_json` made.

    Raises:
        ConfigError: the file cannot be read, or a row is not one; the message numbers it.
    """
    try:
        rows = json.loads(path.read_bytes())["rows"]
        listed = [dict(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"{path}: cannot be read as results ({error!r}); give a file that evaluate wrote"
        ) from error
    return [build_config(Row, row, f"{path}: row {i}") for i, row in enumerate(listed, 1)]
