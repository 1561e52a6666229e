"""From a protocol to the stages that it takes, and to the rows of figures that they give."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dartblur.errors import ConfigError
from dartblur.privacy.attackers import ATTACKERS
from dartblur.privacy.config import AttackConfig
from dartblur.privacy.methods import CLEAR, METHODS, UNDO
from dartblur.privacy.people import read_people
from dartblur.privacy.recognizers import RECOGNIZERS
from dartblur.privacy.work import Embed, Judge, Locate
from dartblur.stages.stage import Stage, digest_of


@dataclass(frozen=True)
class Attack:
    """One attacker on one method; `judge` is the stage that says how often it is right."""

    method: str
    size: int
    recognizer: str
    attacker: str
    judge: Stage

    def row(self, stages: Path) -> dict[str, Any]:
        """Its rates in percent, once the stage is made in that folder."""
        row: dict[str, Any] = {
            "method": self.method,
            "size": self.size,
            "recognizer": self.recognizer,
            "attacker": self.attacker,
        }
        for name, rate in json.loads(self.judge.path(stages).read_text()).items():
            row[name] = round(rate["value"], 2)
            row[f"{name}_low"], row[f"{name}_high"] = round(rate["low"], 2), round(rate["high"], 2)
        return row


@dataclass(frozen=True)
class Plan:
    """The stages in an order in which each finds its inputs; people and photos in it."""

    stages: tuple[Stage, ...]
    attacks: tuple[Attack, ...]
    people: int
    photos: int


def make_plan(config: AttackConfig, data: Path) -> Plan:
    """Everything that the protocol takes; reads all photos, to hash them.

    Raises:
        ConfigError: the protocol names what is not there.
        InputError: the photos are too few, or cannot be read.
        UsageError: the package of a recognizer is missing.
    """
    check(config)
    for name in config.recognizers:
        RECOGNIZERS[name]()
    photos = tuple(read_people(data, config.people, config.photos))
    digest = digest_of(data / photo.path for photo in photos)
    locate = Stage("find the faces", Locate(data, photos, config.detector, digest))
    attacks: list[Attack] = []
    for size in config.sizes:
        for recognizer in config.recognizers:
            plain = Embed(data, photos, CLEAR, size, recognizer)
            clear = Stage(_title(plain), plain, (locate,))
            for method in (CLEAR, *config.methods):
                work = _brought(replace(plain, method=method), config)
                hidden = Stage(_title(work), work, (locate,))
                for name in config.attackers:
                    attacker = ATTACKERS[name]
                    if method == CLEAR and name == "parrot":
                        continue  # the naive one does the same
                    seen = hidden
                    if attacker.undone:
                        if method not in UNDO:
                            continue
                        undone = replace(work, undone=True)
                        seen = Stage(_title(undone), undone, (locate,))
                    judge = Stage(
                        f"{size} px, {recognizer}: judge {name} on {method}",
                        Judge(photos, name, config.resamples, config.seed),
                        (clear, seen),
                    )
                    attacks.append(Attack(method, size, recognizer, name, judge))
    stages: dict[str, Stage] = {locate.key: locate}
    for attack in attacks:
        for stage in (*attack.judge.inputs, attack.judge):
            stages.setdefault(stage.key, stage)
    people = len({photo.person for photo in photos})
    return Plan(tuple(stages.values()), tuple(attacks), people, len(photos))


def check(config: AttackConfig) -> None:
    """Refuses a protocol that names what is not there.

    Raises:
        ConfigError: with the name, and with what there is.
    """
    brought = (*config.generators, *config.anonymized)
    for name in brought:
        if name in (CLEAR, *METHODS) or brought.count(name) > 1:
            raise ConfigError(f"method name {name!r} is taken; give another one")
    lists = {
        "method": (config.methods, (*METHODS, *brought)),
        "attacker": (config.attackers, tuple(ATTACKERS)),
        "recognizer": (config.recognizers, tuple(RECOGNIZERS)),
    }
    for what, (names, known) in lists.items():
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"{what}s: {names!r} is empty or names something twice")
        for name in names:
            if name not in known:
                raise ConfigError(f"there is no {what} {name!r}; there are {', '.join(known)}")
    if not config.sizes or min(config.sizes) < 8:
        raise ConfigError(f"sizes: {config.sizes!r} must be of 8 pixels and more")


def _brought(work: Embed, config: AttackConfig) -> Embed:
    """The work with the file or the folder of a method that is brought."""
    if work.method in config.generators:
        file = Path(config.generators[work.method])
        return replace(work, generator=file, digest=digest_of([file]))
    if work.method in config.anonymized:
        folder = Path(config.anonymized[work.method])
        digest = digest_of(folder / photo.path for photo in work.photos)
        return replace(work, folder=folder, digest=digest)
    return work


def _title(work: Embed) -> str:
    undone = " and undo it" if work.undone else ""
    return f"{work.size} px, {work.recognizer}: hide by {work.method}{undone}, embed"
