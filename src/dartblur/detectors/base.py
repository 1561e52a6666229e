"""What every detector is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dartblur.boxes import IntArray
from dartblur.faces import Faces, Image


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a detector saw in one picture beside the faces that it found.

    threshold: the least score of a face. passes: how many the detector makes. seen: (N,) how many
    of them saw each face, in the faces' order. faint: boxes below the threshold and from half of it
    on, best first. faint_seen: (M,) how many passes saw each of these.
    """

    threshold: float
    passes: int
    seen: IntArray
    faint: Faces
    faint_seen: IntArray


class Detector(Protocol):
    """Finds faces: (images) → one `Faces` per image."""

    def __call__(self, images: Sequence[Image]) -> list[Faces]:
        """The faces of each picture, best score first.

        images: (H, W, 3) uint8 RGB each, of any sizes; left alone. Boxes are in pixels of that
        picture and may reach beyond its edge.
        """
        ...


@runtime_checkable
class EvidentDetector(Detector, Protocol):
    """A detector that tells what it saw beside."""

    def search(self, image: Image) -> tuple[Faces, Evidence]:
        """The faces of one picture, as a call finds them, and the evidence."""
        ...


@runtime_checkable
class QuickDetector(Detector, Protocol):
    """A detector with a quicker look, for frames of a film between those that it searches."""

    @property
    def quick(self) -> Detector | None:
        """What takes it; None where nothing does."""
        ...


def search(detector: Detector, image: Image) -> tuple[Faces, Evidence | None]:
    """The faces of one picture, and what the detector saw beside, if it tells."""
    if isinstance(detector, EvidentDetector):
        return detector.search(image)
    [faces] = detector([image])
    return faces, None
