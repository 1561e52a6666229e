"""A training in rounds, which goes on where an earlier call of it stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from dartblur.training.detector import Schedule


def rounds(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    until: int,
    before: Path | None,
) -> Iterator[int]:
    """The rounds up to `until` that are left, each after the learning rate is set for it.

    before: what an earlier call wrote: network, optimizer and round; they are taken up first.
    """
    begin = 0
    if before is not None:
        state = torch.load(before, weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        begin = state["round"]
    for number in range(begin, until):
        for group in optimizer.param_groups:
            group["lr"] = schedule.at(number)
        yield number
