"""From a protocol to the stages that it takes, and to the rows of figures that they give."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from dartblur.anonymizers.named import named_method
from dartblur.errors import ConfigError, InputError, UsageError
from dartblur.privacy.attackers import ATTACKERS, Attacker
from dartblur.privacy.config import AttackConfig
from dartblur.privacy.distilling import (
    Distil,
    EmbedByStudent,
    Labelled,
    Source,
    damping_for,
    read_faces,
)
from dartblur.privacy.film import EmbedFilm
from dartblur.privacy.inversion import inversion_of
from dartblur.privacy.judge import Judge
from dartblur.privacy.methods import CLEAR, KNOWN, blur_of, method_of
from dartblur.privacy.people import Photo, read_people
from dartblur.privacy.recognizers import RECOGNIZERS
from dartblur.privacy.restoring import EVERY, Compare, Sheet, Train
from dartblur.privacy.views import Alignment, Hiding
from dartblur.privacy.work import Embed, Locate
from dartblur.stages.methods import generator_digest
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
            "chosen": told["chosen"],
        }
        for name, rate in told.items():
            if name in ("chosen", "first"):
                continue
            row[name] = round(rate["value"], 2)
            row[f"{name}_low"], row[f"{name}_high"] = round(rate["low"], 2), round(rate["high"], 2)
        return row

    def first(self, stages: Path) -> npt.NDArray[np.float64]:
        """Of each person how many probes it is right on, and how many there are, (people, 2)."""
        return np.array(json.loads(self.judge.path(stages).read_text())["first"])


@dataclass(frozen=True)
class Restored:
    """What the recovery makes of a method's faces: how near they come, and a sheet to look at."""

    method: str
    size: int
    compare: Stage
    sheet: Stage

    def told(self, stages: Path) -> dict[str, Any]:
        """How near hidden and recovered faces are to the clear ones, see `Compare`."""
        told = json.loads(self.compare.path(stages).read_text())
        return {"method": self.method, "size": self.size, **told}


@dataclass(frozen=True)
class Plan:
    """The stages in an order in which each finds its inputs; who is judged, on how many photos.

    blurs: by generator the method that is its own h alone, where that is attacked too.
    """

    stages: tuple[Stage, ...]
    attacks: tuple[Attack, ...]
    blurs: dict[str, str]
    restored: tuple[Restored, ...]
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
    first, *_ = [RECOGNIZERS[name]() for name in config.recognizers]
    if config.recovery.identity and first.network() is None:
        raise ConfigError(
            f"recovery.identity: {config.recognizers[0]} has no network to learn through; name "
            "dlib or faceres first in --recognizers"
        )
    everyone = read_people(data, config.people, config.photos, config.validation)
    planner = _Planner(config, data, *_groups(everyone))
    _check_others(planner, data)
    attacks, restored = tuple(planner.attacks()), tuple(planner.restored())
    stages: dict[str, Stage] = {}
    wanted = [attack.judge for attack in attacks]
    wanted += [stage for each in restored for stage in (each.compare, each.sheet)]
    for stage in wanted:
        for needed in _with_inputs(stage):
            stages.setdefault(needed.key, needed)
    judged = [photo for photo in everyone if photo.group == "judged"]
    people = len({photo.person for photo in judged})
    every = tuple(stages.values())
    return Plan(every, attacks, planner.blurs, restored, people, len(judged), config.validation)


