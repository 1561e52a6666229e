"""Which labels name which file of a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dartblur.batch.stamps import stamp_of
from dartblur.datasets import Format, Labelled, format_of, yolo
from dartblur.errors import UsageError


@dataclass(frozen=True)
class LabelIndex:
    """All labels of a data set.

    parts: the formats found, by the folders in which they are. by_name: of a picture's path below
    the root, with forward slashes.
    """

    parts: dict[str, Format]
    by_name: dict[str, list[Labelled]]

    def of(self, name: str) -> tuple[Labelled, ...]:
        """The labels that name a file; none where it is not listed."""
        return tuple(self.by_name.get(name, ()))

    def digest(self, name: str) -> str:
        """A hash of what a file's labels say."""
        content = hashlib.sha256()
        for labelled in self.of(name):
            if labelled.text is None:
                content.update(labelled.faces().boxes.tobytes())
            else:
                content.update(repr(stamp_of(labelled.text)).encode())
        return content.hexdigest()[:24]

    def leading_elsewhere(self, root: Path) -> list[str]:
        """Files of the data set that name places of this machine, wherever a copy lies."""
        places = [root / part for part, each in self.parts.items() if each is yolo.FORMAT]
        return [told for place in places for told in yolo.leads_elsewhere(place)]

    def keeps(self) -> list[str]:
        """Patterns of files that are no text and show nobody."""
        return [f"{part}{pattern}" for part, each in self.parts.items() for pattern in each.keeps]

    def masks(self) -> list[str]:
        """Folders of pictures whose pixels are labels."""
        return [folder for each in self.parts.values() for folder in each.masks]


def index_labels(root: Path, name: str | None, classes: Sequence[str]) -> LabelIndex:
    """Reads every label list of a data set, or of several that lie side by side in one folder.

    name: of its format; None: found by its layout.

    Raises:
        UsageError: there is no such format, or the layout is that of several.
        BoxesError: a list is malformed, or names a file outside the root.
    """
    parts = _parts(root, name)
    by_name: dict[str, list[Labelled]] = {}
    for prefix, each in parts.items():
        # Labels in shards are read where those are copied.
        if not each.has_faces or each.packed:
            continue
        place = root / prefix if prefix else root
        splits = each.splits(place)
        if not splits:
            raise UsageError(f"{place}: has no labels in the format {each.name}")
        for split in splits:
            for labelled in each.labels(place, split, classes):
                listed = labelled.image.relative_to(root).as_posix()
                known = by_name.setdefault(listed, [])
                # Lists of VOC and YOLO name the same file of labels.
                if labelled.text is None or all(labelled.text != k.text for k in known):
                    known.append(labelled)
    return LabelIndex(parts, by_name)


def _parts(root: Path, name: str | None) -> dict[str, Format]:
    whole = format_of(root, name or "")
    if name or whole.has_faces:
        return {"": whole}
    below = sorted(path for path in root.iterdir() if path.is_dir() and path.name[:1] != ".")
    found = {f"{path.name}/": format_of(path) for path in below}
    return found if any(each.has_faces for each in found.values()) else {"": whole}
