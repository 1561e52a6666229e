"""How well a person is to be hidden: names for ways of which attacks were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from dartblur.anonymizers import MethodSettings

ProtectionName = Literal["photos", "data", "strict"]


@dataclass(frozen=True)
class Protection:
    """A method and its settings. recognized: of 100 hidden faces, the strongest attacker's rank-1.

    margin: detected boxes are grown on every side by so much of their width and height at least.
    Of docs/privacy.md: 70 people, the best of seven attackers with dlib's ResNet and faceres, at 64
    pixels across, with either alignment; by chance 1.
    """

    method: str
    settings: MethodSettings
    recognized: int
    margin: float = 0.0


PROTECTIONS: Mapping[ProtectionName, Protection] = MappingProxyType(
    {
        "photos": Protection("dartblur", MethodSettings(generator="soft"), 31),
        "data": Protection("dartblur", MethodSettings(generator="wide"), 30),
        "strict": Protection("block", MethodSettings(), 7, margin=0.5),
    }
)
"""From the nicest look to the least that is told of a person."""
