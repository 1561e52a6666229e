"""One file that holds a whole training."""

from __future__ import annotations

import dataclasses
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dartblur.config_file import build_config, differing_fields
from dartblur.errors import TrainingError
from dartblur.training.config import TrainingConfig

if TYPE_CHECKING:
    from dartblur.training.algorithm import Training

NAME = "checkpoint.pt"
_FREE = ("run.save_minutes", "run.sheet_rounds", "run.threads", "data.workers", "run.device")


def save(training: Training, config: TrainingConfig, out: Path) -> None:
    """Writes the checkpoint of a run beside the old one and then over it.

    Raises:
        TrainingError: it cannot be written, for want of space for example; the old one is kept.
    """
    content = {
        "config": dataclasses.asdict(config),
        "round": training.round,
        "generator": training.generator.state_dict(),
        "average": training.average.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "pool": training.pool.state_dict(),
        "origin": training.origin,
    }
    if training.discriminator is not None:
        content |= {
            "discriminator": training.discriminator.net.state_dict(),
            "discriminator_optimizer": training.discriminator.optimizer.state_dict(),
        }
    write(content, out, f"round {training.round}")


def prepare(out: Path, *, resume: bool) -> None:
    """Makes the folder of a training.

    Raises:
        TrainingError: it cannot be made, or holds a training that is not to be resumed.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"{out}: cannot be made a folder ({error.strerror}); give another"
        ) from error
    if not resume and (out / NAME).exists():
        raise TrainingError(f"{out}: holds a training already; resume it or give another folder")


def write(content: dict[str, Any], out: Path, moment: str) -> None:
    """Writes a checkpoint beside the old one and then over it. moment: "round 7", for messages.

    Raises:
        TrainingError: it cannot be written, for want of space for example; the old one is kept.
    """
    path, partial = out / NAME, out / (NAME + ".part")
    try:
        with partial.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise TrainingError(
            f"{path}: the checkpoint of {moment} cannot be written ({error}); "
            "make room and resume: an earlier checkpoint is kept if there was one"
        ) from error


def read(path: Path) -> dict[str, Any]:
    """The content of a checkpoint.

    Raises:
        TrainingError: there is none, or it is damaged.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise TrainingError(
            f"{path}: there is no checkpoint; give the folder of a training, or begin one there"
        ) from error
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path}: the checkpoint is damaged ({error}); start afresh") from error
    return content


def config_of(content: Mapping[str, Any], path: Path) -> TrainingConfig:
    """The configuration that a checkpoint was made with.

    Raises:
        ConfigError: this version cannot go on with it; `path` begins the message.
    """
    held = {table: dict(fields) for table, fields in content["config"].items()}
    # An earlier version's: how that training began says nothing to one that goes on.
    held["run"].pop("begin_from", None)
    return build_config(TrainingConfig, held, str(path))


def restore(training: Training, config: TrainingConfig, out: Path) -> None:
    """Takes up the run in `out` where it was saved.

    Raises:
        TrainingError: as for `read`, or the checkpoint is of another configuration or other data.
    """
    path = out / NAME
    content = read(path)
    held = config_of(content, path)
    differing = [name for name in differing_fields(held, config) if name not in _FREE]
    if differing:
        raise TrainingError(
            f"{path}: made with another configuration; differing: {', '.join(differing)}; "
            "resume with the same file or give another folder"
        )
    held_origin = content["origin"]
    if held_origin["data"] != training.origin["data"]:
        raise TrainingError(
            f"{path}: made with other photos or labels ({held_origin['data']}) than those given "
            f"({training.origin['data']}); give the same, or another folder"
        )
    commits = [*held_origin["commits"], *training.origin["commits"]]
    training.origin = {**held_origin, "commits": list(dict.fromkeys(commits))}
    training.round = content["round"]
    _fill(training, content, path)


def _fill(training: Training, content: dict[str, Any], path: Path) -> None:
    try:
        training.generator.load_state_dict(content["generator"])
        training.average.load_state_dict(content["average"])
        training.optimizer.load_state_dict(content["optimizer"])
        training.pool.load_state_dict(content["pool"])
        if training.discriminator is not None:
            training.discriminator.net.load_state_dict(content["discriminator"])
            training.discriminator.optimizer.load_state_dict(content["discriminator_optimizer"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise TrainingError(f"{path}: holds other nets than the configuration ({error})") from error