@dataclass(frozen=True)
class _Planner:
    """What all attacks of a protocol share. photos: of judged and validation people."""

    config: AttackConfig
    data: Path
    photos: tuple[Photo, ...]
    others: tuple[Photo, ...]

    def attacks(self) -> Iterator[Attack]:
        """Every attacker on every method, by the recognizers alone and then together."""
        config = self.config
        recognizers: list[tuple[str, ...]] = [(name,) for name in config.recognizers]
        if len(recognizers) > 1:
            recognizers.append(config.recognizers)
        for size, names, alignment in product(config.sizes, recognizers, get_args(Alignment)):
            if alignment not in config.alignments:
                continue
            for (method, hiding), name in product(self.hidings.items(), config.attackers):
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

    def restored(self) -> Iterator[Restored]:
        """What is told of the recovery, beside how it helps to recognize."""
        for size, (method, hiding) in product(self.config.sizes, self.hidings.items()):
            if "recovered" not in self.config.attackers or not self._restores(method):
                continue
            plain = Embed(self.data, self.photos, hiding, size, self.config.recognizers[0])
            painted = replace(plain, restored=True)
            inputs = (
                self._locate,
                self._network(hiding, size),
                *(self._embedded(work) for work in (_clear(plain), plain, painted)),
            )
            given = (self.data, self.photos, hiding, size)
            compare = Stage(
                f"{size} px: compare what is recovered from {method}", Compare(*given), inputs
            )
            sheet = Stage(
                f"{size} px: draw what is recovered from {method}", Sheet(*given), inputs[:2]
            )
            yield Restored(method, size, compare, sheet)

    @cached_property
    def blurs(self) -> dict[str, str]:
        """See `Plan`."""
        made = {method: hiding.anonymizer() for method, hiding in self.hidings.items()}
        wanted = {method: blur_of(anonymizer) for method, anonymizer in made.items()}
        return {
            method: name
            for (method, blur), (name, other) in product(wanted.items(), made.items())
            if blur is not None and blur == other
        }

    @cached_property
    def hidings(self) -> dict[str, Hiding]:
        """By method; the first is none."""
        return {m: _hiding(m, self.config, self.photos) for m in (CLEAR, *self.config.methods)}

    @cached_property
    def faces(self) -> tuple[Path, tuple[Photo, ...], Stage] | None:
        """The labelled faces that students learn from too, and the stage of their boxes."""
        own = self.config.distillation
        if not own.faces or "distilled" not in self.config.attackers:
            return None
        root = Path(own.faces)
        photos, boxes = read_faces(root, own.smallest)
        digest = digest_of(root / path for path in dict.fromkeys(p.path for p in photos))
        return root, photos, Stage("take the labelled faces", Labelled(boxes, digest))

    @cached_property
    def _locate(self) -> Stage:
        return self._located(self.photos, some=False)

    @cached_property
    def _locate_others(self) -> Stage:
        return self._located(self.others, some=True)

    def _located(self, photos: tuple[Photo, ...], *, some: bool) -> Stage:
        digest = digest_of(self.data / photo.path for photo in photos)
        who = " of other people" if some else ""
        work = Locate(self.data, photos, self.config.detector, digest, some)
        return Stage(f"find the faces{who}", work)

    def _restores(self, method: str) -> bool:
        return method != CLEAR and method in (self.config.recovery.methods or self.config.methods)

    def _distils(self, hiding: Hiding) -> bool:
        named = self.config.distillation.methods or self.config.methods
        # Of labelled faces another tool hid none.
        there = bool(self.others) or hiding.folder is None
        return hiding.method != CLEAR and hiding.method in named and there

    def _by_student(self, plain: Embed) -> dict[str, Embed]:
        """What the recognizer's student says of the same, alone and with the recognizer."""
        student = EmbedByStudent(**_fields(plain) | {"damping": damping_for(plain.hiding)})
        return {"student": student, "student and teacher": replace(student, beside=True)}

    def _filmed(self, plain: Embed) -> dict[str, Embed]:
        """What may be made of several frames; nothing of clear ones, or of one photo."""
        method, folder = plain.hiding.method, plain.hiding.folder
        if method == CLEAR or folder is not None:
            return {}
        mean = EmbedFilm(**_fields(plain))
        views: dict[str, Embed] = {
            "mean frame": mean,
            "mean of frames": replace(mean, averaged=True),
        }
        # Of what a generator painted nothing is undone in the mean of frames.
        if damping_for(plain.hiding) is not None:
            for damping in self._dampings(method):
                views[f"mean frame, damping {damping:g}"] = replace(mean, damping=damping)
        return views

    def _dampings(self, method: str) -> tuple[float, ...]:
        """Those that may be tried to undo it; none where it is not known how."""
        inversion = inversion_of(self.hidings[method].anonymizer())
        dampings = inversion.dampings if inversion else ()
        return dampings if self.config.validation else dampings[:1]

    def _views(self, attacker: Attacker, plain: Embed) -> dict[str, Embed]:
        """By name all that the attacker may look at; nothing where it can't be used."""
        method = plain.hiding.method
        if attacker.look == "undone":
            return {f"damping {d:g}": replace(plain, damping=d) for d in self._dampings(method)}
        if attacker.look == "filmed":
            return self._filmed(plain)
        if attacker.look == "restored":
            return {"restored": replace(plain, restored=True)} if self._restores(method) else {}
        if attacker.look == "distilled":
            return self._by_student(plain) if self._distils(plain.hiding) else {}
        looked = replace(plain, inside=attacker.look == "inside")
        return {attacker.look: looked, **self._painted(looked)}

    def _painted(self, looked: Embed) -> dict[str, Embed]:
        """The same after generators of the protocol painted on it, of a blur that is theirs.

        Their files are public: who has the blur can make what they publish.
        """
        return {
            f"painted by {generator}": replace(looked, hiding=self.hidings[generator])
            for generator, blur in self.blurs.items()
            if blur == looked.hiding.method
        }

    def _judge(self, attacker: str, recognizers: tuple[str, ...], views: dict[str, Embed]) -> Stage:
        first = next(iter(views.values()))
        works = [_clear(first), *views.values()]
        others: tuple[Photo, ...] = ()
        if ATTACKERS[attacker].taught:
            others = self.others
            works += [
                replace(view, photos=others, hiding=self._hiding_others(view.hiding))
                for view in views.values()
            ]
        inputs = [
            self._embedded(replace(work, recognizer=name)) for name in recognizers for work in works
        ]
        judge = Judge(
            self.photos, attacker, len(recognizers), tuple(views), self.config.resamples,
            self.config.seed, others,
        )  # fmt: skip
        title = f"{first.size} px, {'+'.join(recognizers)}: judge {attacker} on "
        return Stage(title + first.hiding.method, judge, tuple(inputs))

    def _embedded(self, work: Embed) -> Stage:
        networks = (self._network(work.hiding, work.size),) if work.restored else ()
        if isinstance(work, EmbedByStudent):
            networks = (self._student(work.hiding, work.size, work.recognizer),)
        if work.photos is self.others:
            title = f"{_title(work)}, of other people"
            return Stage(title, work, (self._locate_others, *networks))
        return Stage(_title(work), work, (self._locate, *networks))

    def _hiding_others(self, hiding: Hiding) -> Hiding:
        """The same, of other people's photos."""
        if hiding.folder is None:
            return hiding
        return _hiding(hiding.method, self.config, self.others)

    def _network(self, hiding: Hiding, size: int) -> Stage:
        """The last of the stages that train the recovery."""
        settings, seed = self.config.recovery, self.config.seed
        hiding = self._hiding_others(hiding)
        recognizer, inputs = "", [self._locate_others]
        if settings.identity:
            recognizer = self.config.recognizers[0]
            told = Embed(self.data, self.others, Hiding(CLEAR), size, recognizer)
            inputs.append(self._embedded(told))
        trained: tuple[Stage, ...] = ()
        for begin in range(0, settings.rounds, EVERY):
            until = min(begin + EVERY, settings.rounds)
            work = Train(self.data, self.others, hiding, size, settings, seed, until, recognizer)
            title = f"{size} px: train the recovery from {hiding.method} to round {until}"
            trained = (Stage(title, work, (*inputs, *trained)),)
        return trained[0]

    def _student(self, hiding: Hiding, size: int, recognizer: str) -> Stage:
        """The last of the stages that train a recognizer's student."""
        settings, seed = self.config.distillation, self.config.seed
        sources, inputs = [], []
        clear = Hiding(CLEAR)
        if self.others:
            sources.append(Source(self.data, self.others, self._hiding_others(hiding)))
            mine = Embed(self.data, self.others, clear, size, recognizer)
            inputs += [self._locate_others, self._embedded(mine)]
        # Of photos that another tool hid there are those below the root of the data alone.
        if self.faces is not None and hiding.folder is None:
            root, photos, located = self.faces
            sources.append(Source(root, photos, hiding))
            told = Embed(root, photos, clear, size, recognizer)
            inputs += [located, Stage(f"{_title(told)}, of labelled faces", told, (located,))]
        trained: tuple[Stage, ...] = ()
        for begin in range(0, settings.rounds, EVERY):
            until = min(begin + EVERY, settings.rounds)
            work = Distil(tuple(sources), size, recognizer, settings, seed, until)
            title = (
                f"{size} px, {recognizer}: train its student on {hiding.method} to round {until}"
            )
            trained = (Stage(title, work, (*inputs, *trained)),)
        return trained[0]


