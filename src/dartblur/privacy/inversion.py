"""A face undone by what is known of its anonymization: first the generator, then the blur."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.anonymizers.base import Anonymizer
from dartblur.anonymizers.blending import DEPTH
from dartblur.anonymizers.dartblur import Dartblur
from dartblur.anonymizers.gaussian import SMALLEST_SIDE, Gaussian, kernel_side
from dartblur.boxes import IntArray
from dartblur.faces import Faces, FloatArray, Image
from dartblur.privacy.methods import unblended

Floats = npt.NDArray[np.float64]
# Noise beside signal: what 8 bits leave of a blur, and what is left of one that a generator painted
# on, of which each takes long. The first is taken where nobody is there to choose on; both first
# ones were the best on eight photos of people who are not attacked in docs/privacy.md.
_OF_BLUR = (1e-5, 1e-6, 1e-4)
_OF_GENERATOR = (1e-4,)
_ROUNDS = 16
_STEP = 0.4


@dataclass(frozen=True)
class Inversion:
    """Undoes a Gaussian blur of that strength, on which the generator painted if there is one."""

    strength: float
    generator: Dartblur | None = None

    @property
    def dampings(self) -> tuple[float, ...]:
        """What may be tried."""
        return _OF_GENERATOR if self.generator else _OF_BLUR

    def __call__(self, image: Image, box: IntArray, damping: float) -> Image:
        """The anonymized picture with a guess at the face in a box, (4,) whole pixels."""
        x1, y1, x2, y2 = (int(v) for v in box)
        out = image.copy()
        if min(x2 - x1, y2 - y1) < SMALLEST_SIDE:
            return out
        blurred = unpainted(image, box, self.generator) if self.generator else image
        sharp = deblurred(blurred[y1:y2, x1:x2].astype(np.float64), self.strength, damping)
        out[y1:y2, x1:x2] = np.rint(sharp).clip(0, 255).astype(np.uint8)
        return out


def inversion_of(anonymizer: Anonymizer | None) -> Inversion | None:
    """How it is undone; None where it is not known how."""
    if isinstance(anonymizer, Dartblur):
        blur = anonymizer.blur or anonymizer.metadata.blur
        return Inversion(blur.strength, anonymizer) if blur.kind == "gaussian" else None
    plain = unblended(anonymizer)
    return Inversion(plain.strength) if isinstance(plain, Gaussian) else None


def unpainted(image: Image, box: IntArray, generator: Dartblur) -> FloatArray:
    """The blur on which a generator painted, (H, W, 3) on the 0 to 255 scale, or near it.

    From h = y on, h ← h + t (y − g(h)), with a shorter step t where that went too far: at its end
    g(h) is y. A generator that paints with noise cuts it by the sum of the blur's own pixels, which
    is not known to the last unit: its texture stays.
    """
    face, shown = Faces(box[None].astype(np.float32)), image.astype(np.float32)
    guess = best = shown
    least, step, missing = np.inf, _STEP, np.zeros_like(shown)
    for _ in range(_ROUNDS):
        here = shown - generator.paint(np.rint(guess).clip(0, 255).astype(np.uint8), face)
        if (error := float(np.square(here).sum())) < least:
            least, best, missing = error, guess, here
        else:
            step /= 2
        guess = best + step * missing
    return best


def deblurred(face: Floats, strength: float, damping: float) -> Floats:
    """A Gaussian blur with blended borders, undone by the kernel that belongs to the box's size.

    The middle of the box, which no blending reached, is A_h x A_wᵀ, with the rows of what the blur
    does along each side. With A = U S Vᵀ the least-squares answer, damped, is one product a side;
    the kernel is so wide that it knows of pixels far outside the middle.

    face: (h, w, 3), the box alone.
    """
    height, width = face.shape[:2]
    rows, columns = (slice(n // DEPTH, n - n // DEPTH) for n in (height, width))
    mean = face.mean(axis=(0, 1))
    u, s, v = np.linalg.svd(_blur_matrix(height, strength)[rows], full_matrices=False)
    p, t, q = np.linalg.svd(_blur_matrix(width, strength)[columns], full_matrices=False)
    response = s[:, None] * t
    gain = (response / (response**2 + damping))[..., None]
    shares = np.einsum("ji,jkc,kl->ilc", u, face[rows, columns] - mean, p, optimize=True)
    sharp = np.einsum("ij,ikc,kl->jlc", v, gain * shares, q, optimize=True) + mean
    return np.asarray(sharp, np.float64)


def _blur_matrix(side: int, strength: float) -> Floats:
    """What the blur does along one side, (side, side)."""
    kernel = cv2.getGaussianKernel(kernel_side(side, strength), 0)
    return np.asarray(cv2.sepFilter2D(np.eye(side), cv2.CV_64F, np.ones(1), kernel), np.float64)
