"""The plain Gaussian blur `h(x, b)`."""

from dataclasses import dataclass

import cv2
import numpy as np

from dartblur.anonymizers.base import Box, paste_patches
from dartblur.errors import UsageError
from dartblur.faces import Faces, Image

# A box under this is blurred as one of this size around it: its own kernel would be a single pixel,
# which changes nothing.
SMALLEST_SIDE = 4
# Beyond this the crop is shrunk first: so wide a blur leaves nothing that the shrinking could lose.
LARGEST_KERNEL = 255
# Judged by eye on large sharp faces: at 0.5 of the paper's blur eyes, nose and mouth still have
# their shape, and who knows the person may know the face; at 0.75 they are spots.
LEAST_STRENGTH = 0.75


@dataclass(frozen=True)
class Gaussian:
    """Blurs every box by the kernel `(w // 2) | 1` × `(h // 2) | 1`, with OpenCV's automatic sigma.

    strength: scales the kernel; 1 is the paper's blur.

    Raises:
        UsageError: strength is under `LEAST_STRENGTH`, or not finite.
    """

    strength: float = 1.0

    def __post_init__(self) -> None:
        if not LEAST_STRENGTH <= self.strength < float("inf"):
            raise UsageError(
                f"strength must be {LEAST_STRENGTH} or more, not {self.strength}: under it a large "
                "face can still be recognised"
            )

    def __call__(self, image: Image, faces: Faces) -> Image:
        """See `Anonymizer`."""
        return paste_patches(
            image, faces.boxes, lambda image, box: blurred(image, box, self.strength)
        )


def blurred(image: Image, box: Box, strength: float = 1.0) -> Image:
    """The blurred pixels of one box, made from the pixels inside it alone.

    image: (H, W, 3) uint8. box: x1, y1, x2, y2 in whole pixels inside the image, not empty.
    Returns (y2 - y1, x2 - x1, 3) uint8.
    """
    x1, y1, x2, y2 = box
    left, right = _at_least(SMALLEST_SIDE, x1, x2, image.shape[1])
    top, bottom = _at_least(SMALLEST_SIDE, y1, y2, image.shape[0])
    crop = blur_crop(image[top:bottom, left:right], strength)
    return crop[y1 - top : y2 - top, x1 - left : x2 - left]


def blur_crop(crop: Image, strength: float = 1.0) -> Image:
    """A whole (h, w, 3) crop blurred by the kernel that belongs to its size.

    A kernel over `LARGEST_KERNEL` is applied to a crop shrunk by a whole factor, so that the time
    stays proportional to the pixels; the result differs by a few levels of 255.
    """
    height, width = crop.shape[:2]
    kernel_x, kernel_y = kernel_side(width, strength), kernel_side(height, strength)
    shrink = 1 + max(kernel_x, kernel_y) // (LARGEST_KERNEL + 1)
    if shrink == 1:
        return np.asarray(cv2.GaussianBlur(crop, (kernel_x, kernel_y), 0), np.uint8)
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (kernel_x // shrink | 1, kernel_y // shrink | 1), 0)
    return np.asarray(cv2.resize(small, (width, height)), np.uint8)


def kernel_side(side: int, strength: float) -> int:
    """Of the kernel along one side of a box of `side` pixels, odd."""
    # Twice the side is flat already; more would only cost time.
    return min(max(int(side // 2 * strength) | 1, 3 if side > 1 else 1), 2 * side | 1)


def _at_least(side: int, low: int, high: int, limit: int) -> tuple[int, int]:
    """The interval widened about its middle to `side`, as far as 0..limit allows."""
    if high - low >= side:
        return low, high
    low = max(0, min(low - (side - (high - low)) // 2, limit - side))
    return low, min(limit, max(high, low + side))
