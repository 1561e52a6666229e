"""The FDDB layout: ten lists of ellipses in `FDDB-folds`, pictures in `originalPics`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from dartblur.errors import BoxesError, UsageError
from dartblur.faces import Faces, Sample

Ellipses = npt.NDArray[np.float64]
FOLDS = tuple(range(1, 11))
_VALUES = 6


@dataclass(frozen=True, eq=False)
class EllipsePicture:
    """One picture and the ellipses around its faces.

    ellipses: (N, 5) half of the major axis, half of the minor axis, angle of the major axis against
    the horizontal in radians, centre x, centre y; in pixels.
    """

    image: Path
    ellipses: Ellipses


def read(root: Path, split: str) -> Iterator[Sample]:
    """Samples of `split`: "all" or "val" for the ten folds, or one fold, "1" to "10".

    A face's box is the extent of its ellipse.

    Raises:
        BoxesError: a list is missing or malformed, or a picture that it names is not there.
        UsageError: there is no such split.
    """
    for picture in read_ellipses(root, split):
        yield Sample(picture.image, Faces(extents(picture.ellipses).astype(np.float32)))


def read_ellipses(root: Path, split: str) -> Iterator[EllipsePicture]:
    """The pictures of `split` with their ellipses as they are; see `read`."""
    for fold in _folds(split):
        yield from _read_fold(root, root / "FDDB-folds" / f"FDDB-fold-{fold:02}-ellipseList.txt")


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
    try:
        lines = labels.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BoxesError(f"{labels}: cannot be read ({error}); expected FDDB's ellipses") from error
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
        image = _image(root, name)
        if image is None:
            raise BoxesError(
                f"{root / name}.jpg: named in {labels}:{at + 1} but neither there nor in "
                "originalPics; restore it or drop its lines"
            )
        yield EllipsePicture(image, np.array(ellipses, np.float64).reshape(-1, 5))
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
    if len(values) != _VALUES or not np.isfinite(values).all() or min(values[:2]) <= 0:
        wanted = "expected two half axes, an angle, a centre x and y, and 1"
        _wrong(labels, at, f"{wanted}, not {row!r}")
    return values[:5]


def _image(root: Path, name: str) -> Path | None:
    places = (root / "originalPics" / f"{name}.jpg", root / f"{name}.jpg")
    return next((place for place in places if place.is_file()), None)


def _wrong(labels: Path, at: int, problem: str) -> NoReturn:
    raise BoxesError(f"{labels}:{at + 1}: {problem}; restore the file")
