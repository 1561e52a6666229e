"""The command `evaluate`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
from cyclopts import Parameter
from rich.console import Console

from dartblur.config_file import read_config
from dartblur.errors import UsageError
from dartblur.evaluation.config import EvaluationConfig
from dartblur.evaluation.figures import save_all
from dartblur.evaluation.plan import Plan, Test, make_plan
from dartblur.evaluation.results import Row, Truth, to_json
from dartblur.evaluation.tables import report
from dartblur.files import write_atomically
from dartblur.formatting import duration
from dartblur.stages.report import print_progress, provenance
from dartblur.stages.runner import FOLDER, read_log, run_stages


def evaluate(
    *,
    data: Path,
    out: Annotated[Path, Parameter(alias="-o")],
    config: Path | None = None,
    settings: Annotated[EvaluationConfig | None, Parameter(name="*")] = None,
    workers: int = 1,
    plan: bool = False,
) -> int:
    """Measures what an anonymization does to detectors: operational, post-hoc, cycle fidelity.

    Trains each detector afresh on the pictures of each method. Every stage is kept in the run's
    folder under the hash of what it depends on: run the same command again to go on.

    Parameters
    ----------
    data
        The root of labelled pictures; their format is found by its layout.
    out
        The folder of the run: results.json, results.md, figures, and the stages.
    config
        The TOML file of an `EvaluationConfig`; `configs/` holds some. Each of its fields is an
        option too, which goes before the file.
    settings
        What the command line made of the file and of its own options; default: what the file says.
    workers
        Stages made side by side; each takes one core and up to 3 GiB.
    plan
        Prints the stages, what is missing, and roughly what that will take; does nothing.

    Returns
    -------
        0

    Raises:
        UsageError: the call or the configuration is wrong.
        InputError: data are wrong, or a stage failed.
    """
    if settings is None:
        settings = read_config(EvaluationConfig, config) if config else EvaluationConfig()
    if workers < 1:
        raise UsageError(f"--workers must be 1 or more, not {workers}")
    whole = make_plan(settings, data)
    console = Console(stderr=True, highlight=False)
    if plan:
        _print_plan(whole, out, workers)
        return 0
    run_stages(whole.stages, out, workers, partial(print_progress, console))
    rows = rows_of(whole.tests, out)
    about = provenance(settings, ("torch", "numpy", "opencv-python-headless", "onnxruntime"))
    gpu = "CUDA" if torch.cuda.is_available() else "no GPU"
    about["machine"] += f", {torch.get_num_threads()} thread(s) a stage, {gpu}"
    write_results(out, rows, about)
    Console(highlight=False).print(report(rows), markup=False, soft_wrap=True)
    told = f"wrote {out / 'results.json'}, {out / 'results.md'} and {out / 'figures'}/"
    console.print(told, markup=False, soft_wrap=True)
    return 0


def rows_of(tests: Sequence[Test], run: Path) -> list[Row]:
    """The figures of a finished run."""
    rows = []
    for test in tests:
        scores = json.loads(test.score.path(run / FOLDER).read_text(encoding="utf-8"))
        for truth, values in scores.items():
            values = {**values, "precision": tuple(values["precision"])}
            # A detector that only runs is its own reference.
            kind: Truth = "labels" if truth == "labels" else "reference"
            rows.append(
                Row(test.detector, test.start, test.seed, test.trained_on, test.tested_on, kind,
                    **values)
            )  # fmt: skip
    return rows


def write_results(run: Path, rows: Sequence[Row], told: dict[str, Any]) -> None:
    """results.json, results.md and the figures."""
    spent = read_log(run)
    told["cpu_seconds"] = {
        kind: round(sum(s.cpu_seconds for s in spent if s.kind == kind))
        for kind in dict.fromkeys(s.kind for s in spent)
    }
    told["peak_mib"] = max((s.peak_mib for s in spent), default=0)
    write_atomically(run / "results.json", to_json(rows, told))
    write_atomically(run / "results.md", report(rows).encode())
    figures = run / "figures"
    figures.mkdir(exist_ok=True)
    save_all(rows, figures)


def _print_plan(plan: Plan, run: Path, workers: int) -> None:
    missing = []
    for stage in plan.stages:
        there = stage.path(run / FOLDER).exists()
        print(f"{'there  ' if there else 'missing'} {stage.key} {stage.title}")
        missing += [] if there else [stage.work]
    seconds = sum(work.cost() for work in missing)
    largest = sorted((work.memory() for work in missing), reverse=True)[:workers]
    print(
        f"{len(plan.stages)} stages, {len(missing)} missing: about {duration(seconds)} of one core"
        f"{f', {duration(seconds / workers)} with {workers} workers' if workers > 1 else ''}, "
        f"and up to {sum(largest) / 1024:.1f} GiB of memory"
    )
