"""Attackers of rising strength: each says how much a hidden face looks like each of the people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from dartblur.faces import FloatArray

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Classify = Callable[[FloatArray, Ints, FloatArray], Floats]
"""(gallery (G, D), its people (G,), probes (P, D)) → scores (P, people), larger for likelier."""
# Of the people's spread, taken from all directions alike: photos are fewer than dimensions.
_SHRINKAGE = 0.3


def nearest(gallery: FloatArray, people: Ints, probes: FloatArray) -> Floats:
    """Cosine of the most similar photo of each person."""
    similar = probes.astype(np.float64) @ gallery.T.astype(np.float64)
    return np.stack([similar[:, people == p].max(axis=1) for p in range(people.max() + 1)], axis=1)


def discriminant(gallery: FloatArray, people: Ints, probes: FloatArray) -> Floats:
    """Linear discriminant analysis: distance to each person's mean, by the spread within people."""
    known, asked = gallery.astype(np.float64), probes.astype(np.float64)
    means = np.stack([known[people == p].mean(axis=0) for p in range(people.max() + 1)])
    within = known - means[people]
    spread = within.T @ within / max(len(known) - len(means), 1)
    level = np.trace(spread) / len(spread)
    shrunk = (1 - _SHRINKAGE) * spread + (_SHRINKAGE * level + 1e-12) * np.eye(len(spread))
    whiten = np.linalg.inv(np.linalg.cholesky(shrunk)).T
    distance = (asked @ whiten)[:, None] - (means @ whiten)[None]
    return np.asarray(-np.linalg.norm(distance, axis=2), np.float64)


@dataclass(frozen=True)
class Attacker:
    """gallery: how the attacker sees the known photos. undone: all hidden ones are undone first."""

    classify: Classify
    gallery: Literal["clear", "hidden"]
    undone: bool = False


ATTACKERS: Mapping[str, Attacker] = MappingProxyType(
    {
        "naive": Attacker(nearest, "clear"),
        "parrot": Attacker(nearest, "hidden"),
        "trained": Attacker(discriminant, "hidden"),
        "inverted": Attacker(discriminant, "hidden", undone=True),
    }
)
"""Naive: hidden faces against clear ones. Parrot: hides the known photos in the same way. Trained:
learns from them. Inverted: undoes the blur by its known kernel, then learns."""
