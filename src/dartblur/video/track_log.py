"""What was hidden in each frame of a film, kept in few bytes: for whoever checks the result."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from dartblur import boxes as boxlib
from dartblur.boxes import IntArray
from dartblur.faces import BoolArray, Faces
from dartblur.tracking import Tracked
from dartblur.video.options import VideoOptions

_CHUNK = 500
"""Frames packed at a time; what waits to be packed is bounded by it."""
_TRACK, _FRAME, _SCORE, _SEEN = 0, 1, 6, 7
_FAINT = -1
"""Stands for the track of a faint candidate, which has none."""
_COLUMNS = 8


@dataclass(frozen=True, eq=False)
class FilmTracks:
    """What was hidden in a film, box by box, in the order of its frames.

    size: height and width of the upright picture. base: seconds of one tick. options: with which
    the film was done. pts: (F,) when each frame is shown, in ticks. frames: (N,) number of each
    box's frame, from 0. boxes: (N, 4) the whole pixels that were hidden. scores: (N,). tracks: (N,)
    numbers from 1; 0 of boxes that were given. seen: (N,) False where the tracker filled in.
    faint_frames, faint_boxes, faint_scores: the same of what was nearly taken for a face, and is
    not hidden.
    """

    size: tuple[int, int]
    base: Fraction
    options: VideoOptions
    pts: IntArray
    frames: IntArray
    boxes: IntArray
    scores: npt.NDArray[np.float64]
    tracks: IntArray
    seen: BoolArray
    faint_frames: IntArray
    faint_boxes: IntArray
    faint_scores: npt.NDArray[np.float64]

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """(F,) when each frame is shown, in seconds."""
        return np.asarray(self.pts * float(self.base), np.float64)

    @classmethod
    def unpack(cls, packed: bytes) -> FilmTracks:
        """What a `TrackLog` packed.

        Raises:
            ValueError: it is something else.
        """
        try:
            head, _, content = zlib.decompress(packed).partition(b"\n")
            told = json.loads(head)
            chunks = list(_chunks(np.frombuffer(content, "<i4").astype(np.int64)))
            pts = np.concatenate([np.zeros(0, np.int64), *(pts for pts, _ in chunks)])
            rows = np.concatenate([np.zeros((0, _COLUMNS), np.int64), *(r for _, r in chunks)])
            size = int(told["size"][0]), int(told["size"][1])
            base, options = Fraction(*told["base"]), VideoOptions(**told["options"])
        except (zlib.error, KeyError, TypeError, ValueError, IndexError) as error:
            raise ValueError(f"no tracks of a film: {error}") from error
        # As they were hidden: tracks in their order, and what was given after them.
        order = np.lexsort((rows[:, _TRACK], rows[:, _TRACK] == 0, rows[:, _FRAME]))
        rows = rows[order]
        faint, rows = rows[rows[:, _TRACK] == _FAINT], rows[rows[:, _TRACK] != _FAINT]
        return cls(
            size,
            base,
            options,
            pts,
            rows[:, _FRAME],
            rows[:, 2:6],
            rows[:, _SCORE] / 1000,
            rows[:, _TRACK],
            rows[:, _SEEN] == 1,
            faint[:, _FRAME],
            faint[:, 2:6],
            faint[:, _SCORE] / 1000,
        )


class TrackLog:
    """Takes what is hidden in one frame after another, and packs it.

    Packed are the differences from the row before, rows ordered by track, deflated: a box takes
    some four bytes.
    """

    def __init__(self) -> None:
        self._pack = zlib.compressobj()
        self._packed = bytearray()
        self._pts: list[int] = []
        self._rows: list[IntArray] = []
        self._frames = 0

    def begin(self, size: tuple[int, int], base: Fraction, options: VideoOptions) -> None:
        """To be called before the first frame; arguments are those of `FilmTracks`."""
        head = {"size": size, "base": base.as_integer_ratio(), "options": asdict(options)}
        self._packed += self._pack.compress(json.dumps(head).encode() + b"\n")
        self._size = size

    def add(self, pts: int, tracked: Tracked, faint: Faces) -> None:
        """The next frame, what is hidden in it, and what was nearly; margins included."""
        none = np.full(len(faint), _FAINT)
        for faces, tracks, seen in (
            (tracked.faces, tracked.faces.tracks, tracked.seen),
            (faint, none, none > 0),
        ):
            boxes = boxlib.to_pixels(faces.boxes, *self._size)
            frame = np.full(len(faces), self._frames)
            scores = (faces.scores.astype(np.float64) * 1000).round().astype(np.int64)
            columns = (tracks, frame, *boxes.T, scores, seen.astype(np.int64))
            self._rows.append(np.stack(columns, axis=1))
        self._pts.append(pts)
        self._frames += 1
        if len(self._pts) == _CHUNK:
            self._flush()

    def pack(self) -> bytes:
        """All of it, for `FilmTracks.unpack`; to be called once, at the end."""
        self._flush()
        return bytes(self._packed + self._pack.flush())

    def _flush(self) -> None:
        if not self._pts:
            return
        rows = np.concatenate(self._rows)
        rows = rows[np.lexsort((rows[:, _FRAME], rows[:, _TRACK]))]
        steps = np.diff(rows, axis=0, prepend=np.zeros((1, _COLUMNS), np.int64))
        ticks = np.array(self._pts)
        high, low = ticks >> 31, ticks & (2**31 - 1)
        parts = [np.array([len(ticks), len(rows)]), high, low, steps.T.reshape(-1)]
        self._packed += self._pack.compress(np.concatenate(parts).astype("<i4").tobytes())
        self._pts, self._rows = [], []


def _chunks(values: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
    """The time stamps and the rows of each chunk."""
    at = 0
    while at < len(values):
        frames, count = (int(v) for v in values[at : at + 2])
        ends = np.cumsum([at + 2, frames, frames, count * _COLUMNS])
        high, low, steps = (values[a:b] for a, b in pairwise(ends))
        rows = np.cumsum(steps.reshape(_COLUMNS, count).T, axis=0)
        yield (high << 31) | low, rows
        at = int(ends[-1])
