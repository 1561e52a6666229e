"""Ways to hide faces: one small protocol, and a table from names to makers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

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

    strength: scales the blur's kernel. cells, noise: of the mosaic. colour: of the block.
    weights: ONNX file of a generator; None is the one in the package. shape: what is changed of
    every box, all of it or the ellipse that fits into it. blended: without an edge; else the box as
    the paper has it, for comparisons (what `dartblur` paints has no edge in any case). device: that
    a generator runs on, see `onnx_runtime`.

    Raises:
        UsageError: shape is unknown, or an ellipse is to have an edge.
    """

    strength: float = 1.0
    cells: int = 8
    noise: float = 0.0
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


ANONYMIZERS: dict[str, Callable[[MethodSettings], Anonymizer]] = {
    "dartblur": lambda settings: Dartblur(
        settings.weights or WEIGHTS,
        blur=Blur("gaussian", settings.strength),
        device=settings.device,
    ),
    "gaussian": lambda settings: Blur(
        "gaussian", strength=settings.strength, blended=settings.blended
    ).anonymizer(),
    "pixelate": lambda settings: Blur(
        "pixelate", cells=settings.cells, noise=settings.noise, blended=settings.blended
    ).anonymizer(),
    "block": lambda settings: (
        Blended(Block(settings.colour)) if settings.blended else Block(settings.colour)
    ),
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
