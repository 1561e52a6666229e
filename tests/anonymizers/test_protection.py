"""What --protect promises is what was measured, and what its words say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from dartblur.anonymizers import make_anonymizer
from dartblur.anonymizers.protection import PROTECTIONS, ProtectionName
from dartblur.batch.options import AnonymizationOptions

REPOSITORY = Path(__file__).parents[2]
# Rows of the run.
ROWS = {"photos": "soft", "data": "dartblur-wide", "strict": "block-head"}


def test_every_name_has_a_method_that_can_be_made() -> None:
    assert tuple(PROTECTIONS) == get_args(ProtectionName) == tuple(ROWS)
    for each in PROTECTIONS.values():
        make_anonymizer(each.method, each.settings)


@pytest.mark.parametrize("name", PROTECTIONS)
def test_its_figure_is_the_strongest_attackers(name: ProtectionName) -> None:
    rows = json.loads((REPOSITORY / "results" / "attack-large.json").read_text())["rows"]
    rates = [row["rank1"] for row in rows if (row["method"], row["size"]) == (ROWS[name], 64)]
    assert PROTECTIONS[name].recognized == round(max(rates))


def test_the_help_tells_the_figures() -> None:
    told = " ".join((AnonymizationOptions.__doc__ or "").split())
    photos, data, strict = (each.recognized for each in PROTECTIONS.values())
    assert f"recognized {photos}, {data} and {strict}, by chance" in told
    page = (REPOSITORY / "docs" / "privacy.md").read_text()
    for name, each in PROTECTIONS.items():
        assert f"| `{name}` | {each.recognized} |" in page


def test_it_makes_the_same_as_what_it_stands_for() -> None:
    protected = AnonymizationOptions(protect="strict")
    same = AnonymizationOptions(method="block", margin=PROTECTIONS["strict"].margin)
    assert protected == same
    assert protected.digest() == same.digest() != AnonymizationOptions(method="block").digest()
    assert AnonymizationOptions(protect="strict", margin=0.8).margin == 0.8  # never less
    photos = AnonymizationOptions(protect="photos")
    assert photos.digest() == AnonymizationOptions().digest()
    assert photos.digest() != AnonymizationOptions(protect="data").digest()
