"""The pool of f_g: detectors in training on anonymized pictures, of mixed age and start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dartblur.nets.families import FAMILIES, PRETRAINED, seeded
from dartblur.training.config import Adversaries
from dartblur.training.detector import DetectorTrainer, Schedule

State = Mapping[str, Tensor]


@dataclass
class Adversary(DetectorTrainer):
    """One f_g. number: in order of starts."""

    number: int = 0


class Pool:
    """`settings.size` adversaries, of the families by turns, each replaced at the end of its life.

    reference, backbone: the values of f, and those that an untrained one of its family begins with.
    """

    def __init__(
        self,
        settings: Adversaries,
        reference: State,
        backbone: State,
        seed: int,
        device: torch.device,
    ) -> None:
        self.settings, self.reference, self.backbone = settings, reference, backbone
        self.seed, self.device = seed, device
        self.members = [self._start(number) for number in range(settings.size)]
        self.started = settings.size

    def warm_up_turns(self) -> list[Adversary]:
        """Whose each step is that gives the first members ages spread over a lifetime."""
        lifetime, count = self.settings.lifetime, len(self.members)
        return [m for i, m in enumerate(self.members) for _ in range(lifetime * i // count)]

    def at(self, turn: int) -> Adversary:
        """The adversary of a turn; a new one where the last reached its age."""
        slot = turn % len(self.members)
        if self.members[slot].age >= self.settings.lifetime:
            self.members[slot] = self._start(self.started)
            self.started += 1
        return self.members[slot]

    def experienced(self, turn: int) -> Adversary:
        """The adversary of a turn, or the oldest one while that is too young to say anything."""
        own = self.at(turn)
        return own if own.age >= self.settings.burn_in else max(self.members, key=lambda m: m.age)

    def state_dict(self) -> dict[str, object]:
        """All that `load_state_dict` needs."""
        members = [
            {
                "net": m.net.state_dict(),
                "optimizer": m.optimizer.state_dict(),
                "number": m.number,
                "age": m.age,
            }
            for m in self.members
        ]
        return {"started": self.started, "members": members}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Takes up where `state_dict` was called."""
        members = state["members"]
        assert isinstance(members, list)
        started = state["started"]
        assert isinstance(started, int)
        self.members = [self._start(held["number"]) for held in members]
        self.started = started
        for member, held in zip(self.members, members, strict=True):
            member.net.load_state_dict(held["net"])
            member.optimizer.load_state_dict(held["optimizer"])
            member.age = held["age"]

    def _family(self, number: int) -> str:
        families = self.settings.families
        return families[number % len(families)]

    def _from_reference(self, number: int) -> bool:
        every, families = self.settings.reference, self.settings.families
        of_family = number // len(families)
        own = self._family(number) == PRETRAINED
        return own and bool(every) and of_family % every == every - 1

    def _start(self, number: int) -> Adversary:
        own, name = self.settings, self._family(number)
        values, rate = self.backbone, own.rate
        if self._from_reference(number):
            values, rate = self.reference, own.reference_rate
        known = values if name == PRETRAINED else {}
        net = seeded(FAMILIES[name], self.seed * 100_003 + number, known)
        net.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        schedule = Schedule(rate, own.lifetime, own.warm_up)
        return Adversary(FAMILIES[name], net, schedule, own.smoothing, own.clip, number=number)
