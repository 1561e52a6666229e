"""The WIDER FACE layout: `WIDER_<split>/images` and one list of boxes a split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dartblur.datasets.base import Format, Labelled, below, given, read_text
from dartblur.errors import BoxesError
from dartblur.faces import Faces

_COLUMNS = 10
_INVALID = 7
_START, _END = "wider_face_", "_bbx_gt.txt"


def splits(root: Path) -> list[str]:
    """Splits ("train", "val") whose lists are there."""
    lists = (root / "wider_face_split").glob(f"{_START}*{_END}")
    return sorted(path.name.removeprefix(_START).removesuffix(_END) for path in lists)


def labels(root: Path, split: str, classes: Sequence[str] = ()) -> Iterator[Labelled]:
    """The pictures of `split`; a face with invalid = 1 or without area is ignored.

    Raises:
        BoxesError: the list is missing or malformed.
    """
    labels = root / "wider_face_split" / f"{_START}{split}{_END}"
    images = root / f"WIDER_{split}" / "images"
    lines = read_text(labels, "WIDER FACE labels").splitlines()
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        where = f"{labels}:{at + 1}"
        image = below(root, images, lines[at].strip(), where)
        count = _count(lines, at + 1, labels)
        # The official list writes one line of zeros below a count of 0.
        rows = lines[at + 2 : at + 2 + max(count, 1)]
        if count == 0 and rows and _is_name(rows[0]):
            rows = []
        if len(rows) < count:
            raise BoxesError(
                f"{labels}:{at + 2}: {count} boxes announced, {len(rows)} left; restore the file"
            )
        faces = _faces(rows[:count], labels, at + 3)
        yield Labelled(image, where, given(faces))
        at += 2 + len(rows)


def _is_name(line: str) -> bool:
    return len(line.split()) < 4


def _count(lines: list[str], at: int, labels: Path) -> int:
    try:
        count = int(lines[at])
    except (IndexError, ValueError):
        raise BoxesError(
            f"{labels}:{at + 1}: expected the number of boxes of {lines[at - 1]!r}"
        ) from None
    if count < 0:
        raise BoxesError(
            f"{labels}:{at + 1}: the number of boxes is {count}; it cannot be negative"
        )
    return count


def _faces(rows: list[str], labels: Path, first_line: int) -> Faces:
    if not rows:
        return Faces.empty()
    table = np.zeros((len(rows), _COLUMNS), np.float32)
    for i, row in enumerate(rows):
        try:
            values = [float(v) for v in row.split()]
        except ValueError:
            values = []
        if not 4 <= len(values) <= _COLUMNS or not np.isfinite(values).all():
            raise BoxesError(
                f"{labels}:{first_line + i}: expected x y w h and up to six flags, not {row!r}"
            )
        table[i, : len(values)] = values
    left_top, sides = table[:, :2], np.maximum(table[:, 2:4], 0)
    ignore = (table[:, _INVALID] > 0) | (sides <= 0).any(axis=1)
    return Faces(np.concatenate([left_top, left_top + sides], axis=1), ignore=ignore)


FORMAT = Format("widerface", splits, labels, keeps=("wider_face_split/*.mat",))
