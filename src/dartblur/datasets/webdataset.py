"""WebDataset: tar shards of pictures, with JSON of the same key that tells of their faces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from dartblur.datasets.base import Format, Labelled, files_of_splits, given
from dartblur.datasets.tar_members import (
    TAR_SUFFIXES,
    labelled_members,
    read_member,
    tells_boxes,
)
from dartblur.errors import BoxesError, UsageError


def splits(root: Path) -> list[str]:
    """The splits that the names of shards with boxes tell, or those of their folders."""
    found = files_of_splits(root, TAR_SUFFIXES)
    return [split for split, paths in found.items() if any(map(tells_boxes, paths))]


def labels(root: Path, split: str, classes: Sequence[str]) -> Iterator[Labelled]:
    """The pictures of every shard of `split` whose JSON tells of boxes; see `tar_members`.

    Raises:
        BoxesError: JSON is malformed, or has no picture. ShardError: a shard is broken.
        UsageError: there is no such split.
    """
    found = files_of_splits(root, TAR_SUFFIXES)
    if split not in found:
        known = ", ".join(found) or "none"
        raise UsageError(f"{root}: no tar shards of split {split!r}; there are {known}")
    for path in found[split]:
        pictures, without = labelled_members(path, classes)
        if without:
            raise BoxesError(f"{path}: {without[0]} tells of a picture that is not there")
        for each in pictures:
            content = partial(read_member, path, each.name, each.offset, each.size)
            where = f"{path}: {each.name}"
            yield Labelled(path / each.name, where, given(each.faces), packed=content)


FORMAT = Format("webdataset", splits, labels, packed=True)
