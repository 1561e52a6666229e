"""Every configuration that ships can be read, and every wrong one is named."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from dartblur import toml
from dartblur.errors import ConfigError
from dartblur.training import checkpoint
from dartblur.training.config import Objectives, TrainingConfig
from dartblur.training.schedule import Turn, generator_rate, turn_of

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize(
    "name", ["paper", *(f"compact-{i}" for i in range(1, 6)), "compact", "smoke"]
)
def test_shipped_configurations_parse(name: str) -> None:
    toml.read(TrainingConfig, CONFIGS / f"{name}.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[data]\ncrops = 3\n", "unknown field 'crops'"),
        ("[data]\ncrop = 'wide'\n", "data: crop: expected int"),
        ("[data]\nscale = [1.0]\n", "scale: expected 2 values"),
        ("[generator]\nkind = 'gan'\n", "kind: 'gan' is none of 'window', 'unet'"),
        ("[run]\nrounds = true\n", "rounds: expected int"),
        ("[run\n", "cannot be read as TOML"),
    ],
)
def test_wrong_ones_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        toml.read(TrainingConfig, path)
    assert str(path) in str(caught.value)


def test_whole_numbers_pass_for_fractions(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[objectives]\ncycle = 2\n")
    assert toml.read(TrainingConfig, tmp_path / "c.toml").objectives == Objectives(cycle=2.0)


def test_differing_fields_are_named() -> None:
    one = TrainingConfig()
    other = toml.build(TrainingConfig, {"inner": {"steps": 2}, "run": {"seed": 5}}, "here")
    assert toml.differing(one, other) == ["inner.steps", "run.seed"]


def test_epochs_need_a_length() -> None:
    for table in ({"adversaries": {"epochs": 3}}, {"generator": {"epoch_decay": 0.9}}):
        with pytest.raises(ConfigError, match=r"here: .*run\.epoch"):
            toml.build(TrainingConfig, table, "here")


def test_a_configuration_from_before_a_field_was_there_is_the_same_configuration() -> None:
    """So that a checkpoint of an earlier version can be resumed."""
    held = checkpoint.listed(dataclasses.asdict(TrainingConfig()))
    for table, name in (
        ("data", "found"),
        ("data", "overlap"),
        ("generator", "epoch_decay"),
        ("adversaries", "epochs"),
        ("run", "epoch"),
    ):
        del held[table][name]
    assert toml.build(TrainingConfig, held, "here") == TrainingConfig()


def test_the_paper_s_schedule() -> None:
    """Three epochs of f_g, then one of g; g's rate falls after each of its own epochs."""
    config = toml.read(TrainingConfig, CONFIGS / "paper.toml")
    epoch = config.run.epoch
    turns = [turn_of(config, n * epoch + k) for n in range(8) for k in (0, epoch - 1)]
    alone, own = [Turn(False, True)] * 6, [Turn(True, False)] * 2
    assert turns == [*alone, *own, *alone, *own]
    rates = [generator_rate(config, (4 * n + 3) * epoch) for n in (0, 1, 99)]
    assert rates == pytest.approx([2e-4, 2e-4 * 0.925, 2e-4 * 0.925**99])
    assert config.run.rounds == 400 * epoch


def test_the_default_schedule_is_a_cosine_for_all_at_once() -> None:
    config = TrainingConfig()
    assert turn_of(config, 7) == Turn(True, True)
    first, last = (generator_rate(config, n) for n in (0, config.run.rounds))
    assert first == pytest.approx(config.generator.rate / config.generator.warm_up)
    assert last == pytest.approx(config.generator.rate * config.generator.decay)
