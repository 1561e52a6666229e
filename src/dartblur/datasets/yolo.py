"""YOLO as Ultralytics lays it out: data.yaml, `images` and `labels`, one text file a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from dartblur.datasets.base import Format, Labelled, below, read_text
from dartblur.errors import BoxesError, PictureError, UsageError
from dartblur.faces import Faces, FloatArray
from dartblur.images import PICTURE_SUFFIXES

SPLITS = ("train", "val", "test")
_TURNED = range(5, 9)  # of EXIF's orientations
_ORIENTATION = 0x0112
# Ultralytics takes shares up to here, for rounding.
_LARGEST_SHARE = 1.01


def splits(root: Path) -> list[str]:
    """Those of train, val and test that the root's YAML file names."""
    files = _files(root)
    if len(files) != 1:
        return []
    content = _content(files[0])
    return [split for split in SPLITS if content.get(split)]


def labels(root: Path, split: str, classes: Sequence[str]) -> Iterator[Labelled]:
    """The pictures of `split`, which is a folder, a list of pictures, or several of them.

    Boxes, outlines and poses of `classes` are faces, an outline by its extent.

    Raises:
        BoxesError: a list cannot be read, or names what is not below the root.
        UsageError: there is no such split, or not one YAML file that says what there is.
    """
    files = _files(root)
    if len(files) != 1:
        raise UsageError(f"{root}: {len(files)} YAML files say where train and val are; leave one")
    content = _content(files[0])
    if split not in SPLITS or not content.get(split):
        raise UsageError(f"{files[0]}: tells of no split {split!r}")
    wanted = frozenset(n for n, name in _names(files[0], content) if name.lower() in classes)
    base = _base(root, content)
    named = content[split] if isinstance(content[split], list) else [content[split]]
    for each in named:
        for image, where in _images(root, base, str(each), files[0]):
            text = _text_of(root, image)
            faces = partial(_faces, image, text, wanted, _is_pose(content))
            yield Labelled(image, where, faces, text)


def _files(root: Path) -> list[Path]:
    found = sorted([*root.glob("*.yaml"), *root.glob("*.yml")])
    return [path for path in found if {"names", "train"} <= _keys(path)]


def _keys(path: Path) -> set[str]:
    """What stands at the beginning of lines, so that no other YAML must be parsed."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    return {line.partition(":")[0].strip() for line in lines}


def _content(path: Path) -> dict[str, Any]:
    try:
        import yaml
    except ImportError as error:
        raise UsageError(f"{path}: YOLO needs an extra: pip install 'dartblur[dataset]'") from error
    try:
        content = yaml.safe_load(read_text(path, "a YAML file of Ultralytics"))
    except (yaml.YAMLError, RecursionError) as error:
        raise BoxesError(f"{path}: is no YAML ({error}); restore the file") from error
    if not isinstance(content, dict):
        raise BoxesError(f"{path}: does not say where train and val are; restore the file")
    return content


def _names(path: Path, content: dict[str, Any]) -> list[tuple[int, str]]:
    names = content.get("names")
    if isinstance(names, list):
        names = dict(enumerate(names))
    try:
        return [(int(number), str(name)) for number, name in names.items()]  # type: ignore[union-attr]
    except (AttributeError, TypeError, ValueError) as error:
        raise BoxesError(f"{path}: names are no list of classes; correct it") from error


def _is_pose(content: dict[str, Any]) -> bool:
    return "kpt_shape" in content


def leads_elsewhere(root: Path) -> list[str]:
    """What of the YAML file and its lists leads to the root's own place, wherever a copy lies.

    A loader of the copy would read the clear pictures.
    """
    told = []
    for path in _files(root):
        content = _content(path)
        named = [content.get(key) for key in ("path", *SPLITS)]
        flat = [n for value in named for n in (value if isinstance(value, list) else [value])]
        told += [f"{path}: {name}" for name in flat if isinstance(name, str) and name[:1] in "/\\"]
        for name in flat:
            if isinstance(name, str) and name.endswith(".txt") and name[:1] not in "/\\":
                listed = below(root, _base(root, content), name, str(path))
                if listed.is_file() and any(
                    line[:1] in "/\\" for line in read_text(listed, "a list").splitlines() if line
                ):
                    told.append(str(listed))
    return told


def _base(root: Path, content: dict[str, Any]) -> Path:
    """`path` of the YAML file where it lies here; else it tells of another machine's folder."""
    named = str(content.get("path") or ".")
    if named.startswith(("/", "\\")) or ".." in Path(named).parts:
        return root
    return root / named if (root / named).is_dir() else root


