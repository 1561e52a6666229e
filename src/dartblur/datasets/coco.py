"""COCO: JSON files of pictures, boxes and categories, in `annotations` or beside the pictures."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dartblur.datasets.base import Format, Labelled, below, given, read_text, words
from dartblur.errors import BoxesError, UsageError
from dartblur.faces import Faces

_FARTHEST = 1e9
_KEYS = (b'"images"', b'"annotations"')


def splits(root: Path) -> list[str]:
    """The names of all files of boxes: "instances_val2017", "train"."""
    return [_name_of(root, path) for path in _files(root)]


def labels(root: Path, split: str, classes: Sequence[str]) -> Iterator[Labelled]:
    """The pictures of every file that is named `split`, or else has it among its name's words.

    Only boxes of the categories `classes` are faces; one that is a crowd, or without area, is
    ignored. Annotations without a category (captions) are passed over.

    Raises:
        BoxesError: a file is malformed. UsageError: there is none of that split.
    """
    names = {_name_of(root, path): path for path in _files(root)}
    chosen = [split] if split in names else [name for name in names if split in words(name)]
    if not chosen:
        known = ", ".join(names) or "none"
        raise UsageError(f"{root}: no COCO file of split {split!r}; there are {known}")
    for name in chosen:
        yield from _read(root, names[name], name, classes)


def _files(root: Path) -> list[Path]:
    own = sorted((root / "annotations").glob("*.json"))
    exported = sorted(root.glob("*/_annotations.coco.json"))
    # Any other JSON may lie in a root.
    return [*own, *exported, *(path for path in sorted(root.glob("*.json")) if _is_coco(path))]


def _is_coco(path: Path) -> bool:
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return all(key in content for key in _KEYS)


def _name_of(root: Path, path: Path) -> str:
    # Exports of Roboflow's name every file alike, and the folder after the split.
    alike = path.name == "_annotations.coco.json" and path.parent != root
    return path.parent.name if alike else path.stem


def _read(root: Path, path: Path, name: str, classes: Sequence[str]) -> Iterator[Labelled]:
    content = _content(path)
    wanted = {key for key, called in _categories(path, content) if called.lower() in classes}
    entries: dict[Any, list[Any]] = defaultdict(list)
    for annotation in content["annotations"]:
        if not isinstance(annotation, dict) or "image_id" not in annotation:
            raise BoxesError(f"{path}: an annotation has no image_id: {_short(annotation)}")
        if annotation.get("category_id") in wanted:
            entries[annotation["image_id"]].append(annotation)
    folders = _folders(root, path, name)
    for number, image in enumerate(content["images"]):
        if not isinstance(image, dict) or not isinstance(image.get("file_name"), str):
            raise BoxesError(f"{path}: image {number} has no file_name: {_short(image)}")
        where = f"{path}: {image['file_name']}"
        found = [below(root, folder, image["file_name"], where) for folder in folders]
        there = next((place for place in found if place.is_file()), found[0])
        # The folder of the first picture that is found is asked first for the next.
        folders.insert(0, folders.pop(found.index(there)))
        yield Labelled(there, where, given(_faces(path, entries.pop(image.get("id"), []))))
    if entries:
        raise BoxesError(
            f"{path}: annotations are of image {next(iter(entries))!r}, which is not listed; "
            "restore the file"
        )


def _folders(root: Path, path: Path, name: str) -> list[Path]:
    """Where pictures may lie: COCO's `val2017` beside `annotations`, and what exports do."""
    last = name.rpartition("_")[2]
    places = [root / last, root / "images" / last, root / "images", path.parent, root]
    return [place for place in dict.fromkeys(places) if place.is_dir()] or [root / last]


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path, "COCO JSON"))
    except (ValueError, RecursionError) as error:
        raise BoxesError(f"{path}: is no JSON ({error}); restore the file") from error
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), list) for key in ("images", "annotations")
    ):
        raise BoxesError(f"{path}: not COCO JSON: it needs lists of images and annotations")
    return content


def _categories(path: Path, content: dict[str, Any]) -> list[tuple[Any, str]]:
    try:
        return [(each["id"], str(each["name"])) for each in content.get("categories", ())]
    except (KeyError, TypeError) as error:
        raise BoxesError(f"{path}: a category has no id or no name; restore the file") from error


def _faces(path: Path, entries: list[Any]) -> Faces:
    try:
        boxes = np.array([entry["bbox"] for entry in entries], np.float64).reshape(-1, 4)
        ignore = np.array([bool(entry.get("iscrowd", 0)) for entry in entries], np.bool_)
        if len(boxes) != len(entries) or not (np.abs(boxes) < _FARTHEST).all():
            raise ValueError("a box is not four numbers of pixels")  # noqa: TRY301 - told below
    except (KeyError, TypeError, ValueError) as error:
        told = _short(entries[0]) if len(entries) == 1 else f"one of {len(entries)} annotations"
        raise BoxesError(
            f"{path}: {told} of one image has no bbox of four numbers of pixels; restore the file"
        ) from error
    sides = np.maximum(boxes[:, 2:], 0)
    ignore |= (sides <= 0).any(axis=1)
    return Faces(np.concatenate([boxes[:, :2], boxes[:, :2] + sides], 1), ignore=ignore)


def _short(value: Any) -> str:
    return json.dumps(value, default=str)[:80]


FORMAT = Format("coco", splits, labels)
