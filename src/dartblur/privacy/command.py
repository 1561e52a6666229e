"""The command `attack`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from dartblur import toml
from dartblur.errors import UsageError
from dartblur.formatting import duration
from dartblur.privacy.config import AttackConfig
from dartblur.privacy.plan import make_plan
from dartblur.privacy.report import report, write_results
from dartblur.stages.report import provenance
from dartblur.stages.runner import FOLDER, Progress, run_stages
from dartblur.stages.stage import Stage


def attack(
    *,
    data: Path,
    out: Annotated[Path, Parameter(alias="-o")],
    config: Path | None = None,
    methods: str | None = None,
    attackers: str | None = None,
    recognizers: str | None = None,
    sizes: str | None = None,
    people: int | None = None,
    generator: Sequence[str] = (),
    anonymized: Sequence[str] = (),
    workers: int = 1,
) -> int:
    """Measures how often a hidden face is recognized all the same, by attackers of rising strength.

    Every stage is kept in the run's folder under the hash of what it depends on: run the same
    command again to go on.

    Parameters
    ----------
    data
        A folder per person with two photos or more, as LFW has them.
    out
        The folder of the run: results.json, .csv and .md, a figure, and the stages.
    config
        The TOML file of an `AttackConfig`; `configs/attack-small.toml` is one. Options below
        replace its fields.
    methods
        block, gaussian-1, gaussian-1.5, gaussian-2, gaussian-3, pixelate-8, pixelate-6,
        pixelate-8-noise, dartblur, and names that `generator` or `anonymized` give, with commas.
    attackers
        naive, parrot, trained, inverted, with commas.
    recognizers
        dlib, facenet, with commas.
    sizes
        Widths of the face in pixels, with commas.
    people
        Only so many people, the first in the order of their names; 0 for all.
    generator
        NAME=FILE.onnx: a method of that name by a trained generator.
    anonymized
        NAME=FOLDER: a method of that name, whose photos another tool made; the folder has the
        photos of `data` under the same paths and in the same sizes.
    workers
        Stages made side by side.

    Returns
    -------
        0

    Raises:
        UsageError: the call or the configuration is wrong, or a package is missing.
        InputError: photos are wrong, or a stage failed.
    """
    settings = toml.read(AttackConfig, config) if config else AttackConfig()
    generators = {**settings.generators, **dict(_named("generator", g) for g in generator)}
    folders = {**settings.anonymized, **dict(_named("anonymized", a) for a in anonymized)}
    settings = replace(settings, generators=generators, anonymized=folders)
    if methods is None:
        more = [m for m in (*generators, *folders) if m not in settings.methods]
        settings = replace(settings, methods=(*settings.methods, *more))
    settings = replace(
        settings,
        methods=tuple(methods.split(",")) if methods else settings.methods,
        attackers=tuple(attackers.split(",")) if attackers else settings.attackers,
        recognizers=tuple(recognizers.split(",")) if recognizers else settings.recognizers,
    )
    if sizes is not None:
        if not all(size.strip().isdecimal() for size in sizes.split(",")):
            raise UsageError(f"--sizes must be whole numbers with commas, not {sizes!r}")
        settings = replace(settings, sizes=tuple(int(size) for size in sizes.split(",")))
    if people is not None:
        settings = replace(settings, people=people)
    if workers < 1:
        raise UsageError(f"--workers must be 1 or more, not {workers}")
    plan = make_plan(settings, data)
    console = Console(stderr=True, highlight=False)
    run_stages(plan.stages, out, workers, lambda p, s: _tell(console, p, s))
    rows = [attack.row(out / FOLDER) for attack in plan.attacks]
    told = provenance(settings, ("numpy", "opencv-python-headless", "onnxruntime"))
    told |= {"people": plan.people, "photos": plan.photos}
    write_results(out, rows, told)
    Console(highlight=False).print(report(rows, plan.people), markup=False, soft_wrap=True)
    console.print(f"wrote {out / 'results.json'}, .csv and .md, and {out / 'attack.png'}")
    return 0


def _named(option: str, value: str) -> tuple[str, str]:
    name, equals, path = value.partition("=")
    if not (name and equals and path):
        raise UsageError(f"--{option} must be NAME=PATH, not {value!r}")
    return name, path


def _tell(console: Console, progress: Progress, stage: Stage) -> None:
    left = progress.seconds_left()
    time_left = "" if left is None else f", {duration(left)} left"
    line = f"{progress.done}/{progress.total}{time_left}: done: {stage.title}"
    console.print(line, markup=False, soft_wrap=True)
