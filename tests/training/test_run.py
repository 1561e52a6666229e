"""Whole trainings, small: what they write, killed, resumed, spoilt."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")
pytest.importorskip("onnx", reason="the export needs it: pip install dartblur[train]")

from tests.training.conftest import Ground

from dartblur.anonymizers import Blur
from dartblur.anonymizers.generator_file import GeneratorMetadata
from dartblur.anonymizers.windows import WindowGeometry
from dartblur.config_file import build_config, read_config
from dartblur.errors import ConfigError, TrainingError
from dartblur.training import algorithm
from dartblur.training import export as exporting
from dartblur.training.checkpoint import read
from dartblur.training.config import TrainingConfig
from dartblur.training.objectives import OBJECTIVES, ForwardPass
from dartblur.training.progress import Report
from dartblur.training.provenance import data_of
from dartblur.training.run import train, training_samples
from dartblur.training.schedule import active


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the package catches it."""


def changed(ground: Ground, tmp_path: Path, changes: dict[str, str]) -> Path:
    text = ground.config.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "changed.toml").write_text(text)
    return tmp_path / "changed.toml"


@dataclass(frozen=True)
class Whole:
    """A training that nothing disturbed: a round of the prior stage and two of Algorithm 1."""

    config: Path
    out: Path


# Each round saved.
WHOLE = {
    "rounds = 8": "prior_rounds = 1\nrounds = 3",
    "save_minutes = 0.5": "save_minutes = 0.0",
    "sheet_rounds = 4": "sheet_rounds = 2",
}


