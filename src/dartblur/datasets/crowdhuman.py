"""The CrowdHuman layout: `annotation_<split>.odgt`, a line of JSON a picture, and `Images`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dartblur.datasets.base import Format, Labelled, below, given, read_text
from dartblur.errors import BoxesError
from dartblur.faces import Faces

_PERSON = "person"
_START, _END = "annotation_", ".odgt"
_FARTHEST = 1e9


def splits(root: Path) -> list[str]:
    """Splits ("train", "val") whose annotations are there."""
    lists = root.glob(f"{_START}*{_END}")
    return sorted(path.name.removeprefix(_START).removesuffix(_END) for path in lists)


def labels(root: Path, split: str, classes: Sequence[str] = ()) -> Iterator[Labelled]:
    """The pictures of `split` with their head boxes.

    A head is ignored where the entry is no person (a "mask" over a crowd, a statue, a reflection),
    where it or its head is marked `ignore`, and where it has no area.

    Raises:
        BoxesError: the file is missing or malformed.
    """
    labels = root / f"{_START}{split}{_END}"
    for number, line in enumerate(read_text(labels, "CrowdHuman's annotations").splitlines(), 1):
        if not line.strip():
            continue
        where = f"{labels}:{number}"
        record = _record(line, where)
        image = below(root, root / "Images", f"{record['ID']}.jpg", where)
        yield Labelled(image, where, given(_faces(record["gtboxes"], where)))


def _record(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BoxesError(f"{where}: is no JSON ({error}); restore the file") from error
    if not isinstance(record, dict) or not isinstance(record.get("ID"), str):
        raise BoxesError(f"{where}: expected an object with the picture's ID; restore the file")
    if not isinstance(record.get("gtboxes"), list):
        raise BoxesError(f"{where}: {record['ID']} has no list gtboxes; restore the file")
    return record


def _faces(entries: list[Any], where: str) -> Faces:
    boxes = np.zeros((len(entries), 4), np.float32)
    ignore = np.zeros(len(entries), np.bool_)
    for i, entry in enumerate(entries):
        box = _head(entry)
        if box is None:
            raise BoxesError(
                f"{where}: entry {i + 1} of gtboxes has no hbox of four numbers of pixels: "
                f"{json.dumps(entry)[:80]}; restore the file"
            )
        boxes[i] = box
        marked = any(_is_marked(entry.get(name)) for name in ("extra", "head_attr"))
        ignore[i] = entry.get("tag") != _PERSON or marked
    sides = np.maximum(boxes[:, 2:], 0)
    ignore |= (sides <= 0).any(axis=1)
    return Faces(np.concatenate([boxes[:, :2], boxes[:, :2] + sides], 1), ignore=ignore)


def _head(entry: Any) -> list[float] | None:
    box = entry.get("hbox") if isinstance(entry, dict) else None
    if not isinstance(box, list) or len(box) != 4:
        return None
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in box):
        return None
    return box if np.abs(box).max() < _FARTHEST else None


def _is_marked(attributes: Any) -> bool:
    return isinstance(attributes, dict) and attributes.get("ignore", 0) != 0


FORMAT = Format("crowdhuman", splits, labels)
