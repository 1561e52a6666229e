"""From a protocol to the stages that it takes, and to the rows of figures that they give."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

from dartblur.errors import ConfigError
from dartblur.privacy.attackers import ATTACKERS, Attacker
from dartblur.privacy.config import AttackConfig
from dartblur.privacy.judge import Judge
from dartblur.privacy.methods import CLEAR, DAMPINGS, METHODS, UNDO
from dartblur.privacy.people import Photo, read_people
from dartblur.privacy.recognizers import RECOGNIZERS
from dartblur.privacy.views import Alignment, Hiding
from dartblur.privacy.work import Embed, Locate
from dartblur.stages.stage import Stage, digest_of


@dataclass(frozen=True)
class Attack:
    """One attacker on one method; `judge` is the stage that says how often it is right."""

    method: str
    size: int
    alignment: str
    recognizer: str
    attacker: str
    judge: Stage

    def row(self, stages: Path) -> dict[str, Any]:
        """Its rates in percent, once the stage is made in that folder."""
        told = json.loads(self.judge.path(stages).read_text())
        row: dict[str, Any] = {
            "method": self.method,
            "size": self.size,
            "alignment": self.alignment,
            "recognizer": self.recognizer,
            "attacker": self.attacker,
            "chosen": told.pop("chosen"),
        }
        for name, rate in told.items():
            row[name] = round(rate["value"], 2)
            row[f"{name}_low"], row[f"{name}_high"] = round(rate["low"], 2), round(rate["high"], 2)
        return row


@dataclass(frozen=True)
class Plan:
    """The stages in an order in which each finds its inputs; who is judged, on how many photos."""

    stages: tuple[Stage, ...]
    attacks: tuple[Attack, ...]
    people: int
    photos: int
    validation: int


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
    everyone = read_people(data, config.people, config.photos, config.validation)
    photos = tuple(photo for photo in everyone if photo.group != "others")
    digest = digest_of(data / photo.path for photo in photos)
    locate = Stage("find the faces", Locate(data, photos, config.detector, digest))
    attacks = tuple(_Planner(config, data, photos, locate).attacks())
    stages: dict[str, Stage] = {}
    for attack in attacks:
        for stage in _with_inputs(attack.judge):
            stages.setdefault(stage.key, stage)
    judged = [photo for photo in photos if photo.group == "judged"]
    people = len({photo.person for photo in judged})
    return Plan(tuple(stages.values()), attacks, people, len(judged), config.validation)


@dataclass(frozen=True)
class _Planner:
    """What all attacks of a protocol share."""

    config: AttackConfig
    data: Path
    photos: tuple[Photo, ...]
    locate: Stage

    def attacks(self) -> Iterator[Attack]:
        """Every attacker on every method, by the recognizers alone and then together."""
        config = self.config
        hidings = {m: _hiding(m, config, self.photos) for m in (CLEAR, *config.methods)}
        recognizers: list[tuple[str, ...]] = [(name,) for name in config.recognizers]
        if len(recognizers) > 1:
            recognizers.append(config.recognizers)
        for size, names, alignment in product(config.sizes, recognizers, get_args(Alignment)):
            if alignment not in config.alignments:
                continue
            for (method, hiding), name in product(hidings.items(), config.attackers):
                # On clear faces the naive one does the same as the parrot.
                if (method, name) == (CLEAR, "parrot"):
                    continue
                # A clear photo is aligned by itself in any case.
                by: Alignment = "clear" if method == CLEAR else alignment
                plain = Embed(self.data, self.photos, hiding, size, names[0], by)
                views = self._views(ATTACKERS[name], plain)
                if views:
                    judge = self._judge(name, names, views)
                    yield Attack(method, size, alignment, "+".join(names), name, judge)

    def _views(self, attacker: Attacker, plain: Embed) -> dict[str, Embed]:
        """By name all that the attacker may look at; nothing where it can't be used."""
        if attacker.look == "inside":
            return {"inside": replace(plain, inside=True)}
        if attacker.look == "plain":
            return {"plain": plain}
        if plain.hiding.method not in UNDO:
            return {}
        dampings = DAMPINGS if self.config.validation else DAMPINGS[:1]
        return {f"damping {d:g}": replace(plain, damping=d) for d in dampings}

    def _judge(self, attacker: str, recognizers: tuple[str, ...], views: dict[str, Embed]) -> Stage:
        inputs = []
        for name in recognizers:
            first = next(iter(views.values()))
            clear = replace(
                first, hiding=Hiding(CLEAR), alignment="clear", damping=None, inside=False
            )
            for work in (clear, *views.values()):
                mine = replace(work, recognizer=name)
                inputs.append(Stage(_title(mine), mine, (self.locate,)))
        judge = Judge(
            self.photos, attacker, len(recognizers), tuple(views), self.config.resamples,
            self.config.seed,
        )  # fmt: skip
        title = f"{first.size} px, {'+'.join(recognizers)}: judge {attacker} on "
        return Stage(title + first.hiding.method, judge, tuple(inputs))


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
        "alignment": (config.alignments, get_args(Alignment)),
    }
    for what, (names, known) in lists.items():
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"{what}s: {names!r} is empty or names something twice")
        for name in names:
            if name not in known:
                raise ConfigError(f"there is no {what} {name!r}; there are {', '.join(known)}")
    if not config.sizes or min(config.sizes) < 8 or len(set(config.sizes)) < len(config.sizes):
        raise ConfigError(f"sizes: {config.sizes!r} must be different ones of 8 pixels and more")
    for what in ("people", "photos", "validation"):
        if getattr(config, what) < 0 or getattr(config, what) == 1:
            raise ConfigError(f"{what} must be 0, or 2 and more, not {getattr(config, what)}")


def _hiding(method: str, config: AttackConfig, photos: tuple[Photo, ...]) -> Hiding:
    """The method with the file or the folder that is brought for it."""
    if method in config.generators:
        file = Path(config.generators[method])
        return Hiding(method, generator=file, digest=digest_of([file]))
    if method in config.anonymized:
        folder = Path(config.anonymized[method])
        return Hiding(method, folder=folder, digest=digest_of(folder / p.path for p in photos))
    return Hiding(method)


def _with_inputs(stage: Stage) -> Iterator[Stage]:
    for needed in stage.inputs:
        yield from _with_inputs(needed)
    yield stage


def _title(work: Embed) -> str:
    words = [f"{work.size} px, {work.recognizer}: hide by {work.hiding.method}"]
    if work.damping is not None:
        words.append(f"undo it with damping {work.damping:g}")
    if work.inside:
        words.append("look inside the box alone")
    return ", ".join((*words, f"align by the {work.alignment} photo, embed"))
