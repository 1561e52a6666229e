"""The FDDB layout: ten lists of ellipses in `FDDB-folds`, pictures in `originalPics`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from dartblur.errors import BoxesError, PictureError, UsageError
from dartblur.faces import Faces, Sample

Ellipses = npt.NDArray[np.float64]
Size = tuple[int, int]
FOLDS = tuple(range(1, 11))
_VALUES = 6
_LARGEST = 10_000  # pixels; FDDB's pictures are no larger than 450


@dataclass(frozen=True, eq=False)
class EllipsePicture:
    """One picture and the ellipses around its faces.

    name: as in the lists and in published detections. image: where it is or should be.
    ellipses: (N, 5) half of the major axis, half of the minor axis, angle of the major axis against
    the horizontal in radians, centre x, centre y; in pixels.
    """

    name: str
    image: Path
    ellipses: Ellipses

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


def read(root: Path, split: str) -> Iterator[Sample]:
    """Samples of `split`: "all" or "val" for the ten folds, or one fold, "1" to "10".

    A face's box is the extent of its ellipse.

    Raises:
        BoxesError: a list is missing or malformed, or a picture that it names is not there.
        UsageError: there is no such split.
    """
    for picture in read_ellipses(root, split):
        yield Sample(picture.image, Faces(extents(picture.ellipses).astype(np.float32)))


def read_ellipses(
    root: Path, split: str, *, without_pictures: bool = False
) -> Iterator[EllipsePicture]:
    """The pictures of `split` with their ellipses as they are; see `read`.

    without_pictures: the lists alone are enough, to score detections that were made elsewhere.
    """
    for fold in _folds(split):
        labels = root / "FDDB-folds" / f"FDDB-fold-{fold:02}-ellipseList.txt"
        for line, picture in _read_fold(root, labels):
            if not (without_pictures or picture.image.is_file()):
                raise BoxesError(
                    f"{root / picture.name}.jpg: named in {labels}:{line} but neither there nor "
                    "in originalPics; restore it or drop its lines"
                )
            yield picture


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


def _read_fold(root: Path, labels: Path) -> Iterator[tuple[int, EllipsePicture]]:
    """The pictures of a list, each with the line, from 1, that names it."""
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
        rows_of_five = np.array(ellipses, np.float64).reshape(-1, 5)
        yield at + 1, EllipsePicture(name, _image(root, name), rows_of_five)
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


def _image(root: Path, name: str) -> Path:
    usual, beside = root / "originalPics" / f"{name}.jpg", root / f"{name}.jpg"
    return beside if beside.is_file() else usual


def _wrong(labels: Path, at: int, problem: str) -> NoReturn:
    raise BoxesError(f"{labels}:{at + 1}: {problem}; restore the file")
