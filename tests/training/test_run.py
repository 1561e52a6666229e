"""Whole trainings, small: from configuration to anonymized picture, killed, resumed, spoilt."""

from __future__ import annotations

import csv
import errno
import os
import shutil
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from tests.training.conftest import Ground

from dartblur.anonymizers import Blur, Dartblur
from dartblur.anonymizers.windows import WindowGeometry
from dartblur.config_file import build_config, read_config
from dartblur.errors import ConfigError, TrainingError
from dartblur.faces import Faces
from dartblur.training import algorithm
from dartblur.training.checkpoint import read
from dartblur.training.config import TrainingConfig
from dartblur.training.export import export
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


def short(ground: Ground, tmp_path: Path) -> Path:
    """Three rounds, each of them saved."""
    text = ground.config.read_text().replace("rounds = 8", "rounds = 3")
    (tmp_path / "short.toml").write_text(text.replace("save_minutes = 0.5", "save_minutes = 0.0"))
    return tmp_path / "short.toml"


def kill_at(monkeypatch: pytest.MonkeyPatch, last: int) -> None:
    report = Report.__call__

    def killing(self: Report, done: int, losses: dict[str, float]) -> None:
        if done > last:
            self.close()
            raise Killed
        report(self, done, losses)

    monkeypatch.setattr(Report, "__call__", killing)


def test_train_export_anonymize(ground: Ground, tmp_path: Path) -> None:
    changes = {"rounds = 8": "prior_rounds = 1\nrounds = 4", "sheet_rounds = 4": "sheet_rounds = 2"}
    file = changed(ground, tmp_path, changes)
    train(config=file, data=ground.data, out=tmp_path / "run")
    export(tmp_path / "run", tmp_path / "g.onnx")
    metadata = Dartblur(tmp_path / "g.onnx").metadata
    assert (metadata.blur, metadata.geometry) == (Blur(), WindowGeometry(24))
    told = metadata.training
    config, given = (
        build_config(TrainingConfig, told["config"], "told"),
        read_config(TrainingConfig, file),
    )
    name = Path(given.start.reference).name
    assert config == replace(given, start=replace(given.start, reference=name))
    assert (told["rounds"], told["version"]) == (4, version("dartblur"))
    assert told["data"] == data_of(ground.data, training_samples(ground.data, config.data))
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (90, 120, 3), np.uint8)
    out = Dartblur(tmp_path / "g.onnx")(image, Faces(np.array([[30, 20, 70, 80]], np.float32)))
    changed_pixels = (out != image).any(axis=2)
    assert changed_pixels[20:80, 30:70].mean() > 0.9
    changed_pixels[20:80, 30:70] = False
    assert not changed_pixels.any()
    rows = list(csv.DictReader((tmp_path / "run" / "log.csv").open()))
    assert [int(row["round"]) for row in rows] == list(range(1, 5))
    assert all(float(row["prior"]) > 0 for row in rows)
    # The prior stage has no adversaries.
    assert [bool(row["cycle"]) for row in rows] == [False] + [True] * 3
    assert [bool(row["adversary"]) for row in rows] == [False] + [True] * 3
    assert sorted(p.name for p in (tmp_path / "run" / "sheets").iterdir()) == [
        "000002.png",
        "000004.png",
    ]


