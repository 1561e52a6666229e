"""Methods by names that tell their setting, as protocols and tables have them: gaussian-2."""

from __future__ import annotations

import re
from typing import cast

from dartblur.anonymizers import ANONYMIZERS, GeneratorName, MethodSettings, make_anonymizer

NAMES = (
    "block", "gaussian", "gaussian-STRENGTH", "pixelate", "pixelate-CELLS", "pixelate-CELLS-noise",
    "dartblur", "dartblur-GENERATOR", "dartblur-GENERATOR-STRENGTH",
)  # fmt: skip
"""What `named_method` understands."""
NOISE = 16.0
"""Of pixelate-CELLS-noise, σ on the 0 to 255 scale."""
_NUMBER = r"\d+(?:\.\d+)?"


def named_method(name: str) -> tuple[str, MethodSettings] | None:
    """A name among `NAMES` → the method, and what it is told; None for any other name.

    Raises:
        UsageError: the setting is out of range.
    """
    if name in ANONYMIZERS:
        return name, MethodSettings()
    if told := re.fullmatch(rf"gaussian-({_NUMBER})", name):
        found = "gaussian", MethodSettings(strength=float(told[1]))
    elif told := re.fullmatch(r"pixelate-(\d+)(-noise)?", name):
        found = "pixelate", MethodSettings(cells=int(told[1]), noise=NOISE if told[2] else None)
    elif told := re.fullmatch(rf"dartblur-([a-z]\w*)(?:-({_NUMBER}))?", name):
        # What there is no generator for is refused by the settings.
        generator, strength = cast(GeneratorName, told[1]), float(told[2]) if told[2] else None
        found = "dartblur", MethodSettings(generator=generator, strength=strength)
    else:
        return None
    make_anonymizer(*found)  # refuses what is out of range
    return found
