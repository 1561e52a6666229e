"""The stage that says how often an attacker is right."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dartblur.faces import FloatArray
from dartblur.privacy.attackers import ATTACKERS, CLASSIFIERS, Floats, Ints, Known
from dartblur.privacy.people import Group, Photo
from dartblur.privacy.scoring import first_by_person, identification, reciprocal_rank
from dartblur.privacy.work import PROCESS_MIB, VERSION
from dartblur.stages.stage import fields_of

# Raised when what it writes changes; what recognizers said is not asked for anew.
_TOLD = 2
# Of two recognizers in the cosine; more are of equal shares.
_SHARES = ((0.5, 0.5), (0.3, 0.7), (0.7, 0.3))


class Candidate(NamedTuple):
    """One thing that an attacker may do. view: which of the views it looks at."""

    view: int
    gallery: Known
    classifier: str
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Judge:
    """How often an attacker is right.

    What it does is chosen on the validation people alone, by the mean of 1 / rank; where there are
    none, the first that it may do. Inputs: for each recognizer the embeddings of clear photos, and
    of each view; those of several recognizers are put together. views: names of these views.
    others: of other people, from whom a taught attacker learns too; their embeddings of each view
    are then more inputs for each recognizer.
    """

    photos: tuple[Photo, ...]
    attacker: str
    recognizers: int
    views: tuple[str, ...]
    resamples: int
    seed: int
    others: tuple[Photo, ...] = ()

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        loaded = [np.load(path) for path in inputs]
        each = len(loaded) // self.recognizers
        parts = [loaded[i : i + each] for i in range(0, len(loaded), each)]
        candidates = self._candidates()
        best = candidates[0]
        if any(photo.group == "validation" for photo in self.photos):
            best = max(
                candidates, key=lambda c: reciprocal_rank(*self._scores(c, parts, "validation"))
            )
        scores = self._scores(best, parts, "judged")
        rates = identification(*scores, self.resamples, self.seed)
        told = {"chosen": self._told(best), "first": first_by_person(*scores).tolist()}
        target.write_text(json.dumps(told | asdict(rates)))

    def _candidates(self) -> list[Candidate]:
        """All that the attacker may do; of equal ones the first is taken."""
        attacker = ATTACKERS[self.attacker]
        count = self.recognizers
        shares = _SHARES if count == 2 else ((1 / count,) * count,)
        views = range(len(self.views))
        every = itertools.product(views, attacker.gallery, attacker.classifiers, shares)
        return [Candidate(*each) for each in every]

    def _scores(
        self, chosen: Candidate, parts: Sequence[Sequence[FloatArray]], group: Group
    ) -> tuple[Floats, Ints]:
        """Scores of the group's probes, (P, people), and who they are, (P,)."""
        mine = np.array([photo.group == group for photo in self.photos])
        photos = [photo for photo in self.photos if photo.group == group]
        names = sorted({photo.person for photo in photos})
        people = np.array([names.index(photo.person) for photo in photos], np.intp)
        known = np.array([photo.gallery for photo in photos])
        view = 1 + chosen.view
        clear, hidden = (_together(parts, i, chosen.shares, view)[mine] for i in (0, view))
        gallery = (clear if chosen.gallery == "clear" else hidden)[known]
        probes, asked = hidden[~known], people[~known]
        classify: Callable[..., Floats] = CLASSIFIERS[chosen.classifier]
        attacker = ATTACKERS[self.attacker]
        if attacker.taught:
            vectors = _together(parts, view + len(self.views), chosen.shares, view)
            classify = partial(classify, deviations=_deviations(self.others, vectors))
        if attacker.together:
            probes = np.stack([probes[asked == p].mean(axis=0) for p in range(len(names))])
            asked = np.arange(len(names), dtype=np.intp)
        return classify(gallery, people[known], probes), asked

    def _told(self, chosen: Candidate) -> str:
        words = [chosen.classifier]
        if len(ATTACKERS[self.attacker].gallery) > 1:
            words.append(f"{chosen.gallery} gallery")
        if len(self.views) > 1:
            words.append(self.views[chosen.view])
        if self.recognizers > 1:
            words.append("shares " + ":".join(f"{s:g}" for s in chosen.shares))
        return ", ".join(words)

    def dependencies(self) -> dict[str, Any]:
        """See `Work`."""
        return fields_of(self) | {"version": VERSION, "told": _TOLD}

    def cost(self) -> float:
        """See `Work`."""
        return 0.5

    def memory(self) -> float:
        """See `Work`."""
        return PROCESS_MIB


def _together(
    parts: Sequence[Sequence[FloatArray]], which: int, shares: Sequence[float], view: int
) -> FloatArray:
    """One vector a photo of all recognizers; `shares` are those in the cosine.

    Beside a view that has two vectors of a recognizer, a student's and its own, others have theirs
    twice.
    """
    scaled = []
    for share, part in zip(shares, parts, strict=True):
        times = part[view].shape[1] // part[which].shape[1]
        scaled.append(np.sqrt(share / times) * np.tile(part[which], times))
    return np.concatenate(scaled, axis=1)


def _deviations(photos: Sequence[Photo], vectors: FloatArray) -> FloatArray:
    """From the means of their people, (N, D); photos of which nothing is said are left out."""
    people = np.array([photo.person for photo in photos])
    people[~vectors.any(axis=1)] = ""
    each = [vectors[people == name] for name in np.unique(people[people != ""])]
    return np.concatenate([mine - mine.mean(axis=0) for mine in each])
