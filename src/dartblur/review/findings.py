"""What the detector saw of each picture, beyond what was hidden; nothing where it was not kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from dartblur.batch.findings import findings_of
from dartblur.batch.ledger import Ledger
from dartblur.review.run import Row

_SLICE = 500


@dataclass(frozen=True)
class Evidence:
    """What the detector saw of a picture.

    threshold: what a score had to reach. seen: how many passes saw each hidden box. faint: x1, y1,
    x2, y2, score, passes of the candidates below the threshold, best first, as they would be
    hidden.
    """

    threshold: float = 0.0
    seen: tuple[int, ...] = ()
    faint: tuple[tuple[float, ...], ...] = ()


def evidence_of(ledger: Ledger, files: Sequence[str]) -> dict[str, Evidence]:
    """What the detector saw of some files, at most 500 of them."""
    keys = {os.fsencode(file): file for file in files}
    found = findings_of(ledger, keys)
    told = {
        keys[key]: Evidence(each.threshold, each.seen, each.faint) for key, each in found.items()
    }
    return {file: told.get(file, Evidence()) for file in files}


def with_evidence(ledger: Ledger, rows: Iterable[Row]) -> Iterator[tuple[Row, Evidence]]:
    """Each file with what the detector saw of it; the ledger is asked for many at a time."""
    source = iter(rows)
    while some := list(islice(source, _SLICE)):
        evidence = evidence_of(ledger, [row.file for row in some])
        yield from ((row, evidence[row.file]) for row in some)
