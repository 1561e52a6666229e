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
    rank = _ranks(scores, people)
    threshold = np.quantile(scores[others], 1 - FALSE_ACCEPTS)
    hits = (rank < 1, rank < 5, right[:, 0] > threshold)
    rates = (_rate(_by_person(hit, people), resamples, seed) for hit in hits)
    return Identification(*rates)


def first_by_person(scores: Floats, people: npt.NDArray[np.intp]) -> Floats:
    """Of each person how many probes have it first, and how many there are, (people, 2)."""
    return _by_person(_ranks(scores, people) < 1, people)


def difference(one: Floats, other: Floats, resamples: int, seed: int) -> Rate:
    """By how much one attacker's rate is above another's, whose people are the same, in points.

    Both are counted as `first_by_person` does; people are drawn again for both at once, so that
    what makes a person easy for both is no part of the interval.
    """
    drawn = _drawn(len(one), resamples, seed)
    rates = _shares(one, drawn) - _shares(other, drawn)
    low, high = np.quantile(rates, (0.025, 0.975))
    every = np.arange(len(one))[None]
    value = float((_shares(one, every) - _shares(other, every))[0])
    return Rate(100 * value, 100 * float(low), 100 * float(high))


def reciprocal_rank(scores: Floats, people: npt.NDArray[np.intp]) -> float:
    """Mean of 1 / rank of the right person, 1 where it is always first: finer than rank-1."""
    return float((1 / (1 + _ranks(scores, people))).mean())


def _sides(scores: Floats, people: npt.NDArray[np.intp]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The right person's score, (P, 1), and which scores are of others, (P, people)."""
    rows = np.arange(len(people))
    others = np.ones(scores.shape, np.bool_)
    others[rows, people] = False
    return scores[rows, people][:, None], others


def _ranks(scores: Floats, people: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """How many others come before the right person, (P,): also those of equal scores."""
    right, others = _sides(scores, people)
    return np.asarray((others & (scores >= right)).sum(axis=1))


def _by_person(hit: npt.NDArray[np.bool_], people: npt.NDArray[np.intp]) -> Floats:
    """Hits and probes of each person, (people, 2)."""
    count = int(people.max()) + 1
    hits = np.bincount(people, weights=hit, minlength=count)
    return np.stack([hits, np.bincount(people, minlength=count)], axis=1)


def _rate(counts: Floats, resamples: int, seed: int) -> Rate:
    """People are drawn again, with all of their photos: photos of one are no repeats."""
    low, high = np.quantile(_shares(counts, _drawn(len(counts), resamples, seed)), (0.025, 0.975))
    value = float(counts[:, 0].sum() / counts[:, 1].sum())
    return Rate(100 * value, 100 * float(low), 100 * float(high))


def _drawn(people: int, resamples: int, seed: int) -> npt.NDArray[np.intp]:
    return np.random.default_rng(seed).integers(0, people, (resamples, people))


def _shares(counts: Floats, drawn: npt.NDArray[np.intp]) -> Floats:
    """Hits over probes of each draw of people, (resamples,)."""
    hits, probes = np.moveaxis(counts[drawn].sum(axis=1), 1, 0)
    return np.asarray(hits / np.maximum(probes, 1), np.float64)
