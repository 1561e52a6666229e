"""What the format of a data set is: where its pictures lie, and how their faces are labelled."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from dartblur.errors import BoxesError
from dartblur.faces import Faces, Sample

FACE_CLASSES = ("face", "head")
"""Names of classes that are taken for faces where nobody says otherwise."""
_SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "validation", "valid", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}


@dataclass(frozen=True)
class Labelled:
    """One picture as a label file names it; it need not be there.

    where: the file, and mostly the line, that names it. faces: reads its labels, in pixels of the
    upright picture; raises BoxesError where they are malformed. text: the file of its labels alone,
    which need not be there; None where `where` tells them. packed: as a `Sample`'s.
    """

    image: Path
    where: str
    faces: Callable[[], Faces]
    text: Path | None = None
    packed: Callable[[], bytes] | None = None


class Labels(Protocol):
    """Reads the labels of one split: (root, split, classes) → pictures in the file's order."""

    def __call__(self, root: Path, split: str, classes: Sequence[str]) -> Iterator[Labelled]:
        """See `Format.labels`."""
        ...


@dataclass(frozen=True)
class Format:
    """One layout of data sets.

    splits: the names of those that lie below a root; none where it is of another format.
    labels: the pictures of a split with their labels, be they there or not; classes (lower case)
        are those that are faces, where the labels tell several.
    has_faces: its labels may tell faces at all.
    keeps: patterns of files that are no text and show nobody: lists in MATLAB's format, say.
    masks: folders of pictures whose pixels are labels.
    packed: pictures lie in shards, and their labels beside them.
    """

    name: str
    splits: Callable[[Path], list[str]]
    labels: Labels
    has_faces: bool = True
    keeps: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    packed: bool = False

    def read(
        self, root: Path, split: str, classes: Sequence[str] = FACE_CLASSES
    ) -> Iterator[Sample]:
        """Every picture of one split, in the order of its label file.

        Boxes are in pixels of the upright picture; a label that scoring passes over is ignored.

        Raises:
            BoxesError: a label file is missing or wrong, or a picture that it names is not there.
            UsageError: there is no such split.
        """
        for labelled in self.labels(root, split, classes):
            if labelled.packed is None and not labelled.image.is_file():
                raise missing(labelled)
            yield Sample(labelled.image, labelled.faces(), labelled.packed)


def given(faces: Faces) -> Callable[[], Faces]:
    """What a label file has told already, as `Labelled.faces`."""
    return partial(_same, faces)


def _same(faces: Faces) -> Faces:
    return faces


def missing(labelled: Labelled) -> BoxesError:
    """What to tell of a picture that is named and not there."""
    return BoxesError(
        f"{labelled.image}: named in {labelled.where} but not there; restore it or drop its label"
    )


def below(root: Path, folder: Path, name: str, where: str) -> Path:
    """The file of that name in a folder, which is `root` or lies below it.

    Raises:
        BoxesError: the name leads out of the root, as a path from / or with too many ../ does.
    """
    steps = folder.relative_to(root).as_posix()
    path = posixpath.normpath(posixpath.join(steps, name.replace("\\", "/")))
    if path.startswith(("/", "../")) or path == ".." or re.match(r"[A-Za-z]:/", path):
        raise BoxesError(
            f"{where}: {name!r} leads out of the data set; put the picture below {root} and name "
            "it from there"
        )
    return root / path


def read_text(labels: Path, expected: str) -> str:
    """The text of a label file.

    Raises:
        BoxesError: it is missing or no text.
    """
    try:
        return labels.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BoxesError(f"{labels}: cannot be read ({error}); expected {expected}") from error


def files_of_splits(
    root: Path, suffixes: tuple[str, ...], without: str = "\0"
) -> dict[str, list[Path]]:
    """Files below a root, by the split that their names or else their folders' tell, or "train".

    suffixes: of those that count. without: a beginning of names of others.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(root.rglob("*")):
        name = path.name.lower()
        if name.endswith(suffixes) and not name.startswith((without, ".")) and path.is_file():
            called = (split_called(step) for step in reversed(path.relative_to(root).parts))
            found.setdefault(next(filter(None, called), "train"), []).append(path)
    return found


def split_called(name: str) -> str | None:
    """The split that a file or folder of that name is of, as `datasets` tells it; None of none."""
    called = (split for word in words(name) for split, names in _SPLITS.items() if word in names)
    return next(called, None)


def words(name: str) -> list[str]:
    """The words of a file's name, in small letters: instances, val of instances_val2017."""
    return re.findall(r"[a-z]+", name.lower())