def _images(root: Path, base: Path, named: str, told: Path) -> Iterator[tuple[Path, str]]:
    place = _place(root, base, named, str(told))
    if place.suffix == ".txt":
        for number, line in enumerate(read_text(place, "a list of pictures").splitlines(), 1):
            if line.strip():
                where = f"{place}:{number}"
                folder = place.parent if line.startswith("./") else base
                yield _place(root, folder, line.strip(), where), where
        return
    if not place.is_dir():
        raise BoxesError(f"{place}: named in {told} but not there; restore it or correct that")
    for path in sorted(place.rglob("*")):
        if path.suffix.lower() in PICTURE_SUFFIXES:
            yield path, str(_text_of(root, path))


def _place(root: Path, base: Path, named: str, where: str) -> Path:
    # Roboflow's exports say ../train/images and mean the root; others name the root in full.
    named = named.removeprefix(f"{root.resolve()}/").removeprefix(f"{root}/")
    stripped = named.removeprefix("../")
    return below(root, base, stripped if base == root else named, where)


def _text_of(root: Path, image: Path) -> Path:
    """Its labels: the last folder `images` on the way is `labels`."""
    parts = list(image.relative_to(root).parts)
    for at in reversed(range(len(parts) - 1)):
        if parts[at] == "images":
            parts[at] = "labels"
            break
    return root.joinpath(*parts).with_suffix(".txt")


def _faces(image: Path, text: Path, wanted: frozenset[int], is_pose: bool) -> Faces:
    if not text.is_file():
        return Faces.empty()
    rows = [
        _share(row, text, number, is_pose)
        for number, line in enumerate(read_text(text, "labels of YOLO").splitlines(), 1)
        if (row := line.split()) and _class(row, text, number) in wanted
    ]
    if not rows:
        return Faces.empty()
    width, height = _size(image)
    shares = np.stack(rows) * np.array([width, height, width, height], np.float32)
    return Faces(shares.astype(np.float32))


def _class(row: list[str], text: Path, number: int) -> int:
    if not row[0].isdigit():
        raise BoxesError(f"{text}:{number}: begins with {row[0]!r}, not a class's number")
    return int(row[0])


def _share(row: list[str], text: Path, number: int, is_pose: bool) -> FloatArray:
    """x1 y1 x2 y2 as shares of the sides."""
    try:
        values = np.array([float(value) for value in row[1:]], np.float32)
    except ValueError:
        values = np.zeros(0, np.float32)
    if is_pose:
        values = values[:4]
    elif len(values) >= 6 and len(values) % 2 == 0:
        points = values.reshape(-1, 2)
        low, high = points.min(axis=0), points.max(axis=0)
        values = np.concatenate([(low + high) / 2, high - low])
    if len(values) != 4 or not ((values >= 0) & (values <= _LARGEST_SHARE)).all():
        wanted = "a class and x y w h (or an outline) as shares of the sides"
        raise BoxesError(f"{text}:{number}: expected {wanted}, not {' '.join(row)[:80]!r}")
    middle, half = values[:2], values[2:] / 2
    return np.concatenate([middle - half, middle + half]).astype(np.float32)


def _size(path: Path) -> tuple[int, int]:
    """Width and height of the upright picture, from the head of its file."""
    try:
        with path.open("rb") as file, Pillow.open(file) as image:
            turned = image.getexif().get(_ORIENTATION) in _TURNED
            return image.size[::-1] if turned else image.size
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
        raise PictureError(f"{path}: its size cannot be read ({error})") from error


FORMAT = Format("yolo", splits, labels)
