"""The FDDB layout: ten lists of ellipses in `FDDB-folds`, pictures in `originalPics`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from dartblur.datasets.base import Format, Labelled, below, given, read_text
from dartblur.errors import BoxesError, PictureError, UsageError
from dartblur.faces import Faces

Ellipses = npt.NDArray[np.float64]
Size = tuple[int, int]
FOLDS = tuple(range(1, 11))
_VALUES = 6
_LARGEST = 10_000  # pixels; FDDB's pictures are no larger than 450


@dataclass(frozen=True, eq=False)
class EllipsePicture:
    """One picture and the ellipses around its faces.

    name: as in the lists and in published detections. image: where it is or should be. where: list
    and line that name it.
    ellipses: (N, 5) half of the major axis, half of the minor axis, angle of the major axis against
    the horizontal in radians, centre x, centre y; in pixels.
    """

    name: str
    image: Path
    ellipses: Ellipses
    where: str

    def size(self) -> Size | None:
        """Height and width, from the head of the file; None where the picture is not there.

        Raises:
            PictureError: it cannot be read.
        """
        if not self.image.is_file():
            return None
        try:
            with Pillow.open(self.image) as image:
                return image.height, image.width
        except (OSError, Pillow.DecompressionBombError) as error:
            raise PictureError(f"{self.image}: its size cannot be read ({error})") from error


def splits(root: Path) -> list[str]:
    """All ten folds, or those that are there."""
    there = [str(fold) for fold in FOLDS if _list_of(root, fold).is_file()]
    return ["all"] if len(there) == len(FOLDS) else there


def labels(root: Path, split: str, classes: Sequence[str] = ()) -> Iterator[Labelled]:
    """The pictures of `split`: "all" or "val" for the ten folds, or one fold, "1" to "10".

    A face's box is the extent of its ellipse.

    Raises:
        BoxesError: a list is missing or malformed.
        UsageError: there is no such split.
    """
    for picture in read_ellipses(root, split):
        faces = Faces(extents(picture.ellipses).astype(np.float32))
        yield Labelled(picture.image, picture.where, given(faces))


def read_ellipses(root: Path, split: str) -> Iterator[EllipsePicture]:
    """The pictures of `split`, be they there or not, with their ellipses as they are.

    Raises:
        BoxesError: a list is missing or malformed.
        UsageError: there is no such split.
    """
    for fold in _folds(split):
        yield from _read_fold(root, _list_of(root, fold))


def _list_of(root: Path, fold: int) -> Path:
    return root / "FDDB-folds" / f"FDDB-fold-{fold:02}-ellipseList.txt"


def extents(ellipses: Ellipses) -> npt.NDArray[np.float64]:
    """The smallest upright boxes around ellipses, (N, 4) x1 y1 x2 y2."""
    major, minor, angle, x, y = ellipses.T
    cosine, sine = np.cos(angle), np.sin(angle)
    half_width = np.hypot(major * cosine, minor * sine)
    half_height = np.hypot(major * sine, minor * cosine)
    return np.stack([x - half_width, y - half_height, x + half_width, y + half_height], 1)


def _folds(split: str) -> tuple[int, ...]:
    if split in ("all", "val"):
        return FOLDS
    if split in map(str, FOLDS):
        return (int(split),)
    raise UsageError(f"FDDB has no split {split!r}; take all, val or a fold from 1 to 10")


def _read_fold(root: Path, labels: Path) -> Iterator[EllipsePicture]:
    """The pictures of a list."""
    lines = read_text(labels, "FDDB's ellipses").splitlines()
    at = 0
    while at < len(lines):
        name = lines[at].strip()
        if not name:
            at += 1
            continue
        count = _count(lines, at + 1, labels)
        rows = lines[at + 2 : at + 2 + count]
        if len(rows) < count:
            _wrong(labels, at + 1, f"{count} ellipses announced, {len(rows)} left")
        ellipses = [_ellipse(row, labels, at + 2 + i) for i, row in enumerate(rows)]
        rows_of_five = np.array(ellipses, np.float64).reshape(-1, 5)
        where = f"{labels}:{at + 1}"
        yield EllipsePicture(name, _image(root, name, where), rows_of_five, where)
        at += 2 + count


def _count(lines: list[str], at: int, labels: Path) -> int:
    text = lines[at].strip() if at < len(lines) else ""
    if not (text.isascii() and text.isdigit()):
        _wrong(labels, at, f"expected the number of ellipses, not {text!r}")
    return int(text)


def _ellipse(row: str, labels: Path, at: int) -> list[float]:
    try:
        values = [float(v) for v in row.split()]
    except ValueError:
        values = []
    if len(values) != _VALUES or not _is_plausible(values):
        wanted = "expected two half axes, an angle, a centre x and y, and 1"
        _wrong(labels, at, f"{wanted}, not {row!r}")
    return values[:5]


def _is_plausible(values: list[float]) -> bool:
    return bool(np.abs(values).max() <= _LARGEST) and min(values[:2]) > 0  # NaN is neither


def _image(root: Path, name: str, where: str) -> Path:
    usual = below(root, root / "originalPics", f"{name}.jpg", where)
    beside = below(root, root, f"{name}.jpg", where)
    return beside if beside.is_file() else usual


def _wrong(labels: Path, at: int, problem: str) -> NoReturn:
    raise BoxesError(f"{labels}:{at + 1}: {problem}; restore the file")


FORMAT = Format("fddb", splits, labels)
