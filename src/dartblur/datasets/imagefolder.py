"""Hugging Face's ImageFolder with boxes: `metadata.jsonl` beside the pictures, a line a picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dartblur.datasets.base import Format, Labelled, below, given, read_text, split_called
from dartblur.datasets.objects import KEYS, faces_of_row
from dartblur.errors import BoxesError, UsageError

_METADATA = "metadata.jsonl"
_NAME = "file_name"
_LOOKED_AT = 1 << 16


def splits(root: Path) -> list[str]:
    """The folders that hold a `metadata.jsonl` with boxes; the root itself is "train"."""
    return [_split_of(root, path) for path in _files(root) if _has_boxes(path)]


def labels(root: Path, split: str, classes: Sequence[str]) -> Iterator[Labelled]:
    """The pictures of every list of `split`; see `faces_of_row` for what is a face.

    Raises:
        BoxesError: a list is malformed. UsageError: there is no such split.
    """
    chosen = [path for path in _files(root) if _split_of(root, path) == split]
    if not chosen:
        known = ", ".join(splits(root)) or "none"
        raise UsageError(f"{root}: no {_METADATA} of split {split!r}; there are {known}")
    for path in chosen:
        for number, line in enumerate(read_text(path, "lines of JSON").splitlines(), 1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            row = _row(line, where)
            faces = faces_of_row(row, classes, where)
            if faces is not None:
                yield Labelled(below(root, path.parent, row[_NAME], where), where, given(faces))


def _files(root: Path) -> list[Path]:
    found = [root / _METADATA, *sorted(root.glob(f"*/{_METADATA}"))]
    return [path for path in found if path.is_file()]


def _has_boxes(path: Path) -> bool:
    """Other lists tell captions or classes."""
    try:
        with path.open("rb") as file:
            content = file.read(_LOOKED_AT)
    except OSError:
        return False
    return any(f'"{key}"'.encode() in content for key in KEYS) and b'"bbox"' in content


def _split_of(root: Path, path: Path) -> str:
    name = "train" if path.parent == root else path.parent.name
    return split_called(name) or name


def _row(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BoxesError(f"{where}: is no JSON ({error}); restore the file") from error
    if not isinstance(row, dict) or not isinstance(row.get(_NAME), str):
        raise BoxesError(f"{where}: has no {_NAME}; restore the file")
    return row


FORMAT = Format("imagefolder", splits, labels)