@pytest.mark.parametrize("prior", [0, 2])  # killed in Algorithm 1, and before it
def test_killed_and_resumed_ends_with_the_same_weights(
    prior: int, ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every_round = short(ground, tmp_path)
    text = every_round.read_text().replace("\nrounds", f"\nprior_rounds = {prior}\nrounds")
    every_round.write_text(text)
    train(config=every_round, data=ground.data, out=tmp_path / "whole")
    with monkeypatch.context() as patch:
        kill_at(patch, last=1)
        with pytest.raises(Killed):
            train(config=every_round, data=ground.data, out=tmp_path / "killed")
    assert read(tmp_path / "killed" / "checkpoint.pt")["round"] == 1
    train(config=every_round, data=ground.data, out=tmp_path / "killed", resume=True)
    whole, killed = (read(tmp_path / name / "checkpoint.pt") for name in ("whole", "killed"))
    for part in ("generator", "average", "discriminator"):
        for name, value in whole[part].items():
            assert torch.equal(value, killed[part][name]), name
    logs = [(tmp_path / name / "log.csv").read_text().splitlines() for name in ("whole", "killed")]
    assert [_without_time(line) for line in logs[0]] == [_without_time(line) for line in logs[1]]


def _without_time(line: str) -> list[str]:
    return [cell for i, cell in enumerate(line.split(",")) if i != 1]


def test_a_checkpoint_of_another_configuration_names_the_field(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every_round = short(ground, tmp_path)
    kill_at(monkeypatch, last=1)
    with pytest.raises(Killed):
        train(config=every_round, data=ground.data, out=tmp_path / "run")
    other = changed(ground, tmp_path, {"cycle = 2.0": "cycle = 3.0"})
    with pytest.raises(TrainingError, match=r"objectives\.cycle"):
        train(config=other, data=ground.data, out=tmp_path / "run", resume=True)
    with pytest.raises(TrainingError, match="resume it or give another folder"):
        train(config=ground.config, data=ground.data, out=tmp_path / "run")


def test_a_training_is_not_resumed_with_other_labels(ground: Ground, tmp_path: Path) -> None:
    config = changed(ground, tmp_path, {"rounds = 8": "rounds = 1"})
    train(config=config, data=ground.data, out=tmp_path / "run")
    data = tmp_path / "data"
    shutil.copytree(ground.data, data)
    labels = data / "wider_face_split" / "wider_face_train_bbx_gt.txt"
    labels.write_text(labels.read_text().replace("10 20 30 36", "11 20 30 36"))
    with pytest.raises(TrainingError, match="made with other photos or labels"):
        train(config=config, data=data, out=tmp_path / "run", resume=True)


def test_a_loss_that_is_not_finite_stops_and_names_the_pictures(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every_round = short(ground, tmp_path)
    calls = []

    def spoilt(forward: ForwardPass) -> torch.Tensor:
        calls.append(1)
        return OBJECTIVES["posthoc"](forward) * (float("nan") if len(calls) > 2 else 1.0)

    closed, close = [], Report.close
    monkeypatch.setattr(Report, "close", lambda bar: (closed.append(bar), close(bar)))
    monkeypatch.setattr(algorithm, "OBJECTIVES", {**OBJECTIVES, "posthoc": spoilt})
    with pytest.raises(TrainingError, match=r"round 3: the loss posthoc is nan on \d\.png"):
        train(config=every_round, data=ground.data, out=tmp_path / "run")
    held = read(tmp_path / "run" / "checkpoint.pt")
    assert held["round"] == 2
    assert all(value.isfinite().all() for value in held["generator"].values())
    assert len(closed) == 1  # its thread would go on in whatever comes next


def test_no_space_for_a_checkpoint(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every_round = short(ground, tmp_path)
    save = torch.save
    calls = []

    def full(content: object, file: Any) -> None:
        calls.append(1)
        if len(calls) > 1:
            file.write(b"half of it")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(content, file)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match="No space left"):
        train(config=every_round, data=ground.data, out=tmp_path / "run")
    assert [p.name for p in (tmp_path / "run").glob("checkpoint*")] == ["checkpoint.pt"]
    assert read(tmp_path / "run" / "checkpoint.pt")["round"] == 1


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


@pytest.mark.parametrize("switch", ["adversary_features = 1.0", 'updates = "four"'])
def test_what_the_smoke_recipe_leaves_out_trains_too(
    ground: Ground, tmp_path: Path, switch: str
) -> None:
    changes = {"balanced = true": f"balanced = true\n{switch}", "rounds = 8": "rounds = 1"}
    config = changed(ground, tmp_path, changes | {"realism = 0.5\n": ""})
    train(config=config, data=ground.data, out=tmp_path / "run")
    (row,) = csv.DictReader((tmp_path / "run" / "log.csv").open())
    expected = set(active(read_config(TrainingConfig, config).objectives)) | {"adversary"}
    assert {name for name, value in row.items() if value} == expected | {"round", "seconds"}
    # Without realism nobody asks a discriminator.
    assert "discriminator" not in row
    assert "discriminator" not in read(tmp_path / "run" / "checkpoint.pt")


@pytest.mark.parametrize("balanced", ["true", "false"])
def test_without_the_second_order_the_cycle_loss_moves_nothing(
    ground: Ground, tmp_path: Path, balanced: str
) -> None:
    weights = {}
    for name, text in {"first": "2.0\nfirst_order = true", "none": "0.0", "second": "2.0"}.items():
        changes = {"cycle = 2.0": f"cycle = {text}", "rounds = 8": "rounds = 1"}
        changes["balanced = true"] = f"balanced = {balanced}"
        config = changed(ground, tmp_path, changes)
        train(config=config, data=ground.data, out=tmp_path / name)
        weights[name] = read(tmp_path / name / "checkpoint.pt")["generator"]["last.weight"]
    assert torch.equal(weights["first"], weights["none"])
    assert not torch.equal(weights["first"], weights["second"])
