"""Formats of data sets: one description each, and a table from names to them."""

from pathlib import Path

from dartblur.datasets import (
    coco,
    crowdhuman,
    fddb,
    folder,
    huggingface,
    imagefolder,
    voc,
    webdataset,
    widerface,
    yolo,
)
from dartblur.datasets.base import FACE_CLASSES, Format, Labelled
from dartblur.errors import BoxesError, UsageError

FORMATS: dict[str, Format] = {
    each.FORMAT.name: each.FORMAT
    for each in (
        widerface,
        fddb,
        crowdhuman,
        coco,
        yolo,
        voc,
        imagefolder,
        webdataset,
        huggingface,
        folder,
    )
}

__all__ = [
    "FACE_CLASSES",
    "FORMATS",
    "Format",
    "Labelled",
    "format_of",
    "format_with_faces",
    "recognized",
]


def recognized(root: Path) -> Format:
    """The format of the data set below `root`, by its layout; a plain folder where it has none.

    Shards are looked for by `format_with_faces` alone: wherever they lie, they are copied alike.

    Raises:
        UsageError: there is nothing, or it is laid out like several.
    """
    if not root.is_dir():
        raise UsageError(f"{root}: there is no such folder; name the root of a data set")
    layouts = (f for f in FORMATS.values() if f is not folder.FORMAT and not f.packed)
    fitting = [each for each in layouts if each.splits(root)]
    if len(fitting) > 1:
        names = " and ".join(each.name for each in fitting)
        raise UsageError(f"{root}: is laid out as {names}; say which with --format")
    return fitting[0] if fitting else folder.FORMAT


def format_of(root: Path, name: str = "") -> Format:
    """The format of that name, or the one that `root` is laid out in where there is no name.

    Raises:
        UsageError: there is no such format, or the layout is that of several.
    """
    if not name:
        return recognized(root)
    if name not in FORMATS:
        raise UsageError(f"there is no format {name!r}; there are {', '.join(FORMATS)}")
    return FORMATS[name]


def format_with_faces(root: Path, name: str = "") -> Format:
    """`format_of`, for those who learn or judge by labelled faces.

    Raises:
        UsageError: as `format_of`.
        BoxesError: nothing below `root` labels faces.
    """
    found = format_of(root, name)
    if not (name or found.has_faces):
        packed = [each for each in FORMATS.values() if each.packed and each.splits(root)]
        found = packed[0] if len(packed) == 1 else found
    if not found.has_faces:
        layouts = ", ".join(each.name for each in FORMATS.values() if each.has_faces)
        raise BoxesError(
            f"{root}: has no labels of faces in a layout that is known ({layouts}); restore them, "
            "or name the folder that holds them"
        )
    return found
