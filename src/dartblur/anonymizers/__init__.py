"""Ways to hide faces: one small protocol, and a table from names to makers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dartblur.anonymizers.base import Anonymizer, Image
from dartblur.anonymizers.block import Block
from dartblur.anonymizers.dartblur import WEIGHTS, Dartblur
from dartblur.anonymizers.gaussian import Gaussian
from dartblur.anonymizers.pixelate import Pixelate
from dartblur.errors import UsageError

__all__ = [
    "ANONYMIZERS",
    "DEFAULT_METHOD",
    "Anonymizer",
    "Block",
    "Dartblur",
    "Gaussian",
    "Image",
    "MethodSettings",
    "Pixelate",
    "make_anonymizer",
]


@dataclass(frozen=True)
class MethodSettings:
    """What the methods can be told; each takes what concerns it.

    strength: scales the blur's kernel. cells: of the mosaic, across a face. colour: of the block.
    weights: ONNX file of a generator; None is the one in the package.
    """

    strength: float = 1.0
    cells: int = 8
    colour: tuple[int, int, int] = (0, 0, 0)
    weights: Path | None = None


ANONYMIZERS: dict[str, Callable[[MethodSettings], Anonymizer]] = {
    "dartblur": lambda settings: Dartblur(
        settings.weights or WEIGHTS, blur=Gaussian(settings.strength)
    ),
    "gaussian": lambda settings: Gaussian(settings.strength),
    "pixelate": lambda settings: Pixelate(settings.cells),
    "block": lambda settings: Block(settings.colour),
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
    return ANONYMIZERS[name](settings or MethodSettings())
