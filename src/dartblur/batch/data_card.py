"""The data card of a copy, in Hugging Face's format: what was done, how well, and its limits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any

from dartblur.batch.copier import FILM, MEMBER, OTHER, PICTURE, SIZES
from dartblur.batch.manifest import Row
from dartblur.files import write_atomically

CARD_NAME = "README.md"
# Of docs/benchmark.md: today's detector on the output; trained on it and tested on it; trained on
# it and tested on clear faces.
FIDELITY = {
    "clear": (100.0, 68.8, 68.8),
    "dartblur": (94.9, 69.2, 50.5),
    "gaussian": (71.7, 72.0, 0.9),
    "pixelate": (87.9, 68.5, 29.2),
    "block": (0.9, 73.7, 0.0),
}


@dataclass(frozen=True)
class CardFacts:
    """What the card says besides its counts. settings: as `AnonymizationOptions.described`.

    own_weights: the generator is not the one that is shipped.
    """

    name: str
    formats: Sequence[str]
    hidden: str
    settings: dict[str, Any]
    own_weights: bool = False


def write_card(path: Path, facts: CardFacts, rows: Iterable[Row]) -> None:
    """Writes the card. rows: of the manifest.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    write_atomically(path, _card(facts, _counted(rows)).encode())


@dataclass
class _Counts:
    pictures: int = 0
    with_faces: int = 0
    faces: int = 0
    films: int = 0
    copied: int = 0
    failed: int = 0
    recall: list[list[int]] = field(default_factory=lambda: [[0, 0] for _ in SIZES])


def _counted(rows: Iterable[Row]) -> _Counts:
    counts = _Counts()
    for row in rows:
        counts.failed += row.status == "failed"
        counts.copied += row.kind == OTHER
        counts.films += row.kind == FILM
        if row.kind in (PICTURE, MEMBER):
            counts.pictures += 1
            counts.with_faces += bool(row.boxes)
            counts.faces += len(row.boxes)
        for size, (labelled, found) in enumerate(row.recall):
            counts.recall[size][0] += labelled
            counts.recall[size][1] += found
    return counts


def _card(facts: CardFacts, counts: _Counts) -> str:
    template = Template((Path(__file__).with_name("data_card.md")).read_text(encoding="utf-8"))
    weights = facts.settings["weights"]
    films = f" {counts.films} films, whose faces were followed through time;"
    return template.substitute(
        {**asdict(counts), "films": films if counts.films else ""},
        title=json.dumps(f"{facts.name}, faces hidden"),
        name=facts.name,
        formats=", ".join(facts.formats),
        hidden=_HIDDEN[facts.hidden],
        method=facts.settings["method"],
        detector=facts.settings["detector"],
        version=facts.settings["version"],
        weights=f", weights sha256 `{weights}`" if weights else "",
        recall=_recall_table(counts.recall),
        fidelity=_fidelity_table(str(facts.settings["method"]), own_weights=facts.own_weights),
    )


_HIDDEN = {
    "both": "labelled faces and those that the detector finds",
    "labelled": "labelled faces alone",
    "detected": "faces that the detector finds, whatever the labels say",
}


def _recall_table(recall: Sequence[Sequence[int]]) -> str:
    if not any(labelled for labelled, _ in recall):
        return "Not measured: the source has no labels of faces, or nothing was detected."
    between = [f"{low}–{high}" for low, high in pairwise(SIZES[1:])]
    names = [f"under {SIZES[1]}", *between, f"{SIZES[-1]} and more"]
    rows = [
        f"| {name} | {labelled} | {found / labelled:.3f} |"
        for name, (labelled, found) in zip(names, recall, strict=True)
        if labelled
    ]
    told = (
        "Against the labels of the source; a face is found when 90 % of the middle of its box is "
        "hidden by detected boxes.\n"
    )
    head = ["| height in pixels | labelled faces | found |", "|---|---|---|"]
    return "\n".join([told, *head, *rows])


def _fidelity_table(method: str, *, own_weights: bool) -> str:
    if own_weights or method not in FIDELITY:
        return "Not measured: `dartblur evaluate` does."
    told = (
        "Average precision of a RetinaFace in DartBlur's small protocol (docs/benchmark.md), not "
        "on this data set:\n"
    )
    head = [
        "| | today's detector on the output | trained on it, tested on it | trained on it, "
        "tested on clear faces |",
        "|---|---|---|---|",
    ]
    rows = [
        f"| {name} | {' | '.join(f'{value:.1f}' for value in FIDELITY[name])} |"
        for name in ("clear", method)
    ]
    return "\n".join([told, *head, *rows])
