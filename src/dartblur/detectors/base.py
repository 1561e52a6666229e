"""What every detector is."""

from collections.abc import Sequence
from typing import Protocol

from dartblur.faces import Faces, Image


class Detector(Protocol):
    """Finds faces: (images) → one `Faces` per image."""

    def __call__(self, images: Sequence[Image]) -> list[Faces]:
        """The faces of each picture, best score first.

        images: (H, W, 3) uint8 RGB each, of any sizes; left alone. Boxes are in pixels of that
        picture and may reach beyond its edge.
        """
        ...
