"""The one currency of the house: the faces of a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
Image = npt.NDArray[np.uint8]
"""The pixels of a picture, (H, W, 3) uint8 RGB."""

_COLUMNS = ("boxes", "scores", "ignore", "tracks")


@dataclass(frozen=True, eq=False)
class Faces:
    """Faces of one picture, checked when made and read-only afterwards.

    boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of the upright picture, right and bottom exclusive,
        x2 >= x1 and y2 >= y1; may reach beyond the picture.
    scores: (N,) float32 in [0, 1]; 1 for labels (the default).
    ignore: (N,) bool; True where scoring passes over the face (default False); it is
        hidden all the same.
    tracks: (N,) int64; in a film the number of the face's track, from 1; 0 (the default) for none.

    Raises:
        ValueError: a wrong shape, a value not finite, an inverted box, a score out of range or a
            negative track.
    """

    boxes: FloatArray
    scores: FloatArray = None  # type: ignore[assignment]
    ignore: BoolArray = None  # type: ignore[assignment]
    tracks: IntArray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        boxes = np.array(self.boxes, dtype=np.float32)
        if boxes.size == 0:
            boxes = boxes.reshape(0, 4)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"boxes must have shape (N, 4), not {boxes.shape}")
        n = len(boxes)
        scores = _column(self.scores, n, np.ones(n), np.float32, "scores")
        ignore = _column(self.ignore, n, np.zeros(n), np.bool_, "ignore")
        tracks = _column(self.tracks, n, np.zeros(n), np.int64, "tracks")
        if not np.isfinite(boxes).all():
            raise ValueError(f"boxes must be finite: {boxes[~np.isfinite(boxes).all(1)][0]}")
        inverted = (boxes[:, 2] < boxes[:, 0]) | (boxes[:, 3] < boxes[:, 1])
        if inverted.any():
            raise ValueError(f"box {boxes[inverted][0]} is inverted: it must be x1 <= x2, y1 <= y2")
        if not ((scores >= 0) & (scores <= 1)).all():
            raise ValueError(f"scores must lie in [0, 1]: {scores.min()} to {scores.max()}")
        if (tracks < 0).any():
            raise ValueError(f"tracks must not be negative: {tracks.min()}")
        columns = (boxes, scores, ignore, tracks)
        for name, array in zip(_COLUMNS, columns, strict=True):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def empty(cls) -> Faces:
        """No face at all."""
        return cls(np.zeros((0, 4), np.float32))

    @classmethod
    def concatenate(cls, parts: Iterable[Faces]) -> Faces:
        """All faces of all parts, in order."""
        parts = [cls.empty(), *parts]
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in _COLUMNS))

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> Faces:
        """The faces chosen by a mask, by an array of indices or by a slice."""
        return Faces(*(getattr(self, name)[index] for name in _COLUMNS))

    def with_boxes(self, boxes: FloatArray) -> Faces:
        """The same faces, in other boxes (N, 4)."""
        return replace(self, boxes=boxes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Faces):
            return NotImplemented
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in _COLUMNS)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Sample:
    """One picture of a data set and its labelled faces, in pixels of the upright picture.

    image: its file; of a picture in a shard, the shard's path and then its name in there. packed:
    reads the bytes of one in a shard; None for a file.
    """

    image: Path
    faces: Faces
    packed: Callable[[], bytes] | None = field(default=None, compare=False)

    def content(self) -> bytes:
        """The bytes of the picture as it is encoded.

        Raises:
            OSError: the file cannot be read. InputError: the shard is broken.
        """
        return self.image.read_bytes() if self.packed is None else self.packed()


def _column(
    value: npt.ArrayLike | None, n: int, default: npt.NDArray[Any], dtype: type, name: str
) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.array(default if value is None else value, dtype=dtype)
    if array.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), not {array.shape}")
    return array