def check(config: AttackConfig) -> None:
    """Refuses a protocol that names what is not there.

    Raises:
        ConfigError: with the name, and with what there is.
    """
    brought = (*config.generators, *config.anonymized)
    for name in brought:
        if name == CLEAR or method_of(name) or brought.count(name) > 1:
            raise ConfigError(f"method name {name!r} is taken; give another one")
        if not re.fullmatch(r"[\w.-]+", name):  # of sheets it is part of the file's name
            raise ConfigError(
                f"method name {name!r}: give one of letters, digits, '-', '_' and '.'"
            )
    for name in config.methods:
        if name not in brought and method_of(name) is None:
            there = ", ".join((*KNOWN, *brought))
            raise ConfigError(f"there is no method {name!r}; there are {there}")
    lists = {
        "method": (config.methods, config.methods),
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
    for name in ("recovery", "distillation"):
        unknown = set(getattr(config, name).methods) - set(config.methods)
        if unknown:
            raise ConfigError(f"{name}.methods: {', '.join(sorted(unknown))} is not among methods")
    own = config.recovery
    if min(own.rounds, own.batch, own.side) < 1 or min(own.width, own.learning_rate) <= 0:
        raise ConfigError("recovery: rounds, batch, side, width, learning_rate must be positive")
    if not 0 <= own.identity < float("inf"):
        raise ConfigError(f"recovery.identity must be 0 or more, not {own.identity}")
    its = config.distillation
    whole = (its.rounds, its.batch - 1, its.smallest, its.width, its.side)
    if min(whole) < 1 or its.learning_rate <= 0:
        raise ConfigError(
            "distillation: rounds, smallest, width, side, learning_rate must be positive, and "
            "batch more than 1"
        )
    if not config.sizes or min(config.sizes) < 8 or len(set(config.sizes)) < len(config.sizes):
        raise ConfigError(f"sizes: {config.sizes!r} must be different ones of 8 pixels and more")
    if not 0 <= config.jpeg <= 100:
        raise ConfigError(f"jpeg must be a quality of 1 to 100, or 0, not {config.jpeg}")
    for what in ("people", "photos", "validation"):
        if getattr(config, what) < 0 or getattr(config, what) == 1:
            raise ConfigError(f"{what} must be 0, or 2 and more, not {getattr(config, what)}")


def _groups(everyone: Sequence[Photo]) -> tuple[tuple[Photo, ...], tuple[Photo, ...]]:
    """Judged and validation people, and the others."""
    mine = tuple(photo for photo in everyone if photo.group != "others")
    return mine, tuple(photo for photo in everyone if photo.group == "others")


def _check_others(planner: _Planner, data: Path) -> None:
    """Refuses an attacker for which a package or other people are missing, before any work."""
    packages = {
        "restored": (("torch", "torch"), ("skimage", "scikit-image")),
        "distilled": (("torch", "torch"),),
    }
    for name in planner.config.attackers:
        attacker = ATTACKERS[name]
        needed = packages.get(attacker.look, ())
        for module, package in needed:
            if importlib.util.find_spec(module) is None:
                raise UsageError(
                    f"the attacker {name} needs the package {package}: pip install "
                    "'dartblur[privacy,train]', or leave it out of --attackers"
                )
        if attacker.look == "distilled" and planner.faces is not None:
            continue
        if (needed or attacker.taught) and not planner.others:
            raise InputError(
                f"{data}: the attacker {name} learns from people who are not judged, and none are "
                "left: judge fewer with --people, or leave it out of --attackers"
            )


def _fields(work: Embed) -> dict[str, Any]:
    return {each.name: getattr(work, each.name) for each in dataclass_fields(work)}


def _clear(work: Embed) -> Embed:
    """The same of the clear photos."""
    return Embed(work.root, work.photos, Hiding(CLEAR), work.size, work.recognizer)


def _hiding(method: str, config: AttackConfig, photos: tuple[Photo, ...]) -> Hiding:
    """The method with the file or the folder that is brought for it.

    Raises:
        ConfigError: the file is no generator's.
        InputError: file or folder, or a photo in it, is not there.
    """
    if method in config.generators:
        file = Path(config.generators[method])
        hiding = Hiding(method, generator=file, digest=digest_of([file]), jpeg=config.jpeg)
        hiding.anonymizer()  # refused now, not after the faces are found
        return hiding
    if method in config.anonymized:
        folder = Path(config.anonymized[method])
        if not folder.is_dir():
            raise InputError(
                f"{folder}: there is no such folder; give the one that holds the photos hidden by "
                f"{method}, under the paths that they have below --data"
            )
        return Hiding(method, folder=folder, digest=digest_of(folder / p.path for p in photos))
    digest = generator_digest(named_method(method))
    return Hiding(method, digest=digest, jpeg=0 if method == CLEAR else config.jpeg)


def _with_inputs(stage: Stage) -> Iterator[Stage]:
    for needed in stage.inputs:
        yield from _with_inputs(needed)
    yield stage


def _title(work: Embed) -> str:
    name = ""
    if isinstance(work, EmbedByStudent):
        name = "the student beside " if work.beside else "the student of "
    if isinstance(work, EmbedFilm):
        name = "the mean of frames by " if work.averaged else "the mean frame by "
    words = [f"{work.size} px, {name}{work.recognizer}: hide by {work.hiding.method}"]
    if work.damping is not None:
        words.append(f"undo it with damping {work.damping:g}")
    if work.restored:
        words.append("paint it back")
    if work.inside:
        words.append("look inside the box alone")
    return ", ".join((*words, f"align by the {work.alignment} photo, embed"))
