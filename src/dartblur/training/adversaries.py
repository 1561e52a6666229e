"""The pool of f_g: detectors in training on anonymized pictures, of mixed age and start."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from dartblur.detection import Schedule, detector_step
from dartblur.losses.multibox import MultiBox, Targets
from dartblur.nets.retinaface import RetinaFace
from dartblur.training.config import Adversaries

State = dict[str, Tensor]


@dataclass
class Adversary:
    """One f_g with its optimizer; age: steps since its start; birth: its number."""

    net: RetinaFace
    optimizer: torch.optim.Adam
    birth: int
    age: int


class Pool:
    """`settings.size` adversaries, each started afresh at the end of its life.

    reference, backbone: the values of f and of the untrained detector with its ImageNet backbone.
    """

    def __init__(self, settings: Adversaries, reference: State, backbone: State, seed: int) -> None:
        self.settings, self.reference, self.backbone, self.seed = (
            settings,
            reference,
            backbone,
            seed,
        )
        self.births = 0
        self.members = [self._born() for _ in range(settings.size)]

    def warm_up_steps(self) -> int:
        """How many steps `warm_up` takes."""
        return sum(self.settings.lifetime * i // len(self.members) for i in range(self.births))

    def warm_up(
        self, examples: Iterator[tuple[Tensor, Targets]], after: Callable[[Adversary], None]
    ) -> None:
        """Gives the first members ages spread over a lifetime; `after` follows every step."""
        for i, member in enumerate(self.members):
            for images, targets in itertools.islice(
                examples, self.settings.lifetime * i // len(self.members)
            ):
                self.step(member, images, targets)
                after(member)

    def at(self, turn: int) -> Adversary:
        """The adversary of a turn; a new one where the last reached its age."""
        slot = turn % len(self.members)
        if self.members[slot].age >= self.settings.lifetime:
            self.members[slot] = self._born()
        return self.members[slot]

    def judge(self, turn: int) -> Adversary:
        """The adversary of a turn, or the oldest one while that is too young to say anything."""
        own = self.at(turn)
        return own if own.age >= self.settings.burn_in else max(self.members, key=lambda m: m.age)

    def step(self, adversary: Adversary, images: Tensor, targets: Targets) -> Tensor:
        """Step 5: one update on g(x, b) and its labels."""
        base = (
            self.settings.reference_rate
            if self._from_reference(adversary.birth)
            else self.settings.rate
        )
        rate = Schedule(base, self.settings.lifetime, self.settings.warm_up).at(adversary.age)
        for group in adversary.optimizer.param_groups:
            group["lr"] = rate
        loss = MultiBox(smoothing=self.settings.smoothing)
        adversary.age += 1
        return detector_step(
            adversary.net, adversary.optimizer, images, targets, loss, self.settings.clip
        )

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

    def _from_reference(self, birth: int) -> bool:
        every = self.settings.reference
        return bool(every) and birth % every == every - 1

    def _born(self) -> Adversary:
        birth, self.births = self.births, self.births + 1
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed * 100_003 + birth)
            net = RetinaFace()
        if self._from_reference(birth):
            net.load_state_dict(self.reference)
        else:
            backbone = {k: v for k, v in self.backbone.items() if k.startswith("backbone.")}
            net.load_state_dict({**net.state_dict(), **backbone})
        device = next(iter(self.reference.values())).device
        net = net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Adversary(net, torch.optim.Adam(net.parameters(), lr=self.settings.rate), birth, 0)
