"""What is attacked: ways to hide a face."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from dartblur.anonymizers import MethodSettings, make_anonymizer
from dartblur.anonymizers.base import Anonymizer
from dartblur.anonymizers.block import Block

CLEAR = "clear"
GREY = 128
"""What is not to tell anything."""
NOISE = 16.0
"""Of pixelate-8-noise, σ on the 0 to 255 scale."""
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
