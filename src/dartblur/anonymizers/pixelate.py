"""Faces as a mosaic."""

from dataclasses import dataclass

import cv2
import numpy as np

from dartblur.anonymizers.base import Box, paint
from dartblur.errors import UsageError
from dartblur.faces import Faces, Image

# Judged by eye on large sharp faces: with 16 cells across a face eyes, nose and mouth have their
# shape (16 by 16 is also what studies find enough to know a familiar face by); with 12 they are
# blocks.
MOST_CELLS = 12


@dataclass(frozen=True)
class Pixelate:
    """Paints every box as a mosaic of square cells, each the mean of its source pixels.

    cells: how many lie across the face's width. A cell holds at least 2 × 2 source pixels, where
        the box has them, so that a small face is not handed through unchanged.

    Raises:
        UsageError: cells is under 1 or over `MOST_CELLS`.
    """

    cells: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.cells <= MOST_CELLS:
            raise UsageError(
                f"cells must lie in 1..{MOST_CELLS}, not {self.cells}: with more across it a face "
                "can still be recognised"
            )

    def __call__(self, image: Image, faces: Faces) -> Image:
        """See `Anonymizer`."""
        return paint(image, faces.boxes, self._cover)

    def _cover(self, image: Image, box: Box) -> Image:
        x1, y1, x2, y2 = box
        width, height = x2 - x1, y2 - y1
        columns = max(1, min(self.cells, width // 2))
        rows = max(1, min(round(self.cells * height / width), height // 2))
        cells = cv2.resize(image[y1:y2, x1:x2], (columns, rows), interpolation=cv2.INTER_AREA)
        mosaic = cv2.resize(cells, (width, height), interpolation=cv2.INTER_NEAREST)
        return np.asarray(mosaic, np.uint8)
