"""What every reader of a data set is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from dartblur.faces import Sample


class Reader(Protocol):
    """Reads a labelled data set: (root, split) → samples."""

    def __call__(self, root: Path, split: str) -> Iterator[Sample]:
        """Every picture of one split, in the order of its label file.

        Boxes are in pixels of the upright picture; a label that scoring passes over is ignored.

        Raises:
            BoxesError: a label file is missing or wrong, or a picture that it names is not there.
        """
        ...
