"""What is attacked: ways to hide a face, and how the known ones of them are undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.anonymizers import MethodSettings, make_anonymizer
from dartblur.anonymizers.base import Anonymizer
from dartblur.anonymizers.blending import DEPTH
from dartblur.anonymizers.block import Block
from dartblur.anonymizers.gaussian import SMALLEST_SIDE, kernel_side
from dartblur.boxes import IntArray
from dartblur.faces import Image


class Undo(Protocol):
    """Undoes a method whose kernel the attacker knows."""

    def __call__(self, image: Image, box: IntArray, damping: float) -> Image:
        """The anonymized picture with a guess at the face in a box, (4,) whole pixels."""
        ...


CLEAR = "clear"
GREY = 128
"""What is not to tell anything."""
NOISE = 16.0
"""Of pixelate-8-noise, σ on the 0 to 255 scale."""
DAMPINGS = (1e-5, 1e-6, 1e-4)
"""Noise beside signal that inversions try; the first where nobody is there to choose on."""
_STRENGTHS = (1.0, 1.5, 2.0, 3.0)


def _gaussian(strength: float) -> Callable[[], Anonymizer]:
    return lambda: make_anonymizer("gaussian", MethodSettings(strength=strength))


METHODS: Mapping[str, Callable[[], Anonymizer]] = MappingProxyType(
    {
        "block": lambda: make_anonymizer("block"),
        "context": lambda: Block((GREY, GREY, GREY)),
        **{f"gaussian-{strength:g}": _gaussian(strength) for strength in _STRENGTHS},
        "pixelate-8": lambda: make_anonymizer("pixelate", MethodSettings(cells=8)),
        "pixelate-6": lambda: make_anonymizer("pixelate", MethodSettings(cells=6)),
        "pixelate-8-noise": lambda: make_anonymizer(
            "pixelate", MethodSettings(cells=8, noise=NOISE)
        ),
        "dartblur": lambda: make_anonymizer("dartblur"),
        "dartblur-wide": lambda: make_anonymizer("dartblur", MethodSettings(generator="wide")),
    }
)
"""Each as `dartblur anonymize` hides a face, its borders blended, but for context: what is outside
the box alone."""


def deblurred(image: Image, box: IntArray, strength: float, damping: float = DAMPINGS[0]) -> Image:
    """A Gaussian blur with blended borders, undone by the kernel that belongs to the box's size.

    The middle of the box, which no blending reached, is A_h x A_wᵀ, with the rows of what the blur
    does along each side. With A = U S Vᵀ the least-squares answer, damped, is one product a side;
    the kernel is so wide that it knows of pixels far outside the middle.

    image: (H, W, 3) uint8. box: (4,) whole pixels within it.
    """
    x1, y1, x2, y2 = (int(v) for v in box)
    out = image.copy()
    if min(x2 - x1, y2 - y1) < SMALLEST_SIDE:
        return out
    crop = image[y1:y2, x1:x2].astype(np.float64)
    rows, columns = (slice(n // DEPTH, n - n // DEPTH) for n in crop.shape[:2])
    mean = crop.mean(axis=(0, 1))
    u, s, v = np.linalg.svd(_blur_matrix(y2 - y1, strength)[rows], full_matrices=False)
    p, t, q = np.linalg.svd(_blur_matrix(x2 - x1, strength)[columns], full_matrices=False)
    response = s[:, None] * t
    gain = response / (response**2 + damping)
    shares = (
        np.einsum("ji,jkc,kl->ilc", u, crop[rows, columns] - mean, p, optimize=True)
        * gain[..., None]
    )
    sharp = np.einsum("ij,ikc,kl->jlc", v, shares, q, optimize=True) + mean
    out[y1:y2, x1:x2] = np.rint(sharp).clip(0, 255).astype(np.uint8)
    return out


def _blur_matrix(side: int, strength: float) -> npt.NDArray[np.float64]:
    """What the blur does along one side, (side, side)."""
    kernel = cv2.getGaussianKernel(kernel_side(side, strength), 0)
    return np.asarray(cv2.sepFilter2D(np.eye(side), cv2.CV_64F, np.ones(1), kernel), np.float64)


UNDO: Mapping[str, Undo] = MappingProxyType(
    {f"gaussian-{s:g}": partial(deblurred, strength=s) for s in _STRENGTHS}
)
"""Methods whose kernel the attacker knows."""
