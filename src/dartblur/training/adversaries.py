"""The pool of f_g: detectors in training on anonymized pictures, of mixed age and start."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dartblur.nets.base import DetectorNet
from dartblur.nets.families import FAMILIES, PRETRAINED, Family, begun
from dartblur.training.config import Adversaries
from dartblur.training.detector import DetectorTrainer, Example, Schedule

State = Mapping[str, Tensor]


@dataclass
class Adversary:
    """One f_g with its optimizer; age: steps since its start; number: in order of starts."""

    family: Family
    net: DetectorNet
    optimizer: torch.optim.Adam
    number: int
    age: int


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

    def warm_up_steps(self) -> int:
        """How many steps `warm_up` takes."""
        return sum(self._warm_up_of(i) for i in range(len(self.members)))

    def warm_up(self, examples: Iterator[Example], after: Callable[[Adversary], None]) -> None:
        """Gives the first members ages spread over a lifetime; `after` follows every step."""
        for i, member in enumerate(self.members):
            for example in itertools.islice(examples, self._warm_up_of(i)):
                self.step(member, example)
                after(member)

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

    def step(self, adversary: Adversary, example: Example) -> Tensor:
        """Line 13 of Algorithm 1: one update on g(x, b) and its labels."""
        trainer = self._trainer(adversary.number)
        loss = trainer.step(adversary.net, adversary.optimizer, example, adversary.age)
        adversary.age += 1
        return loss

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

    def _warm_up_of(self, member: int) -> int:
        return self.settings.lifetime * member // len(self.members)

    def _family(self, number: int) -> str:
        families = self.settings.families
        return families[number % len(families)]

    def _from_reference(self, number: int) -> bool:
        every, families = self.settings.reference, self.settings.families
        of_family = number // len(families)
        own = self._family(number) == PRETRAINED
        return own and bool(every) and of_family % every == every - 1

    def _trainer(self, number: int) -> DetectorTrainer:
        own = self.settings
        rate = own.reference_rate if self._from_reference(number) else own.rate
        schedule = Schedule(rate, own.lifetime, own.warm_up)
        family = FAMILIES[self._family(number)]
        return DetectorTrainer(family, schedule, own.smoothing, own.clip)

    def _start(self, number: int) -> Adversary:
        values = self.reference if self._from_reference(number) else self.backbone
        trainer = self._trainer(number)
        known = values if self._family(number) == PRETRAINED else {}
        net = begun(trainer.family, self.seed * 100_003 + number, known)
        net.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Adversary(trainer.family, net, trainer.optimizer(net), number, 0)
