"""A training that notes what each of its processes holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from dartblur.training import checkpoint, fit
from dartblur.training.algorithm import Training
from dartblur.training.run import train


def noting(out: Path, one_round: Callable[..., Any]) -> Callable[..., Any]:
    """`one_round` with notes of what it left: after each round OUT/ROUND-PROCESS.pt.

    They hold losses, g, the moments of its Adam, and every f_g. OUT/start gets the state before
    round 1.
    """

    def noted(training: Training, *rest: Any) -> Any:
        config, fabric = rest[-2:]
        if training.round == 0 and fabric.is_global_zero:
            (out / "start").mkdir(parents=True, exist_ok=True)
            checkpoint.save(training, config, out / "start")
        losses, painted = one_round(training, *rest)
        optimizer = training.optimizer.state_dict()["state"]
        note = {
            "losses": torch.tensor([losses[name] for name in sorted(losses)]),
            "generator": training.generator.state_dict(),
            "moments": {str(i): state["exp_avg"] for i, state in optimizer.items()},
            **{f"f_g {i}": m.net.state_dict() for i, m in enumerate(training.pool.members)},
        }
        torch.save(note, out / f"{training.round + 1}-{fabric.global_rank}.pt")
        return losses, painted

    return noted


def train_noting(config: Path, data: Path, out: Path) -> None:
    """Trains as one of the processes that torchrun starts."""
    fit.one_round = noting(out, fit.one_round)
    train(config=config, data=data, out=out / "run")
