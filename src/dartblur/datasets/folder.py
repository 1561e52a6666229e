"""Plain folders of pictures, a folder a class (ImageFolder) or any other: none tells of faces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dartblur.datasets.base import Format, Labelled, given
from dartblur.errors import UsageError
from dartblur.faces import Faces
from dartblur.images import PICTURE_SUFFIXES

ALL = "all"


def splits(root: Path) -> list[str]:
    """The folders of the root, and "all"."""
    return [ALL, *sorted(path.name for path in root.iterdir() if path.is_dir())]


def labels(root: Path, split: str, classes: Sequence[str] = ()) -> Iterator[Labelled]:
    """The pictures of a folder of the root, or of the whole root, without labels.

    Raises:
        UsageError: there is no such folder.
    """
    if split not in splits(root):
        raise UsageError(f"{root}: there is no folder {split!r}; there are {splits(root)}")
    place = root if split == ALL else root / split
    for path in sorted(place.rglob("*")):
        if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file():
            yield Labelled(path, str(place), given(Faces.empty()))


FORMAT = Format("folder", splits, labels, has_faces=False)