@pytest.fixture(scope="module")
def whole(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    root = tmp_path_factory.mktemp("whole")
    config = changed(ground, root, WHOLE)
    train(config=config, data=ground.data, out=root / "run")
    return Whole(config, root / "run")


def kill_at(monkeypatch: pytest.MonkeyPatch, last: int) -> None:
    report = Report.__call__

    def killing(self: Report, done: int, losses: dict[str, float]) -> None:
        if done > last:
            self.close()
            raise Killed
        report(self, done, losses)

    monkeypatch.setattr(Report, "__call__", killing)


def test_every_round_has_its_row_and_every_second_a_sheet(whole: Whole) -> None:
    rows = list(csv.DictReader((whole.out / "log.csv").open()))
    assert [int(row["round"]) for row in rows] == [1, 2, 3]
    assert all(float(row["prior"]) > 0 for row in rows)
    # The prior stage has no adversaries.
    assert [bool(row["cycle"]) for row in rows] == [False, True, True]
    assert [bool(row["adversary"]) for row in rows] == [False, True, True]
    sheets = sorted(p.name for p in (whole.out / "sheets").iterdir())
    assert sheets == ["000002.png", "000003.png"]


def test_what_is_exported_is_the_average_and_tells_of_its_training(
    ground: Ground, whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[torch.nn.Module, GeneratorMetadata, Path]] = []
    monkeypatch.setattr(exporting, "export_window", lambda *words: given.append(words))
    exporting.export(whole.out, tmp_path / "g.onnx")
    [(net, metadata, target)] = given
    assert target == tmp_path / "g.onnx"
    held = read(whole.out / "checkpoint.pt")
    for name, value in net.state_dict().items():
        assert torch.equal(value, held["average"][name]), name
    assert not torch.equal(held["average"]["last.weight"], held["generator"]["last.weight"])
    assert (metadata.blur, metadata.geometry) == (Blur(), WindowGeometry(24))
    told = metadata.training
    config, said = (
        build_config(TrainingConfig, told["config"], "told"),
        read_config(TrainingConfig, whole.config),
    )
    name = Path(said.start.reference).name
    assert config == replace(said, start=replace(said.start, reference=name))
    assert (told["rounds"], told["version"]) == (3, version("dartblur"))
    assert told["data"] == data_of(ground.data, training_samples(ground.data, config.data))


def test_killed_and_resumed_ends_with_the_same_weights(
    ground: Ground, whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "killed"
    for last in (1, 2):  # before Algorithm 1, whose warm-up is still to come, and in it
        with monkeypatch.context() as patch:
            kill_at(patch, last)
            with pytest.raises(Killed):
                train(config=whole.config, data=ground.data, out=out, resume=last > 1)
        assert read(out / "checkpoint.pt")["round"] == last
    train(config=whole.config, data=ground.data, out=out, resume=True)
    undisturbed, killed = (read(folder / "checkpoint.pt") for folder in (whole.out, out))
    for part in ("generator", "average", "discriminator"):
        for name, value in undisturbed[part].items():
            assert torch.equal(value, killed[part][name]), name
    logs = [(folder / "log.csv").read_text().splitlines() for folder in (whole.out, out)]
    assert [_without_time(line) for line in logs[0]] == [_without_time(line) for line in logs[1]]


def _without_time(line: str) -> list[str]:
    return [cell for i, cell in enumerate(line.split(",")) if i != 1]


def test_a_checkpoint_of_another_configuration_names_the_field(
    ground: Ground, whole: Whole, tmp_path: Path
) -> None:
    out = shutil.copytree(whole.out, tmp_path / "run")
    other = changed(ground, tmp_path, WHOLE | {"cycle = 2.0": "cycle = 3.0"})
    with pytest.raises(TrainingError, match=r"objectives\.cycle"):
        train(config=other, data=ground.data, out=out, resume=True)
    with pytest.raises(TrainingError, match="resume it or give another folder"):
        train(config=whole.config, data=ground.data, out=out)


def test_a_training_is_not_resumed_with_other_labels(
    ground: Ground, whole: Whole, tmp_path: Path
) -> None:
    data = shutil.copytree(ground.data, tmp_path / "data")
    labels = data / "wider_face_split" / "wider_face_train_bbx_gt.txt"
    labels.write_text(labels.read_text().replace("10 20 30 36", "11 20 30 36"))
    out = shutil.copytree(whole.out, tmp_path / "run")
    with pytest.raises(TrainingError, match="made with other photos or labels"):
        train(config=whole.config, data=data, out=out, resume=True)


def test_a_loss_that_is_not_finite_stops_and_names_the_pictures(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every_round = changed(ground, tmp_path, {"save_minutes = 0.5": "save_minutes = 0.0"})
    calls = []

    def spoilt(forward: ForwardPass) -> torch.Tensor:
        calls.append(1)
        return OBJECTIVES["posthoc"](forward) * (float("nan") if len(calls) > 1 else 1.0)

    closed, close = [], Report.close
    monkeypatch.setattr(Report, "close", lambda bar: (closed.append(bar), close(bar)))
    monkeypatch.setattr(algorithm, "OBJECTIVES", {**OBJECTIVES, "posthoc": spoilt})
    with pytest.raises(TrainingError, match=r"round 2: the loss posthoc is nan on \d\.png"):
        train(config=every_round, data=ground.data, out=tmp_path / "run")
    held = read(tmp_path / "run" / "checkpoint.pt")
    assert held["round"] == 1
    assert all(value.isfinite().all() for value in held["generator"].values())
    assert len(closed) == 1  # its thread would go on in whatever comes next


def test_nothing_to_resume(ground: Ground, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="there is no checkpoint"):
        train(config=ground.config, data=ground.data, out=tmp_path / "run", resume=True)


def test_a_damaged_checkpoint(ground: Ground, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(TrainingError, match="damaged"):
        train(config=ground.config, data=ground.data, out=tmp_path, resume=True)


def test_an_unknown_field_is_named(ground: Ground, tmp_path: Path) -> None:
    wrong = changed(ground, tmp_path, {"rounds = 8": "rounds = 8\nroundz = 9"})
    with pytest.raises(ConfigError, match="roundz"):
        train(config=wrong, data=ground.data, out=tmp_path / "run")


def test_bfloat16_starts_with_the_same_losses(ground: Ground, tmp_path: Path) -> None:
    losses = []
    for precision in ("32-true", "bf16-mixed"):
        text = f'rounds = 1\nprecision = "{precision}"'
        train(
            config=changed(ground, tmp_path, {"rounds = 8": text}),
            data=ground.data,
            out=tmp_path / precision,
        )
        (row,) = csv.DictReader((tmp_path / precision / "log.csv").open())
        losses.append(row)
    single, half = losses
    for name in ("operational", "posthoc", "cycle", "adversary"):
        # 8 bits of mantissa; the same pictures and starting values.
        assert float(half[name]) == pytest.approx(float(single[name]), rel=0.03)
        assert half[name] != single[name]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_has_a_switch(ground: Ground, name: str) -> None:
    config = read_config(TrainingConfig, ground.config)
    on, off = (replace(config.objectives, **{name: weight}) for weight in (1.0, 0.0))
    assert name in active(on)
    assert set(active(off)) == set(active(on)) - {name}


def test_what_the_smoke_recipe_leaves_out_trains_too(ground: Ground, tmp_path: Path) -> None:
    switches = 'balanced = true\nadversary_features = 1.0\nupdates = "four"'
    changes = {"balanced = true": switches, "rounds = 8": "rounds = 1"}
    config = changed(ground, tmp_path, changes | {"realism = 0.5\n": ""})
    train(config=config, data=ground.data, out=tmp_path / "run")
    (row,) = csv.DictReader((tmp_path / "run" / "log.csv").open())
    expected = set(active(read_config(TrainingConfig, config).objectives)) | {"adversary"}
    assert {name for name, value in row.items() if value} == expected | {"round", "seconds"}
    # Without realism nobody asks a discriminator.
    assert "discriminator" not in row
    assert "discriminator" not in read(tmp_path / "run" / "checkpoint.pt")
