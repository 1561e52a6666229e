"""Boxes as Hugging Face's object detection data sets tell them, in a row of a table or of JSON.

`objects` (or `faces`, or `annotations`) holds `bbox`, x y w h in pixels, and mostly `category`,
`categories` or `category_id`: names or numbers; the table's features tell the numbers' names. It is
one struct of lists, or a list of structs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dartblur.errors import BoxesError
from dartblur.faces import Faces

KEYS = ("objects", "faces", "annotations")
"""Columns of boxes, in the order in which they are looked for."""
_CATEGORIES = ("category", "categories", "category_id")
_IGNORED = ("invalid", "iscrowd")
_FARTHEST = 1e9


def faces_of_row(
    row: Mapping[str, Any], classes: Sequence[str], where: str, names: Sequence[str] = ()
) -> Faces | None:
    """The faces that a row tells of; None where it has no column of boxes.

    Without a category a box is a face. classes: those that are faces, in small letters; a category
    that is a number without a name is known by its number. A box that is `invalid`, a crowd
    (`iscrowd`) or without area is ignored. where: the file and the row, for messages. names: of the
    categories.

    Raises:
        BoxesError: the column is malformed.
    """
    key = next((key for key in KEYS if _has_boxes(row.get(key))), None)
    if key is None:
        return None
    boxes, ignore = [], []
    for each in _each(row[key], where, key):
        category = next((each[name] for name in _CATEGORIES if each.get(name) is not None), None)
        if category is not None and _name(category, names) not in classes:
            continue
        boxes.append(_box(each.get("bbox"), where, key))
        ignore.append(any(each.get(name) for name in _IGNORED))
    found = np.array(boxes, np.float64).reshape(-1, 4)
    sides = np.maximum(found[:, 2:], 0)
    flags = np.array(ignore, np.bool_) | (sides <= 0).any(axis=1)
    return Faces(np.concatenate([found[:, :2], found[:, :2] + sides], axis=1), ignore=flags)


def category_names(features: bytes | None) -> list[str]:
    """The names of the categories, from what `datasets` writes into a table's metadata."""
    try:
        told = json.loads(features or b"{}")["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return []
    for key in KEYS:
        for name in _CATEGORIES:
            names = _class_names(_below(told.get(key), name))
            if names:
                return names
    return []


def _has_boxes(value: Any) -> bool:
    """A column of that name may tell something else: how many there are, say."""
    if isinstance(value, list):
        return all(isinstance(each, Mapping) and "bbox" in each for each in value)
    return isinstance(value, Mapping) and value.get("bbox") is not None


def _each(value: Any, where: str, key: str) -> Iterator[Mapping[str, Any]]:
    """The boxes one by one."""
    if isinstance(value, list):
        yield from value
        return
    lists = {name: each for name, each in value.items() if isinstance(each, list)}
    if "bbox" not in lists:
        raise BoxesError(f"{where}: bbox in {key} is no list; restore the file")
    count = len(lists["bbox"])
    if any(len(each) != count for each in lists.values()):
        raise BoxesError(f"{where}: the lists in {key} differ in length; restore the file")
    for number in range(count):
        yield {name: each[number] for name, each in lists.items()}


def _box(value: Any, where: str, key: str) -> list[float]:
    try:
        box = [float(each) for each in value]
    except (TypeError, ValueError):
        box = []
    # Not a number compares as false.
    if len(box) != 4 or not all(abs(each) < _FARTHEST for each in box):
        raise BoxesError(f"{where}: a bbox in {key} is not x y w h in pixels; restore the file")
    return box


def _name(category: Any, names: Sequence[str]) -> str:
    if isinstance(category, int) and 0 <= category < len(names):
        return names[category].lower()
    return str(category).lower()


def _below(feature: Any, name: str) -> Any:
    """The feature of that name, in a struct or in a list of structs, as versions differ."""
    while isinstance(feature, Mapping) and "feature" in feature:
        feature = feature["feature"]
    if isinstance(feature, list):
        feature = feature[0] if feature else None
    return feature.get(name) if isinstance(feature, Mapping) else None


def _class_names(feature: Any) -> list[str]:
    while isinstance(feature, Mapping) and "feature" in feature:
        feature = feature["feature"]
    names = feature.get("names") if isinstance(feature, Mapping) else None
    return [str(name) for name in names] if isinstance(names, list) else []
