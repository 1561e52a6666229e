"""Every configuration that ships can be read, and every wrong one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from dartblur import toml
from dartblur.errors import ConfigError
from dartblur.training.config import Objectives, TrainingConfig

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("name", ["paper", "compact-start", "compact", "smoke"])
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
