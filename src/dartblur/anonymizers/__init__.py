"""Ways to hide faces: one small protocol, and a table from names to makers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from cyclopts import Parameter

from dartblur.anonymizers.base import Anonymizer
from dartblur.anonymizers.blending import Blended, Ellipses
from dartblur.anonymizers.block import Block
from dartblur.anonymizers.blur import Blur
from dartblur.anonymizers.dartblur import GENERATORS, WEIGHTS, Dartblur
from dartblur.anonymizers.gaussian import Gaussian
from dartblur.anonymizers.pixelate import Pixelate
from dartblur.boxes import Shape
from dartblur.errors import UsageError
from dartblur.onnx_runtime import DEFAULT_DEVICE

__all__ = [
    "ANONYMIZERS",
    "DEFAULT_METHOD",
    "GENERATORS",
    "WEIGHTS",
    "Anonymizer",
    "Block",
    "Blur",
    "Dartblur",
    "Gaussian",
    "MethodSettings",
    "Pixelate",
    "make_anonymizer",
]


GeneratorName = Literal["soft", "wide", "compact"]


@dataclass(frozen=True)
class MethodSettings:
    """What the methods can be told; each takes what concerns it.

    Parameters
    ----------
    strength
        Scales the blur's kernel, 1 by default; 0.75 or more (gaussian; dartblur, where it takes
        the place of the strength that the generator learned on).
    cells
        Cells of the mosaic across a face, 8 by default; 1 to 12 (pixelate; dartblur, if its
        generator learned on a mosaic).
    noise
        σ of the noise added to each cell, on the 0 to 255 scale; 0 by default (as for `cells`).
    colour
        Red, green and blue, 0 to 255 (block).
    generator
        The generator of this package that paints: `soft`, by default, on a blur twice as wide as
        the paper's, and in large faces faintly; `wide`, as strongly in faces of every size; or
        `compact`, on the paper's blur, which tells more of a person (dartblur).
    weights
        ONNX file of a generator of your own, see `dartblur export`, in its place (dartblur).
    shape
        What of each box is hidden: `box`, or the `ellipse` that fits into it. Both pass into
        their surroundings without an edge.
    blended
        Without an edge; else the box as the paper has it, for comparisons. A generator's blur is as
        it learned on it in any case.

    Raises:
        UsageError: shape or generator is unknown, an ellipse is to have an edge, or a colour is out
            of range.
    """

    strength: float | None = None
    cells: int | None = None
    noise: float | None = None
    colour: tuple[int, int, int] = (0, 0, 0)
    generator: GeneratorName | None = None
    weights: Path | None = None
    shape: Shape = "box"
    blended: Annotated[bool, Parameter(parse=False)] = True

    def __post_init__(self) -> None:
        if any(not 0 <= value <= 255 for value in self.colour):
            raise UsageError(f"colour must be three numbers in 0..255, not {self.colour}")
        if self.generator is not None and self.generator not in GENERATORS:
            known = ", ".join(GENERATORS)
            raise UsageError(f"there is no generator {self.generator!r}; choose one of {known}")
        if self.shape not in get_args(Shape):
            known = ", ".join(get_args(Shape))
            raise UsageError(f"there is no shape {self.shape!r}; choose one of {known}")
        if self.shape == "ellipse" and not self.blended:
            raise UsageError("an ellipse is always blended into its surroundings")

    @property
    def generator_file(self) -> Path:
        """Of the generator that these settings name."""
        return self.weights or (GENERATORS[self.generator] if self.generator else WEIGHTS)

    def of_blur(self, *names: str) -> dict[str, Any]:
        """Those of the named settings that are given."""
        return {name: v for name in names if (v := getattr(self, name)) is not None}


def _dartblur(settings: MethodSettings, device: str) -> Anonymizer:
    generator = Dartblur(settings.generator_file, device=device)
    if given := settings.of_blur("strength", "cells", "noise"):
        return replace(generator, blur=replace(generator.metadata.blur, **given))
    return generator


def _gaussian(settings: MethodSettings, _device: str) -> Anonymizer:
    given = settings.of_blur("strength")
    return Blur("gaussian", **given, blended=settings.blended).anonymizer()


def _pixelate(settings: MethodSettings, _device: str) -> Anonymizer:
    given = settings.of_blur("cells", "noise")
    return Blur("pixelate", **given, blended=settings.blended).anonymizer()


def _block(settings: MethodSettings, _device: str) -> Anonymizer:
    block = Block(settings.colour)
    return Blended(block) if settings.blended else block


ANONYMIZERS: dict[str, Callable[[MethodSettings, str], Anonymizer]] = {
    "dartblur": _dartblur,
    "gaussian": _gaussian,
    "pixelate": _pixelate,
    "block": _block,
}
DEFAULT_METHOD = "dartblur"


def make_anonymizer(
    name: str = DEFAULT_METHOD,
    settings: MethodSettings | None = None,
    device: str = DEFAULT_DEVICE,
) -> Anonymizer:
    """The anonymizer of that name.

    device: that a generator runs on, see `onnx_runtime`.

    Raises:
        UsageError: no anonymizer has that name, or a setting is out of range.
    """
    if name not in ANONYMIZERS:
        raise UsageError(f"there is no method {name!r}; choose one of {', '.join(ANONYMIZERS)}")
    settings = settings or MethodSettings()
    method = ANONYMIZERS[name](settings, device)
    return Ellipses(method) if settings.shape == "ellipse" else method
