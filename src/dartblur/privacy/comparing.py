"""What a generator tells of a person beside what its own blur does: attackers on both, paired."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dartblur.privacy.plan import Attack, Plan
from dartblur.privacy.scoring import difference

STRONGEST = "strongest"


def compared(plan: Plan, stages: Path, resamples: int, seed: int) -> list[dict[str, Any]]:
    """By how many points of rank-1 attackers on generators are above those on their own blur.

    A row for each attacker, and for the strongest on the one and on the other, with its 95 %
    interval over people; see `difference`. stages: the folder in which the plan's are made.
    """
    rows = []
    for one, other, name in _pairs(plan, stages):
        paired = difference(one.first(stages), other.first(stages), resamples, seed)
        rows.append({
            "method": one.method, "than": other.method, "size": one.size,
            "alignment": one.alignment, "recognizer": one.recognizer, "attacker": name,
            "difference": round(paired.value, 2), "low": round(paired.low, 2),
            "high": round(paired.high, 2),
        })  # fmt: skip
    return rows


def _pairs(plan: Plan, stages: Path) -> Iterator[tuple[Attack, Attack, str]]:
    """The same attacker, by name, on a generator and on its blur; then the strongest on each."""
    cells: dict[tuple[Any, ...], list[Attack]] = {}
    for attack in plan.attacks:
        key = attack.method, attack.size, attack.alignment, attack.recognizer
        cells.setdefault(key, []).append(attack)

    def rank1(attack: Attack) -> float:
        return float(attack.row(stages)["rank1"])

    for (method, *where), attacks in cells.items():
        others = cells.get((plan.blurs.get(method), *where), [])
        named = {other.attacker: other for other in others}
        for attack in attacks:
            if attack.attacker in named:
                yield attack, named[attack.attacker], attack.attacker
        if others:
            yield max(attacks, key=rank1), max(others, key=rank1), STRONGEST
