"""The command `attack`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from dartblur.config_file import read_config
from dartblur.errors import UsageError
from dartblur.files import write_atomically
from dartblur.privacy.comparing import compared
from dartblur.privacy.config import AttackConfig
from dartblur.privacy.plan import make_plan
from dartblur.privacy.report import report, write_results
from dartblur.stages.report import print_progress, provenance
from dartblur.stages.runner import FOLDER, run_stages


def attack(
    *,
    data: Path,
    out: Annotated[Path, Parameter(alias="-o")],
    config: Path | None = None,
    settings: Annotated[AttackConfig | None, Parameter(name="*")] = None,
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
        The folder of the run: results.json, .csv and .md, figures, and the stages; of the attacker
        recovered also sheets, which show clear faces: don't publish them.
    config
        The TOML file of an `AttackConfig`; `configs/attack-small.toml` is one. Each of its fields
        is an option too, which goes before the file.
    settings
        What the command line made of the file and of its own options; default: what the file says.
    workers
        Stages made side by side.

    Returns
    -------
        0

    Raises:
        UsageError: the call or the configuration is wrong, or a package is missing.
        InputError: photos are wrong, or a stage failed.
    """
    if settings is None:
        settings = read_config(AttackConfig, config) if config else AttackConfig()
    if workers < 1:
        raise UsageError(f"--workers must be 1 or more, not {workers}")
    plan = make_plan(settings, data)
    console = Console(stderr=True, highlight=False)
    run_stages(plan.stages, out, workers, partial(print_progress, console))
    stages = out / FOLDER
    rows = [attack.row(stages) for attack in plan.attacks]
    paired = compared(plan, stages, settings.resamples, settings.seed)
    recovered = [each.told(stages) for each in plan.restored]
    told = provenance(settings, ("numpy", "opencv-python-headless", "onnxruntime"))
    told |= {"people": plan.people, "photos": plan.photos, "validation": plan.validation}
    write_results(out, rows, paired, recovered, told)
    for each in plan.restored:
        sheet = out / f"recovered-{each.method}-{each.size}.png"
        write_atomically(sheet, each.sheet.path(stages).read_bytes())
    Console(highlight=False).print(
        report(rows, paired, recovered, plan.people), markup=False, soft_wrap=True
    )
    console.print(f"wrote {out / 'results.json'}, .csv and .md, and {out / 'attack.png'}")
    return 0
