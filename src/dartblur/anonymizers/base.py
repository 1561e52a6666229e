"""What every anonymizer is."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from dartblur.faces import Faces

Image = npt.NDArray[np.uint8]


class Anonymizer(Protocol):
    """Hides faces: (image, faces) → image."""

    def __call__(self, image: Image, faces: Faces) -> Image:
        """A new picture in which every face is hidden.

        image: (H, W, 3) uint8 RGB; left alone. Every pixel that a box touches is made anew from the
        original picture only; every other pixel is the input's, bit for bit.
        """
        ...
