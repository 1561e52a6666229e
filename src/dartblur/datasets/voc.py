"""Pascal VOC: a file of XML a picture in `Annotations`, lists of names in `ImageSets/Main`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from dartblur.datasets.base import Format, Labelled, below, read_text
from dartblur.errors import BoxesError, UsageError
from dartblur.faces import Faces
from dartblur.images import PICTURE_SUFFIXES

ALL = "all"
_FARTHEST = 1e9
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def splits(root: Path) -> list[str]:
    """The lists of `ImageSets/Main` but those of one class, and "all", every annotation there."""
    found = {ALL} if _years(root) else set()
    for year in _years(root):
        found |= {path.stem for path in (year / "ImageSets" / "Main").glob("*.txt") if _plain(path)}
    return sorted(found)


def labels(root: Path, split: str, classes: Sequence[str]) -> Iterator[Labelled]:
    """The pictures of `split`; objects and their parts named as one of `classes` are faces.

    A face marked difficult is ignored.

    Raises:
        UsageError: no list of that name is there.
    """
    years = [year for year in _years(root) if split == ALL or _list(year, split).is_file()]
    if not years:
        known = ", ".join(splits(root)) or "none"
        raise UsageError(f"{root}: Pascal VOC without a split {split!r}; there are {known}")
    for year in years:
        for name, where in _names(year, split):
            annotation = below(root, year / "Annotations", f"{name}.xml", where)
            image = _image(root, year, name, where)
            yield Labelled(image, where, partial(_faces, annotation, tuple(classes)), annotation)


def _years(root: Path) -> list[Path]:
    """The folders of annotations: the root, or VOC2007 and VOC2012 of a devkit."""
    places = [root, *sorted(root.glob("VOC*")), *sorted(root.glob("VOCdevkit/VOC*"))]
    return [p for p in places if (p / "Annotations").is_dir() and (p / "JPEGImages").is_dir()]


def _list(year: Path, split: str) -> Path:
    return year / "ImageSets" / "Main" / f"{split}.txt"


def _plain(path: Path) -> bool:
    """A list of one class tells beside each name whether it is there."""
    lines = read_text(path, "a list of Pascal VOC").splitlines()
    return all(len(line.split()) <= 1 for line in lines)


def _names(year: Path, split: str) -> Iterator[tuple[str, str]]:
    """The pictures of a list, each with what names it."""
    if split == ALL and not _list(year, ALL).is_file():
        for path in sorted((year / "Annotations").glob("*.xml")):
            yield path.stem, str(path)
        return
    listed = _list(year, split)
    for number, line in enumerate(read_text(listed, "a list of Pascal VOC").splitlines(), 1):
        if line.strip():
            yield line.strip(), f"{listed}:{number}"


def _image(root: Path, year: Path, name: str, where: str) -> Path:
    usual = below(root, year / "JPEGImages", f"{name}.jpg", where)
    if usual.is_file():
        return usual
    others = (usual.with_name(usual.stem + suffix) for suffix in sorted(PICTURE_SUFFIXES))
    return next((path for path in others if path.is_file()), usual)


def _faces(annotation: Path, classes: tuple[str, ...]) -> Faces:
    text = read_text(annotation, "an annotation of Pascal VOC")
    # Entities could make a small file fill the memory; VOC has none.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise BoxesError(f"{annotation}: declares entities; restore the file")
    try:
        tree = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise BoxesError(f"{annotation}: is no XML ({error}); restore the file") from error
    boxes: list[list[float]] = []
    ignore: list[bool] = []
    for thing in tree.iter("object"):
        for named in (thing, *thing.iter("part")):
            if named.findtext("name", "").strip().lower() in classes:
                boxes.append(_box(annotation, named))
                ignore.append(thing.findtext("difficult", "0").strip() == "1")
    return Faces(np.array(boxes, np.float32), ignore=np.array(ignore, np.bool_))


def _box(annotation: Path, named: ElementTree.Element) -> list[float]:
    """x1 y1 x2 y2, of pixels that VOC counts from 1 with the last one in the box."""
    try:
        x1, y1, x2, y2 = (float(named.findtext(f"bndbox/{side}", "")) for side in _SIDES)
        if not (1 - _FARTHEST < x1 <= x2 < _FARTHEST and 1 - _FARTHEST < y1 <= y2 < _FARTHEST):
            raise ValueError("inverted or not finite")  # noqa: TRY301 - told below
    except ValueError as error:
        name = named.findtext("name", "")
        raise BoxesError(
            f"{annotation}: {name!r} has no bndbox with {', '.join(_SIDES)} in pixels; correct it"
        ) from error
    return [x1 - 1, y1 - 1, x2, y2]


FORMAT = Format("voc", splits, labels, masks=("SegmentationClass", "SegmentationObject"))
