"""Faces under a block of one colour."""

from dataclasses import dataclass

import numpy as np

from dartblur.anonymizers.base import Box, paste_patches
from dartblur.faces import Faces, Image


@dataclass(frozen=True)
class Block:
    """Paints every box in one colour, R G B in 0..255."""

    colour: tuple[int, int, int] = (0, 0, 0)

    def __call__(self, image: Image, faces: Faces) -> Image:
        """See `Anonymizer`."""
        return paste_patches(image, faces.boxes, self._patch)

    def _patch(self, _image: Image, box: Box) -> Image:
        x1, y1, x2, y2 = box
        return np.full((y2 - y1, x2 - x1, 3), self.colour, np.uint8)
