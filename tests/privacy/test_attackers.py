"""Attackers find what is there to find, and score by the rules of a closed set."""

from __future__ import annotations

import numpy as np
import pytest

from dartblur.privacy.attackers import ATTACKERS, CLASSIFIERS, centroid, discriminant, nearest
from dartblur.privacy.scoring import (
    difference,
    first_by_person,
    identification,
    reciprocal_rank,
)

PEOPLE, EACH, SIZE = 6, 8, 12


def faces(spread: float, nuisance: float) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of people around their means, and a direction that has nothing to do with them."""
    rng = np.random.default_rng(0)
    means = rng.normal(0, 1, (PEOPLE, SIZE))
    people = np.repeat(np.arange(PEOPLE), EACH)
    vectors = means[people] + rng.normal(0, spread, (len(people), SIZE))
    vectors[:, 0] += rng.normal(0, nuisance, len(people))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), people


def right(classify, spread: float, nuisance: float) -> float:
    vectors, people = faces(spread, nuisance)
    known = np.arange(len(people)) % 2 == 0
    scores = classify(vectors[known], people[known], vectors[~known])
    return float((scores.argmax(axis=1) == people[~known]).mean())


def test_both_know_people_who_differ() -> None:
    assert right(nearest, 0.1, 0) == right(discriminant, 0.1, 0) == 1


def test_the_mean_photo_is_nearer_than_any_where_photos_differ_at_random() -> None:
    assert right(centroid, 0.8, 0) > right(nearest, 0.8, 0)


def test_training_sees_past_what_varies_within_people() -> None:
    assert right(discriminant, 0.3, 5) > right(nearest, 0.3, 5)


def test_other_people_tell_how_photos_of_one_differ() -> None:
    vectors, people = faces(0.3, 5)
    known = np.arange(len(people)) % EACH == 0  # one of each: they tell nothing of it
    rng = np.random.default_rng(1)
    deviations = rng.normal(0, 0.05, (40, SIZE))
    deviations[:, 0] += rng.normal(0, 0.9, 40)

    def rate(**more: np.ndarray) -> float:
        scores = discriminant(vectors[known], people[known], vectors[~known], **more)
        return float((scores.argmax(axis=1) == people[~known]).mean())

    assert rate(deviations=deviations) > rate() + 0.1


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_knows_people_who_differ(name: str) -> None:
    assert right(CLASSIFIERS[name], 0.1, 0) >= 0.9


def test_attackers_name_what_there_is() -> None:
    assert {c for a in ATTACKERS.values() for c in a.classifiers} <= set(CLASSIFIERS)


def test_rates_are_of_ranks_and_equal_scores_gain_nothing() -> None:
    people = np.array([0, 1, 2, 3, 4, 5])
    scores = np.zeros((6, 6))
    scores[0, 0] = 1  # the first is first; of the others all scores are equal
    rates = identification(scores, people, 200, 0)
    assert rates.rank1.value == pytest.approx(100 / 6)
    assert rates.rank5.value == pytest.approx(100 / 6)
    assert reciprocal_rank(scores, people) == pytest.approx((1 + 5 / 6) / 6)
    scores[1] = [0.5, 0.4, 0.3, 0.2, 0.1, 0]
    assert identification(scores, people, 200, 0).rank5.value == pytest.approx(200 / 6)


def test_acceptance_is_at_one_percent_of_the_wrong_pairs() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(50), 4)
    scores = rng.normal(0, 1, (200, 50))
    rates = identification(scores, people, 500, 0)
    assert rates.tar.value == pytest.approx(1, abs=2)
    scores[np.arange(200), people] += 100
    rates = identification(scores, people, 500, 0)
    assert (rates.tar.low, rates.tar.value, rates.tar.high) == (100, 100, 100)


def test_the_interval_is_over_people() -> None:
    """Of ten people one is always known, the others never: with photos as the unit it is narrow."""
    people = np.repeat(np.arange(10), 50)
    scores = np.zeros((500, 10))
    scores[people == 0, 0] = 1
    rate = identification(scores, people, 2000, 0).rank1
    assert rate.value == pytest.approx(10)
    assert rate.low == 0
    assert rate.high >= 30


def test_what_is_hard_for_both_is_no_part_of_a_difference() -> None:
    """Half of all people are known to both attackers; one knows every tenth person besides."""
    people = np.repeat(np.arange(40), 5)
    scores = np.zeros((200, 40))
    scores[people < 20, people[people < 20]] = 1
    weak = first_by_person(scores, people)
    assert weak.tolist() == [[5.0 * (person < 20), 5.0] for person in range(40)]
    also = np.isin(people, (20, 25, 30, 35))
    scores[also, people[also]] = 1
    paired = difference(first_by_person(scores, people), weak, 2000, 0)
    assert paired.value == pytest.approx(10)
    assert 0 <= paired.low < 10 < paired.high < 25
    spread = identification(scores, people, 2000, 0).rank1
    assert paired.high - paired.low < spread.high - spread.low
    same = difference(weak, weak, 200, 0)
    assert (same.low, same.value, same.high) == (0, 0, 0)


def test_a_difference_takes_other_numbers_of_probes() -> None:
    """`several` asks once for each person, the others once for each photo."""
    one = np.array([[1.0, 1.0], [0.0, 1.0]])
    other = np.array([[1.0, 3.0], [0.0, 3.0]])
    assert difference(one, other, 200, 0).value == pytest.approx(50 - 100 / 6)
