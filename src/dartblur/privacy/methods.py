"""What is attacked: ways to hide a face."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from dartblur.anonymizers import MethodSettings, make_anonymizer
from dartblur.anonymizers.base import Anonymizer
from dartblur.anonymizers.blending import Blended
from dartblur.anonymizers.block import Block
from dartblur.anonymizers.dartblur import Dartblur
from dartblur.anonymizers.protection import PROTECTIONS
from dartblur.pipeline import DEFAULT_MARGIN

CLEAR = "clear"
GREY = 128
"""What is not to tell anything."""
NOISE = 16.0
"""Of pixelate-8-noise, σ on the 0 to 255 scale."""
_STRENGTHS = (1.0, 1.5, 2.0, 3.0)


class Method(NamedTuple):
    """One way. margin: how far a face's box is grown on every side, as a share of its sides."""

    make: Callable[[], Anonymizer]
    margin: float = DEFAULT_MARGIN


def unblended(anonymizer: Anonymizer | None) -> Anonymizer | None:
    """The method without the blending of its borders."""
    return anonymizer.method if isinstance(anonymizer, Blended) else anonymizer


def blur_of(anonymizer: Anonymizer | None) -> Anonymizer | None:
    """The blur that a generator paints on, without blended borders; None where none paints."""
    if not isinstance(anonymizer, Dartblur):
        return None
    return unblended((anonymizer.blur or anonymizer.metadata.blur).anonymizer())


def _method(name: str, **settings: Any) -> Method:
    return Method(lambda: make_anonymizer(name, MethodSettings(**settings)))


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "block": _method("block"),
        "block-head": Method(lambda: make_anonymizer("block"), PROTECTIONS["strict"].margin),
        "context": Method(lambda: Block((GREY, GREY, GREY))),
        **{f"gaussian-{s:g}": _method("gaussian", strength=s) for s in _STRENGTHS},
        "pixelate-8": _method("pixelate", cells=8),
        "pixelate-6": _method("pixelate", cells=6),
        "pixelate-8-noise": _method("pixelate", cells=8, noise=NOISE),
        "dartblur": _method("dartblur"),
        "dartblur-wide": _method("dartblur", generator="wide"),
    }
)
"""Each as `dartblur anonymize` hides a face, its borders blended, but for context: what is outside
the box alone. block-head is the block of --protect strict, whose margin takes in the head."""
