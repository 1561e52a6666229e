"""Boxes of a film, out and in, as lines of JSON: one for the film, then one a frame.

::

    {"video": "film.mp4", "width": 1920, "height": 1080}
    {"frame": 0, "time": 0.0, "boxes": [[x1, y1, x2, y2, score, track, seen], ...]}

Frames count from 0 in order of time; boxes are what was hidden, in pixels of the upright picture,
margin included. `score`, `track` (a number from 1) and `seen` (1: detected in this frame, 0: filled
in) may be left out, as may frames without a box.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from dartblur.errors import BoxesError
from dartblur.faces import Faces
from dartblur.tracking import Tracked


def write_head(file: TextIO, name: str, height: int, width: int) -> None:
    """The line of the film itself."""
    file.write(json.dumps({"video": name, "width": width, "height": height}) + "\n")


def write_frame(file: TextIO, number: int, tracked: Tracked) -> None:
    """The line of one frame."""
    faces = tracked.faces
    boxes = [
        [*(round(v, 1) for v in box), round(score, 4), track, int(seen)]
        for box, score, track, seen in zip(
            faces.boxes.tolist(),
            faces.scores.tolist(),
            faces.tracks.tolist(),
            tracked.seen.tolist(),
            strict=True,
        )
    ]
    row = {"frame": number, "time": round(tracked.time, 6), "boxes": boxes}
    file.write(json.dumps(row) + "\n")


class GivenBoxes:
    """The boxes of a film read frame by frame, in constant memory.

    path: of a file as described above.

    Raises:
        BoxesError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size: tuple[int, int] | None = None
        self._tracks: set[int] = set()
        self._unnumbered = 0
        try:
            self._lines = enumerate(path.open(encoding="utf-8"), 1)
        except OSError as error:
            raise BoxesError(f"{path}: cannot be read: {error.strerror}") from error
        self._rows = self._read()
        self._next = next(self._rows, None)

    @property
    def count(self) -> int:
        """Faces read so far: the tracks, and of boxes without one as many as a frame has."""
        return len(self._tracks) + self._unnumbered

    def of_frame(self, number: int) -> Faces:
        """The boxes of one frame; to be asked for in order.

        Raises:
            BoxesError: the file is malformed.
        """
        if self._next is None or self._next[0] != number:
            return Faces.empty()
        faces = self._next[1]
        self._next = next(self._rows, None)
        return faces

    def finish(self, frames: int) -> None:
        """To be called after the last frame.

        Raises:
            BoxesError: there are boxes for frames that the film does not have.
        """
        if self._next is not None:
            raise BoxesError(
                f"{self._path}: has boxes for frame {self._next[0]}, but the film has {frames} "
                "frames; is it another film's?"
            )

    def _read(self) -> Iterator[tuple[int, Faces]]:
        last = -1
        for number, line in self._lines:
            if not line.strip():
                continue
            row = self._row(number, line)
            if "frame" not in row:
                if "height" in row and "width" in row:
                    self.size = (row["height"], row["width"])
                continue
            frame = row["frame"]
            if not isinstance(frame, int) or frame <= last:
                raise BoxesError(
                    f"{self._path}, line {number}: frame {frame!r} is not a number above {last}"
                )
            last = frame
            yield frame, self._faces(number, row)

    def _row(self, number: int, line: str) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BoxesError(f"{self._path}, line {number}: is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise BoxesError(f"{self._path}, line {number}: is not an object of JSON")
        return row

    def _faces(self, number: int, row: dict[str, Any]) -> Faces:
        try:
            rows = [(b[:4], b[4] if len(b) > 4 else 1.0) for b in row.get("boxes", [])]
            tracks = [int(b[5]) if len(b) > 5 else 0 for b in row.get("boxes", [])]
            self._tracks.update(track for track in tracks if track)
            self._unnumbered = max(self._unnumbered, tracks.count(0))
            boxes = np.array([b for b, _ in rows], np.float32)
            return Faces(boxes, np.array([s for _, s in rows], np.float32), tracks=np.array(tracks))
        except (TypeError, ValueError, OverflowError) as error:
            raise BoxesError(
                f"{self._path}, line {number}: boxes must be lists of x1, y1, x2, y2 ({error})"
            ) from error
