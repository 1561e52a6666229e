"""What became of one input: the line that the report gets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from dartblur.faces import Faces

# The folders of an absolute path; its last name stays.
_FOLDERS = re.compile(r"(?<![\w./])/(?:[^\s/:;,'\"()]+/)+")


@dataclass(frozen=True)
class Record:
    """One line of the report.

    file: below the output folder, with forward slashes. source: the input as it was named.
    status: done, failed or passed over. boxes: x1, y1, x2, y2, score of each hidden face of a
    picture. faces: of a film, people followed through it. frames: of a film, 0 for a picture.
    seconds: of work. notes: what else differs from the input. by_person: numbers of the
    boxes that a person drew, took or moved in the review.
    """

    file: str
    source: str
    status: str
    faces: int = 0
    boxes: tuple[tuple[float, ...], ...] = ()
    width: int = 0
    height: int = 0
    method: str = ""
    settings: dict[str, Any] | None = None
    seconds: float = 0.0
    error: str | None = None
    frames: int = 0
    notes: tuple[str, ...] = ()
    by_person: tuple[int, ...] = ()

    def to_json(self) -> str:
        """One line of JSON; unusual names are escaped, so that any reader takes it."""
        # Not `asdict`, which copies every number of every box.
        return json.dumps({each.name: getattr(self, each.name) for each in fields(self)})

    def published(self, out: Path) -> Record:
        """The record without any place of this machine: paths are those below the inputs.

        out: the output folder, as it was named.
        """
        named = PurePath(self.source).name
        source = self.file if named == PurePath(self.file).name else named

        def public(text: str) -> str:
            text = text.replace(self.source, source).replace(f"{out}/", "")
            return _FOLDERS.sub("", text)

        return replace(
            self,
            source=source,
            error=None if self.error is None else public(self.error),
            notes=tuple(public(note) for note in self.notes),
        )


def picture_record(
    source: Path, faces: Faces, size: tuple[int, int], notes: Iterable[str] = ()
) -> Record:
    """The record of a picture that is done; its `file` is the source's name.

    size: height and width.
    """
    # In float64: of float32 the digits that were rounded away would come back.
    boxes, scores = faces.boxes.astype(np.float64), faces.scores.astype(np.float64)
    rows = np.concatenate([boxes.round(2), scores[:, None].round(4)], axis=1)
    return Record(
        source.name,
        str(source),
        "done",
        len(faces),
        tuple(map(tuple, rows.tolist())),
        width=size[1],
        height=size[0],
        notes=tuple(notes),
    )
