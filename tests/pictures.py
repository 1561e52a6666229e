"""Pictures for tests, and what they should have become."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dartblur.anonymizers import Block
from dartblur.anonymizers.blending import Blended
from dartblur.faces import Faces

Array = np.ndarray
# A full-frame generator of random values, for pictures of 64 pixels; tests/training/test_export.py
# tells how it was made.
FRAME_WEIGHTS = Path(__file__).parent / "anonymizers" / "frame-generator.onnx"


def textured(height: int, width: int, seed: int = 0) -> Array:
    """A (height, width, 3) uint8 picture with detail of every size, so that any cover shows."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(-60, 61, (height, width, 3))
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 5.0), np.cos(y / 7.0), np.sin((x + y) / 11.0)], axis=2)
    return np.clip(128 + 60 * waves + noise, 0, 255).astype(np.uint8)


def smooth(height: int, width: int) -> Array:
    """A (height, width, 3) uint8 picture that lossy formats keep well, different in each corner."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    red, green = 255 * x / max(width - 1, 1), 255 * y / max(height - 1, 1)
    return np.stack([red, green, np.full_like(red, 40)], axis=2).round().astype(np.uint8)


def middle(height: int, width: int) -> Faces:
    """One face in the middle third of a picture."""
    left, top = width // 3, height // 3
    right, bottom = max(2 * width // 3, left + 1), max(2 * height // 3, top + 1)
    return Faces(np.array([[left, top, right, bottom]]))


class MiddleDetector:
    """Finds one face in the middle of every picture; stands in where finding is not the point."""

    def __call__(self, images: list[Array]) -> list[Faces]:
        return [middle(*image.shape[:2]) for image in images]


def state(out: Path) -> Path:
    """The folder in which a run into `out` keeps its state."""
    return out.with_name(out.name + ".dartblur")


def tree(folder: Path) -> list[str]:
    """All files below a folder, with forward slashes, in order; of a state folder none."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not path.is_dir() and path.parent.suffix != ".dartblur"
    )


def blocked(clear: Array, *boxes: list[float]) -> Array:
    """The picture with these boxes, x1 y1 x2 y2, as `--method block` hides them."""
    return Blended(Block())(clear, Faces(np.array(boxes, np.float32)))


def assert_is_hidden(clear: Array, safe: Array) -> None:
    """The middle of `safe` is the black block without an edge, and the rest is `clear`."""
    expected = blocked(clear, *middle(*clear.shape[:2]).boxes.tolist())
    np.testing.assert_array_equal(safe, expected)
