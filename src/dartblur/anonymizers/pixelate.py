"""Faces as a mosaic, with noise where asked for."""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np

from dartblur.anonymizers.base import Box, has_colour, paste_patches
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
    noise: σ of the Gaussian noise that is added to each cell, on the 0 to 255 scale. It is seeded
        by the pixels that are hidden: the same picture gets the same noise, and nobody can draw it
        again without them. In a film, whose frames differ, it differs from frame to frame, and who
        averages over frames takes it out.

    Raises:
        UsageError: cells is under 1 or over `MOST_CELLS`, or noise not within 0 to 255.
    """

    cells: int = 8
    noise: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.cells <= MOST_CELLS:
            raise UsageError(
                f"cells must lie in 1..{MOST_CELLS}, not {self.cells}: with more across it a face "
                "can still be recognised"
            )
        if not 0 <= self.noise <= 255:
            raise UsageError(f"noise must lie in 0..255, not {self.noise}")

    def __call__(self, image: Image, faces: Faces) -> Image:
        """See `Anonymizer`."""
        return paste_patches(image, faces.boxes, self._patch)

    def _patch(self, image: Image, box: Box) -> Image:
        x1, y1, x2, y2 = box
        width, height = x2 - x1, y2 - y1
        crop = image[y1:y2, x1:x2]
        columns = max(1, min(self.cells, width // 2))
        rows = max(1, min(round(self.cells * height / width), height // 2))
        cells = np.asarray(
            cv2.resize(crop, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8
        )
        if self.noise:
            cells = _noisy(cells, self.noise, crop)
        mosaic = cv2.resize(cells, (width, height), interpolation=cv2.INTER_NEAREST)
        return np.asarray(mosaic, np.uint8)


def _noisy(cells: Image, noise: float, crop: Image) -> Image:
    seed = hashlib.sha256(crop.tobytes()).digest()
    rng = np.random.default_rng(np.frombuffer(seed, np.uint32))
    # A picture without colour stays without.
    channels = 3 if has_colour(crop) else 1
    drawn = rng.normal(0, noise, (*cells.shape[:2], channels))
    return np.rint(cells + drawn).clip(0, 255).astype(np.uint8)
