"""Attackers of rising strength: each says how much a hidden face looks like each of the people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from dartblur.faces import FloatArray

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Classifier = Callable[[FloatArray, Ints, FloatArray], Floats]
"""(gallery (G, D), its people (G,), probes (P, D)) → scores (P, people), larger for likelier."""


def nearest(gallery: FloatArray, people: Ints, probes: FloatArray) -> Floats:
    """Cosine of the most similar photo of each person."""
    similar = probes.astype(np.float64) @ gallery.T.astype(np.float64)
    return np.stack([similar[:, people == p].max(axis=1) for p in range(people.max() + 1)], axis=1)


def centroid(gallery: FloatArray, people: Ints, probes: FloatArray) -> Floats:
    """Cosine of the mean photo of each person."""
    means = np.stack([gallery[people == p].mean(axis=0) for p in range(people.max() + 1)])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return probes.astype(np.float64) @ means.T.astype(np.float64)


def discriminant(
    gallery: FloatArray,
    people: Ints,
    probes: FloatArray,
    shrinkage: float = 0.3,
    directions: float = 1.0,
    deviations: FloatArray | None = None,
) -> Floats:
    """Linear discriminant analysis: distance to each person's mean, by the spread within people.

    shrinkage: share of the spread that is taken from all directions alike: photos are fewer than
    dimensions. directions: share of those in which people differ that counts, the largest first.
    deviations: (N, D), of other people's photos from their means: the spread within people is
    theirs too.
    """
    known, asked = gallery.astype(np.float64), probes.astype(np.float64)
    more = np.zeros((0, known.shape[1])) if deviations is None else deviations.astype(np.float64)
    dimensions = known.shape[1]
    # Beside the span of the known photos a probe is equally far from everyone.
    span = np.linalg.svd(np.concatenate([known, more]), full_matrices=False)[2]
    beside = np.square(asked - asked @ span.T @ span).sum(axis=1)
    known, asked = known @ span.T, asked @ span.T
    means = np.stack([known[people == p].mean(axis=0) for p in range(people.max() + 1)])
    within = np.concatenate([known - means[people], more @ span.T])
    spread = within.T @ within / max(len(within) - len(means), 1)
    floor = shrinkage * np.trace(spread) / dimensions + 1e-12
    shrunk = (1 - shrinkage) * spread + floor * np.eye(len(spread))
    whiten = np.linalg.inv(np.linalg.cholesky(shrunk)).T
    if directions < 1:
        between = (means - means.mean(axis=0)) @ whiten
        axes = np.linalg.svd(between, full_matrices=False)[2]
        whiten = whiten @ axes[: max(1, round(directions * (len(means) - 1)))].T
        beside = np.zeros(len(asked))
    distance = np.square((asked @ whiten)[:, None] - (means @ whiten)[None]).sum(axis=2)
    return np.asarray(-np.sqrt(distance + (beside / floor)[:, None]), np.float64)


# The first is what is taken where nobody is there to choose on.
_LEARNING = {
    f"lda-{shrinkage:g}{name}": partial(discriminant, shrinkage=shrinkage, directions=directions)
    for shrinkage in (0.3, 0.1, 0.7)
    for name, directions in (("", 1.0), ("-half", 0.5))
}
CLASSIFIERS: Mapping[str, Classifier] = MappingProxyType(
    {"nearest": nearest, "centroid": centroid, **_LEARNING}
)
_COMPARING = ("nearest", "centroid")

Known = Literal["clear", "hidden"]
Look = Literal["plain", "undone", "restored", "inside", "distilled", "filmed"]
"""What is done to hidden photos before recognition: nothing (or, of a blur, a generator of the run
paints on it first, as its users do), generator and blur are undone by what
is known of them, a network paints the face back, or all that is outside the box is painted grey.
Distilled: the recognizer's student looks at them, see `Student`. Filmed: they are several frames,
see `filmed`."""


@dataclass(frozen=True)
class Attacker:
    """What one may do; the best for people who are not judged is done, see `Judge`.

    gallery: how it sees the known photos. classifiers: names of `CLASSIFIERS`. taught: it learns
    from other people's hidden photos too how photos of one person differ. together: it knows which
    probes are of one person, and asks once for all of them.
    """

    gallery: tuple[Known, ...]
    classifiers: tuple[str, ...]
    look: Look = "plain"
    taught: bool = False
    together: bool = False


ATTACKERS: Mapping[str, Attacker] = MappingProxyType(
    {
        "naive": Attacker(("clear",), _COMPARING),
        "parrot": Attacker(("hidden",), _COMPARING),
        "trained": Attacker(("hidden",), tuple(_LEARNING)),
        "taught": Attacker(("hidden",), tuple(_LEARNING), taught=True),
        "inverted": Attacker(("hidden",), tuple(_LEARNING), "undone"),
        "recovered": Attacker(("hidden", "clear"), (*_LEARNING, *_COMPARING), "restored"),
        "distilled": Attacker(("hidden", "clear"), (*_LEARNING, *_COMPARING), "distilled"),
        "several": Attacker(("hidden",), tuple(_LEARNING), together=True),
        "film": Attacker(("hidden",), tuple(_LEARNING), "filmed"),
        "inside": Attacker(("hidden",), tuple(_LEARNING), "inside"),
    }
)
"""Naive: hidden faces against clear ones. Parrot: hides the known photos in the same way. Trained:
learns from them. Taught: from other people's hidden photos too. Inverted: undoes generator and
blur by what is known of them, then learns. Recovered: a network that other people's photos trained
paints faces back, then it does what the others do. Distilled: the recognizer's student, which other
people's photos trained on hidden faces, looks at them, then it does what the others do. Several: as
trained, of all probes of a person at once. Film: as trained, of several frames. Inside: as trained,
shown the box alone."""
