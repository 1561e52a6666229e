"""What is attacked: ways to hide a face."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from dartblur.anonymizers import make_anonymizer
from dartblur.anonymizers.base import Anonymizer
from dartblur.anonymizers.blending import Blended
from dartblur.anonymizers.block import Block
from dartblur.anonymizers.dartblur import Dartblur
from dartblur.anonymizers.named import NAMES, named_method
from dartblur.anonymizers.protection import PROTECTIONS
from dartblur.pipeline import DEFAULT_MARGIN

CLEAR = "clear"
GREY = 128
"""What is not to tell anything."""


class Method(NamedTuple):
    """One way. margin: how far a face's box is grown on every side, as a share of its sides."""

    make: Callable[[], Anonymizer]
    margin: float = DEFAULT_MARGIN


def unblended(anonymizer: Anonymizer | None) -> Anonymizer | None:
    """The method without the blending of its borders."""
    return anonymizer.method if isinstance(anonymizer, Blended) else anonymizer


def blur_of(anonymizer: Anonymizer | None) -> Anonymizer | None:
    """The blur that a generator paints on; None where none paints."""
    if not isinstance(anonymizer, Dartblur):
        return None
    return (anonymizer.blur or anonymizer.metadata.blur).anonymizer()


OF_ATTACKS: Mapping[str, Method] = MappingProxyType(
    {
        "block-head": Method(lambda: make_anonymizer("block"), PROTECTIONS["strict"].margin),
        "context": Method(lambda: Block((GREY, GREY, GREY))),
    }
)
"""The block of --protect strict, whose margin takes in the head; and what is outside the box alone,
which has no blended borders."""


KNOWN = (*OF_ATTACKS, *NAMES)
"""What `method_of` understands."""


def method_of(name: str) -> Method | None:
    """One of `OF_ATTACKS`, or of `named.NAMES` as `dartblur anonymize` hides a face by it.

    None for any other name.

    Raises:
        UsageError: its setting is out of range.
    """
    if name in OF_ATTACKS:
        return OF_ATTACKS[name]
    found = named_method(name)
    return None if found is None else Method(lambda: make_anonymizer(*found))
