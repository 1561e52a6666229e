"""Rows of a benchmark: what they are figures of, kept and summed up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dartblur.errors import ConfigError
from dartblur.evaluation.results import FIDELITIES, Row, is_figure_of, read, summarize, to_json
from dartblur.evaluation.tables import (
    fidelity_table,
    height_table,
    motivation,
    motivation_table,
    report,
)

FLAT = (0.5,) * 101


def row(trained_on: str, tested_on: str, ap50: float = 50.0, seed: int = 0) -> Row:
    start = "scratch" if trained_on else "pretrained"
    return Row(
        "retinaface", start, seed, trained_on, tested_on, "reference", ap50, 40.0, 20.0, FLAT
    )


@pytest.mark.parametrize(
    ("trained_on", "tested_on", "names"),
    [
        ("", "block", ["operational"]),
        ("", "clear", ["operational"]),
        ("block", "block", ["post-hoc"]),
        ("block", "clear", ["cycle"]),
        ("clear", "clear", ["post-hoc", "cycle"]),
        ("clear", "block", ["cross"]),
        ("block", "gaussian", ["cross"]),
    ],
)
def test_every_row_has_its_fidelity(trained_on: str, tested_on: str, names: list[str]) -> None:
    tested = row(trained_on, tested_on)
    assert [name for name in (*FIDELITIES, "cross") if is_figure_of(tested, name)] == names


def test_rows_survive_the_file(tmp_path: Path) -> None:
    rows = [row("", "block", 100 / 3), replace(row("block", "clear", 0.1 + 0.2), truth="labels")]
    rows.append(replace(rows[0], by_height={"12-20": 1 / 3}))
    file = tmp_path / "r.json"
    file.write_bytes(to_json(rows, {"command": "dartblur evaluate", "commit": "abc"}))
    assert read(file) == rows
    assert json.loads(file.read_text())["about"]["commit"] == "abc"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("nonsense", "results"),
        ('{"lines": []}', "rows"),
        ('{"rows": [3]}', "results"),
        ('{"rows": [{"detector": "x"}]}', "row 1"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "r.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match=told):
        read(file)


def test_a_wrong_row_is_told(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    good = json.loads(to_json([row("", "block")], {}))
    for field, value in {
        "ap50": 101,
        "truth": "me",
        "precision": [1.0],
        "start": "scratch",
    }.items():
        file.write_text(json.dumps({"rows": [good["rows"][0], good["rows"][0] | {field: value}]}))
        with pytest.raises(ConfigError, match="row 2"):
            read(file)


def test_mean_and_spread_over_seeds() -> None:
    rows = [row("block", "clear", value, seed) for seed, value in enumerate([10.0, 20.0, 60.0])]
    [summary] = summarize([*rows, row("block", "gaussian")])
    assert (summary.method, summary.fidelity, summary.ap50.n) == ("block", "cycle", 3)
    assert summary.ap50.mean == 30
    assert summary.ap50.spread == pytest.approx(((400 + 100 + 900) / 2) ** 0.5)
    assert summary.precision == FLAT
    assert summarize(rows[:1])[0].ap50.spread is None


def test_the_same_seed_twice_is_no_repeat() -> None:
    with pytest.raises(ValueError, match=r"retinaface.*block.*same seed"):
        summarize([row("block", "clear"), row("block", "clear", 10.0)])


def test_the_table_has_a_line_a_method() -> None:
    rows = [row("", "clear", 99.0), row("", "block", 19.2), row("block", "block", 77.0)]
    rows += [row("block", "block", 79.0, seed=1), row("clear", "clear", 80.0)]
    assert fidelity_table(summarize(rows), "retinaface", "scratch", "reference") == (
        "| method | operational | post-hoc | cycle |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| clear | 99.0 | 80.0 | 80.0 |\n"
        "| block | 19.2 | 78.0 ± 1.4 | – |\n"
    )


def test_the_one_trained_on_clear_pictures_stands_for_a_pretrained_one() -> None:
    rows = [row("clear", "clear", 80.0), row("clear", "block", 5.0), row("block", "block", 77.0)]
    table = fidelity_table(summarize(rows), "retinaface", "scratch", "reference")
    assert "| clear | 80.0 | 80.0 | 80.0 |\n| block | 5.0 | 77.0 | – |\n" in table
    assert "Of retinaface: the one trained on clear pictures." in report(rows)
    assert "×" not in report(rows)  # it was crossed with nothing else
    rows.append(row("", "block", 19.2))
    table = fidelity_table(summarize(rows), "retinaface", "scratch", "reference")
    assert "| block | 19.2 | 77.0 | – |\n" in table
    assert "×" in report(rows)


def test_the_motivation_begins_with_clear() -> None:
    rows = [row("block", "block", 77.0), row("clear", "block", 5.0), row("clear", "clear", 80.0)]
    rows.append(row("", "block"))
    grid = motivation(rows, "retinaface", "scratch", "reference")
    assert motivation_table(grid) == (
        "| trained on \\ tested on | clear | block |\n"
        "| --- | ---: | ---: |\n"
        "| clear | 80.0 | 5.0 |\n"
        "| block | – | 77.0 |\n"
    )


def test_the_table_by_height_has_means_and_a_dash_where_no_face_is() -> None:
    rows = [
        replace(row("", "block"), by_height={"12-20": 80.0}),
        replace(row("block", "clear", seed=0), by_height={"12-20": 10.0, "64-": 4.0}),
        replace(row("block", "clear", seed=1), by_height={"12-20": 12.0, "64-": 4.0}),
    ]
    assert height_table(summarize(rows), "retinaface", "scratch", "reference") == (
        "| faces of so many pixels | 12-20 | 64- |\n"
        "| --- | ---: | ---: |\n"
        "| operational, block | 80.0 | – |\n"
        "| cycle, block | 11.0 ± 1.4 | 4.0 ± 0.0 |\n"
    )
    assert "by height of face" in report(rows)
    assert height_table(summarize([row("block", "clear")]), "retinaface", "scratch", "labels") == ""


def test_the_report_has_every_table_that_can_be_filled() -> None:
    rows = [row("", "block", 19.2), row("block", "block", 77.0)]
    assert report(rows).count("\n## ") + 1 == 2
    rows += [row("clear", "block", 5.0), replace(row("", "block", 33.3), truth="labels")]
    whole = report(rows)
    assert whole.count("## ") == 4
    assert "33.3" in whole.split("by labels")[1]
