"""What a search saw in each picture beside what it hid: for whoever checks the result.

It lies in the ledger, which is private, and in no report.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from dartblur.batch.ledger import Ledger
from dartblur.detectors import Evidence
from dartblur.video import FilmTracks


@dataclass(frozen=True)
class Finding:
    """What a detector saw in one picture.

    threshold: the least score of a face. passes: how many the detector makes. seen: for each box of
    the picture's record, in its order, how many passes saw it; 0 where no detector did. faint: x1,
    y1, x2, y2, score and passes that saw it, of each box that scored less than the threshold and at
    least half of it, best first; with its margin, as it would be hidden.
    """

    threshold: float
    passes: int
    seen: tuple[int, ...] = ()
    faint: tuple[tuple[float, ...], ...] = ()

    @classmethod
    def of(cls, evidence: Evidence) -> Finding:
        """What is to be remembered of a detector's evidence."""
        boxes = evidence.faint.boxes.astype(np.float64).round(2).tolist()
        scores = evidence.faint.scores.astype(np.float64).round(4).tolist()
        rows = zip(boxes, scores, evidence.faint_seen.tolist(), strict=True)
        faint = tuple((*box, score, seen) for box, score, seen in rows)
        return cls(evidence.threshold, evidence.passes, tuple(evidence.seen.tolist()), faint)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Finding:
        """What `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            told = json.loads(text)
            faint = tuple((*map(float, row[:5]), int(row[5])) for row in told["faint"])
            return cls(
                float(told["threshold"]), int(told["passes"]), tuple(map(int, told["seen"])), faint
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ValueError(f"not a finding: {error}") from error


def findings_of(ledger: Ledger, outputs: Iterable[bytes]) -> dict[bytes, Finding]:
    """What is known of these pictures, by the names of their outputs.

    Nothing of films, of pictures with given boxes alone, and of what earlier versions made.
    """
    return {
        output: Finding.from_json(text)
        for output, text in ledger.findings(outputs).items()
        if isinstance(text, str)
    }


def tracks_of(ledger: Ledger, output: bytes) -> FilmTracks | None:
    """What was hidden in each frame of a film, by the name of its output; None if it is not known.

    Raises:
        ValueError: what is remembered of it is damaged.
    """
    packed = ledger.findings([output]).get(output)
    return FilmTracks.unpack(packed) if isinstance(packed, bytes) else None
