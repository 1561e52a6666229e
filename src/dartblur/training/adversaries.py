"""The pool of f_g: detectors in training on anonymized pictures, of mixed age and start."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dartblur.nets.base import DetectorNet
from dartblur.nets.families import FAMILIES, Family, begun
from dartblur.training.config import Adversaries
from dartblur.training.detector import DetectorTrainer, Example, Schedule

State = Mapping[str, Tensor]


@dataclass
class Adversary:
    """One f_g with its optimizer; age: steps since its start; birth: its number."""

    net: DetectorNet
    optimizer: torch.optim.Adam
    birth: int
    age: int


class Pool:
    """`settings.size` adversaries, each started afresh at the end of its life.

    reference, backbone: the values of f and those that an untrained detector begins with.
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
        self.births = 0
        self.members = [self._born() for _ in range(settings.size)]

    @property
    def family(self) -> Family:
        """What all adversaries are."""
        return FAMILIES[self.settings.family]

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
            self.members[slot] = self._born()
        return self.members[slot]

    def experienced(self, turn: int) -> Adversary:
        """The adversary of a turn, or the oldest one while that is too young to say anything."""
        own = self.at(turn)
        return own if own.age >= self.settings.burn_in else max(self.members, key=lambda m: m.age)

    def step(self, adversary: Adversary, example: Example) -> Tensor:
        """Line 13 of Algorithm 1: one update on g(x, b) and its labels."""
        trainer = self._trainer(adversary.birth)
        loss = trainer.step(adversary.net, adversary.optimizer, example, adversary.age)
        adversary.age += 1
        return loss

    def state_dict(self) -> dict[str, object]:
        """All that `load_state_dict` needs."""
        members = [
            {
                "net": m.net.state_dict(),
                "optimizer": m.optimizer.state_dict(),
                "birth": m.birth,
                "age": m.age,
            }
            for m in self.members
        ]
        return {"births": self.births, "members": members}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Takes up where `state_dict` was called."""
        members = state["members"]
        assert isinstance(members, list)
        for member, held in zip(self.members, members, strict=True):
            member.net.load_state_dict(held["net"])
            member.optimizer.load_state_dict(held["optimizer"])
            member.birth, member.age = held["birth"], held["age"]
        births = state["births"]
        assert isinstance(births, int)
        self.births = births

    def _warm_up_of(self, member: int) -> int:
        return self.settings.lifetime * member // len(self.members)

    def _from_reference(self, birth: int) -> bool:
        every = self.settings.reference
        return bool(every) and birth % every == every - 1

    def _trainer(self, birth: int) -> DetectorTrainer:
        own = self.settings
        rate = own.reference_rate if self._from_reference(birth) else own.rate
        schedule = Schedule(rate, own.lifetime, own.warm_up)
        return DetectorTrainer(self.family, schedule, own.smoothing, own.clip)

    def _born(self) -> Adversary:
        birth, self.births = self.births, self.births + 1
        values = self.reference if self._from_reference(birth) else self.backbone
        net = begun(self.family, self.seed * 100_003 + birth, values)
        net.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Adversary(net, self._trainer(birth).optimizer(net), birth, 0)
