"""Ways to hide faces: one small protocol, and a table from names to makers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from dartblur.anonymizers.base import Anonymizer
from dartblur.anonymizers.blending import Blended, Ellipses
from dartblur.anonymizers.block import Block
from dartblur.anonymizers.blur import Blur
from dartblur.anonymizers.dartblur import WEIGHTS, Dartblur
from dartblur.anonymizers.gaussian import Gaussian
from dartblur.anonymizers.pixelate import Pixelate
from dartblur.boxes import Shape
from dartblur.errors import UsageError
from dartblur.onnx_runtime import DEFAULT_DEVICE

__all__ = [
    "ANONYMIZERS",
    "DEFAULT_METHOD",
    "Anonymizer",
    "Block",
    "Blur",
    "Dartblur",
    "Gaussian",
    "MethodSettings",
    "Pixelate",
    "make_anonymizer",
]


@dataclass(frozen=True)
class MethodSettings:
    """What the methods can be told; each takes what concerns it.

    strength: scales the blur's kernel. cells, noise: of the mosaic. None: the method's default; of
    `dartblur` that is what its generator learned on, and another value takes the place of that if
    it belongs to the same kind of blur. colour: of the block. weights: ONNX file of a generator;
    None is the one in the package. shape: what is changed of every box, all of it or the ellipse
    that fits into it. blended: without an edge; else the box as the paper has it, for comparisons
    (a generator's blur is as it learned on it in any case). device: that a generator runs on, see
    `onnx_runtime`.

    Raises:
        UsageError: shape is unknown, or an ellipse is to have an edge.
    """

    strength: float | None = None
    cells: int | None = None
    noise: float | None = None
    colour: tuple[int, int, int] = (0, 0, 0)
    weights: Path | None = None
    shape: Shape = "box"
    blended: bool = True
    device: str = DEFAULT_DEVICE

    def __post_init__(self) -> None:
        if self.shape not in get_args(Shape):
            known = ", ".join(get_args(Shape))
            raise UsageError(f"there is no shape {self.shape!r}; choose one of {known}")
        if self.shape == "ellipse" and not self.blended:
            raise UsageError("an ellipse is always blended into its surroundings")

    def of_blur(self, *names: str) -> dict[str, Any]:
        """Those of the named settings that are given."""
        return {name: v for name in names if (v := getattr(self, name)) is not None}


def _dartblur(settings: MethodSettings) -> Anonymizer:
    generator = Dartblur(settings.weights or WEIGHTS, device=settings.device)
    if given := settings.of_blur("strength", "cells", "noise"):
        return replace(generator, blur=replace(generator.metadata.blur, **given))
    return generator


def _gaussian(settings: MethodSettings) -> Anonymizer:
    given = settings.of_blur("strength")
    return Blur("gaussian", **given, blended=settings.blended).anonymizer()


def _pixelate(settings: MethodSettings) -> Anonymizer:
    given = settings.of_blur("cells", "noise")
    return Blur("pixelate", **given, blended=settings.blended).anonymizer()


def _block(settings: MethodSettings) -> Anonymizer:
    block = Block(settings.colour)
    return Blended(block) if settings.blended else block


ANONYMIZERS: dict[str, Callable[[MethodSettings], Anonymizer]] = {
    "dartblur": _dartblur,
    "gaussian": _gaussian,
    "pixelate": _pixelate,
    "block": _block,
}
DEFAULT_METHOD = "dartblur"


def make_anonymizer(
    name: str = DEFAULT_METHOD, settings: MethodSettings | None = None
) -> Anonymizer:
    """The anonymizer of that name.

    Raises:
        UsageError: no anonymizer has that name, or a setting is out of range.
    """
    if name not in ANONYMIZERS:
        raise UsageError(f"there is no method {name!r}; choose one of {', '.join(ANONYMIZERS)}")
    settings = settings or MethodSettings()
    method = ANONYMIZERS[name](settings)
    return Ellipses(method) if settings.shape == "ellipse" else method
