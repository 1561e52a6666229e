"""What a generator's file tells of its training."""

from __future__ import annotations

from dataclasses import asdict

from dartblur.training.config import TrainingConfig
from dartblur.training.provenance import record
from dartblur.training.reference import Start


def test_of_files_only_the_names_are_told() -> None:
    start = Start("/home/ada/secret project/f.pth", "reference")
    config = asdict(TrainingConfig(start=start))
    told = record(config, 7, {"commits": ["c"]})
    assert told["config"]["start"] == {"reference": "f.pth", "backbone": "reference"}
    assert "/ada" not in str(told)
    assert "secret" not in str(told)
    # The rest is as it was given, and what was given is left alone.
    assert told["config"]["blur"] == config["blur"]
    assert (told["rounds"], told["commits"]) == (7, ["c"])
    assert config["start"]["reference"] == "/home/ada/secret project/f.pth"
