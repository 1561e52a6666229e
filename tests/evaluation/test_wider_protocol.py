"""WIDER FACE's protocol against plain loops, at its ends, and with files that are wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy", reason="WIDER FACE's ground truth needs the extra 'evaluate'")

from tests.evaluation.wider_data import (
    Layout,
    jittered,
    literal_average_precision,
    random_truth,
    write,
    write_predictions,
)

from dartblur.errors import BoxesError
from dartblur.evaluation.wider_command import evaluate_widerface
from dartblur.evaluation.wider_files import WiderPicture, read_ground_truth
from dartblur.evaluation.wider_protocol import Order, evaluate, score_widerface

REAL = Path(__file__).parents[2] / "../shared/data/wider_eval"
NAME = "0_Event_3"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    rng = np.random.default_rng(0)
    truth = random_truth(rng, 9)
    return write(tmp_path, truth, jittered(rng, truth, 0.1))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shift", [0.02, 0.15])
def test_agrees_with_plain_loops(tmp_path: Path, seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    truth = random_truth(rng, 25)
    tables = jittered(rng, truth, shift)
    layout = write(tmp_path, truth, tables)
    scores = score_widerface(layout.predictions, layout.gt)
    for s, curve in enumerate((scores.easy, scores.medium, scores.hard)):
        expected = literal_average_precision(truth, tables, s)
        assert 0.05 < expected < 1
        assert curve.average_precision == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("order", ["file", "score"])
def test_unsorted_files_are_read_as_they_stand_or_sorted(order: Order) -> None:
    rng = np.random.default_rng(5)
    truth = random_truth(rng, 25)
    tables = jittered(rng, truth, 0.1)
    shuffled = [t[rng.permutation(len(t))] for t in tables]
    expected = [literal_average_precision(truth, shuffled, s) for s in range(3)]
    sorted_first = [t[np.argsort(-t[:, 4], kind="stable")] for t in shuffled]
    if order == "score":
        expected = [literal_average_precision(truth, sorted_first, s) for s in range(3)]
    got = [curve.average_precision for curve in evaluate(truth, shuffled, order)]
    assert got == pytest.approx(expected, abs=1e-9)


@pytest.fixture(scope="module")
def real() -> list[WiderPicture]:
    return read_ground_truth(REAL)


@pytest.mark.skipif(not REAL.is_dir(), reason="WIDER FACE's ground truth is not at hand")
def test_agrees_with_plain_loops_on_the_real_ground_truth(real: list[WiderPicture]) -> None:
    assert len(real) == 3226
    rng = np.random.default_rng(1)
    sample = [real[i] for i in rng.choice(len(real), 60, replace=False)]
    sample = [p for p in sample if len(p.boxes) < 60]
    tables = jittered(rng, sample, 0.12)
    for s, curve in enumerate(evaluate(sample, tables)):
        expected = literal_average_precision(sample, tables, s)
        assert curve.average_precision == pytest.approx(expected, abs=1e-9)


@pytest.mark.skipif(not REAL.is_dir(), reason="WIDER FACE's ground truth is not at hand")
def test_perfect_predictions_of_the_real_ground_truth_score_one(
    real: list[WiderPicture], tmp_path: Path
) -> None:
    perfect = [np.concatenate([p.boxes, np.ones((len(p.boxes), 1))], 1) for p in real]
    write_predictions(tmp_path, real, perfect)
    scores = score_widerface(tmp_path, REAL)
    aps = [c.average_precision for c in (scores.easy, scores.medium, scores.hard)]
    # Not quite 1: the list has one face twice, and one of -2 pixels, which overlaps nothing.
    assert aps == pytest.approx([1, 1, 1], abs=2e-4)


@pytest.mark.parametrize("score", [1.0, 0.3, 7.0])
def test_perfect_predictions_score_one(score: float) -> None:
    truth = _apart()
    perfect = [np.concatenate([p.boxes, np.full((len(p.boxes), 1), score)], 1) for p in truth]
    assert [c.average_precision for c in evaluate(truth, perfect)] == [1, 1, 1]


def test_empty_predictions_score_zero(tmp_path: Path) -> None:
    truth = _apart()
    layout = write(tmp_path, truth, [np.zeros((0, 5))] * len(truth))
    scores = score_widerface(layout.predictions, layout.gt)
    assert [c.average_precision for c in (scores.easy, scores.medium, scores.hard)] == [0, 0, 0]


def test_faces_outside_the_setting_are_passed_over_and_false_ones_are_not() -> None:
    boxes = np.array([[0, 0, 40, 40], [100, 0, 40, 40.0]])
    only_first = np.array([0])
    picture = WiderPicture("e", "n", boxes, (only_first, only_first, np.array([0, 1])))
    on_second = np.array([[100, 0, 40, 40, 0.9], [0, 0, 40, 40, 0.5]])
    easy, _, hard = evaluate([picture], [on_second])
    assert easy.average_precision == 1
    assert hard.average_precision == 1
    beside = np.array([[100, 200, 40, 40, 0.9], [0, 0, 40, 40, 0.5]])
    easy, _, hard = evaluate([picture], [beside])
    assert easy.average_precision == pytest.approx(1 / 2)
    assert hard.average_precision == pytest.approx(1 / 2 * 1 / 2)


def test_a_missing_file_is_an_error_or_empty_as_asked(layout: Layout) -> None:
    path = layout.predictions / "0--Event" / f"{NAME}.txt"
    path.unlink()
    with pytest.raises(BoxesError, match=re.escape(f"{path}: missing")):
        score_widerface(layout.predictions, layout.gt)
    absent = score_widerface(layout.predictions, layout.gt, missing_as_empty=True)
    path.write_text(f"{NAME}\n0\n")
    empty = score_widerface(layout.predictions, layout.gt)
    assert absent.missing == (f"0--Event/{NAME}.txt",)
    assert absent.hard.average_precision == empty.hard.average_precision


HOSTILE = {
    "nothing at all": (b"", 1),
    "no count": (NAME.encode(), 2),
    "count no number": (f"{NAME}\nmany\n".encode(), 2),
    "count negative": (f"{NAME}\n-1\n".encode(), 2),
    "count of another alphabet": (f"{NAME}\n\u0663\n".encode(), 2),
    "fewer than announced": (f"{NAME}\n2\n1 2 3 4 0.5\n".encode(), 4),
    "more than announced": (f"{NAME}\n1\n1 2 3 4 0.5\n1 2 3 4 0.4\n".encode(), 4),
    "written twice": (f"{NAME}\n1\n1 2 3 4 0.5\n{NAME}\n1\n1 2 3 4 0.5\n".encode(), 4),
    "no score": (f"{NAME}\n2\n1 2 3 4 0.5\n1 2 3 4\n".encode(), 4),
    "no number": (f"{NAME}\n2\n1 2 3 4 0.5\n1 2 x 4 0.5\n".encode(), 4),
    "NaN": (f"{NAME}\n2\n1 2 3 4 0.5\n1 2 3 4 nan\n".encode(), 4),
    "infinite": (f"{NAME}\n1\n1 inf 3 4 0.5\n".encode(), 3),
    "negative width": (f"{NAME}\n2\n1 2 3 4 0.5\n1 2 -3 4 0.5\n".encode(), 4),
    "blank line within": (f"{NAME}\n2\n\n1 2 3 4 0.5\n".encode(), 3),
    "binary": (f"{NAME}\n2\n1 2 3 4 0.5\n".encode() + b"\xff\xfe\x00\x93", 4),
    "zero bytes": (f"{NAME}\n1\n".encode() + b"\0\0\0\0", 3),
    "of another picture": (b"0_Event_0\n0\n", 1),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_named_with_its_line(layout: Layout, kind: str) -> None:
    content, line = HOSTILE[kind]
    path = layout.predictions / "0--Event" / f"{NAME}.txt"
    path.write_bytes(content)
    with pytest.raises(BoxesError, match=re.escape(f"{path}:{line}: ")):
        score_widerface(layout.predictions, layout.gt)


@pytest.mark.parametrize("place", ["9--Unknown/9_Unknown_1.txt", "0--Event/0_Event_99.txt"])
def test_an_unknown_event_or_picture_is_named(layout: Layout, place: str) -> None:
    path = layout.predictions / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{path.stem}\n0\n")
    with pytest.raises(BoxesError, match=re.escape(str(path))):
        score_widerface(layout.predictions, layout.gt)


@pytest.mark.parametrize("name", [NAME, f"{NAME}.jpg", f"0--Event/{NAME}.jpg", f"{NAME}\r"])
def test_the_name_may_carry_its_event_and_suffix(layout: Layout, name: str) -> None:
    path = layout.predictions / "0--Event" / f"{NAME}.txt"
    before = score_widerface(layout.predictions, layout.gt)
    rest = path.read_text().split("\n", 1)[1]
    path.write_text(f"{name}\n{rest}")
    after = score_widerface(layout.predictions, layout.gt)
    assert after.hard.average_precision == before.hard.average_precision


@pytest.mark.parametrize("content", [None, b"", b"MATLAB?" * 40, b"\0" * 400])
@pytest.mark.parametrize("file", ["wider_face_val.mat", "wider_medium_val.mat"])
def test_a_wrong_ground_truth_file_is_named(
    layout: Layout, file: str, content: bytes | None
) -> None:
    path = layout.gt / file
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BoxesError, match=re.escape(str(path))):
        score_widerface(layout.predictions, layout.gt)


def test_ground_truth_files_that_do_not_fit_each_other_are_refused(
    layout: Layout, tmp_path: Path
) -> None:
    truth = random_truth(np.random.default_rng(0), 4)
    other = write(tmp_path / "other", truth, [np.zeros((0, 5))] * 4)
    (other.gt / "wider_hard_val.mat").replace(layout.gt / "wider_hard_val.mat")
    with pytest.raises(BoxesError, match=re.escape(str(layout.gt))):
        score_widerface(layout.predictions, layout.gt)


def test_the_command_prints_the_three_figures(
    layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = score_widerface(layout.predictions, layout.gt)
    assert evaluate_widerface(layout.predictions, layout.gt) == 0
    printed = capsys.readouterr().out
    for curve in (scores.easy, scores.medium, scores.hard):
        assert f"{curve.average_precision:.4f}" in printed


def test_the_protocol_needs_no_torch() -> None:
    code = "import sys, dartblur.evaluation.wider_command; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def _apart() -> list[WiderPicture]:
    """Pictures whose faces do not touch each other, all counted in all settings."""
    truth = random_truth(np.random.default_rng(3), 12)
    pictures = []
    for picture in truth:
        n = len(picture.boxes)
        boxes = np.array([[100.0 * i, 0, 30, 40 + i] for i in range(n)]).reshape(n, 4)
        pictures.append(replace(picture, boxes=boxes, counted=(np.arange(n),) * 3))
    return pictures
