"""The blur h(x, b) that a generator is shown and paints on, at run time and in training alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dartblur.anonymizers.base import Anonymizer
from dartblur.anonymizers.blending import Blended
from dartblur.anonymizers.gaussian import Gaussian
from dartblur.anonymizers.pixelate import Pixelate
from dartblur.errors import UsageError
from dartblur.faces import Faces, Image


@dataclass(frozen=True)
class Blur:
    """A local anonymizer, and the blending of its borders; itself an anonymizer.

    strength: of `gaussian`. cells, noise: of `pixelate`. blended: see `blending`; the paper's h,
    which is the default, is not.

    Raises:
        UsageError: a value is out of range, or belongs to the other kind.
    """

    kind: Literal["gaussian", "pixelate"] = "gaussian"
    strength: float = Gaussian.strength
    cells: int = Pixelate.cells
    noise: float = Pixelate.noise
    blended: bool = False

    def __post_init__(self) -> None:
        if self.kind == "gaussian":
            foreign = {"cells": Pixelate.cells, "noise": Pixelate.noise}
        else:
            foreign = {"strength": Gaussian.strength}
        for name, default in foreign.items():
            if getattr(self, name) != default:
                raise UsageError(f"{name} says nothing to a blur of kind {self.kind!r}")
        self.anonymizer()

    def anonymizer(self) -> Anonymizer:
        """What computes it."""
        plain: Anonymizer
        if self.kind == "gaussian":
            plain = Gaussian(self.strength)
        else:
            plain = Pixelate(self.cells, self.noise)
        return Blended(plain) if self.blended else plain

    def __call__(self, image: Image, faces: Faces) -> Image:
        """See `Anonymizer`."""
        return self.anonymizer()(image, faces)
