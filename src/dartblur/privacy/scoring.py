"""How often an attacker is right, with intervals over people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
FALSE_ACCEPTS = 0.01


@dataclass(frozen=True)
class Rate:
    """A share in percent, and the 95 % interval that other people would give."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Identification:
    """rank1, rank5: the right person is first, or among the first five. tar: a face and its person
    are accepted where 1 % of the wrong pairs are."""

    rank1: Rate
    rank5: Rate
    tar: Rate


def identification(
    scores: Floats, people: npt.NDArray[np.intp], resamples: int, seed: int
) -> Identification:
    """Closed-set rates of scores (P, people), of probes of these people (P,).

    Of people with equal scores the right one comes last: who says nothing gains nothing.
    """
    right, others = _sides(scores, people)
    rank = (others & (scores >= right)).sum(axis=1)
    threshold = np.quantile(scores[others], 1 - FALSE_ACCEPTS)
    hits = (rank < 1, rank < 5, right[:, 0] > threshold)
    return Identification(*(_rate(hit, people, resamples, seed) for hit in hits))


def reciprocal_rank(scores: Floats, people: npt.NDArray[np.intp]) -> float:
    """Mean of 1 / rank of the right person, 1 where it is always first: finer than rank-1."""
    right, others = _sides(scores, people)
    return float((1 / (1 + (others & (scores >= right)).sum(axis=1))).mean())


def _sides(scores: Floats, people: npt.NDArray[np.intp]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The right person's score, (P, 1), and which scores are of others, (P, people)."""
    rows = np.arange(len(people))
    others = np.ones(scores.shape, np.bool_)
    others[rows, people] = False
    return scores[rows, people][:, None], others


def _rate(
    hit: npt.NDArray[np.bool_], people: npt.NDArray[np.intp], resamples: int, seed: int
) -> Rate:
    """People are drawn again, with all of their photos: photos of one are no repeats."""
    count = int(people.max()) + 1
    photos = np.bincount(people, minlength=count)
    hits = np.bincount(people, weights=hit, minlength=count)
    drawn = np.random.default_rng(seed).integers(0, count, (resamples, count))
    rates = hits[drawn].sum(axis=1) / np.maximum(photos[drawn].sum(axis=1), 1)
    low, high = np.quantile(rates, (0.025, 0.975))
    return Rate(100 * float(hit.mean()), 100 * float(low), 100 * float(high))
