"""The figures: whole files, the same each time, with everything that was handed in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.pictures import textured

matplotlib = pytest.importorskip("matplotlib", reason="comes with the extra evaluate")

from dartblur.evaluation import figures
from dartblur.evaluation.results import FIDELITIES, Row, summarize
from dartblur.evaluation.tables import motivation
from dartblur.faces import Faces

METHODS = ("clear", "block", "gaussian", "dartblur", "theirs")
FALLING = tuple(np.linspace(1, 0, 101).tolist())


def rows() -> list[Row]:
    first = Row("net", "pretrained", 0, "", "clear", "reference", 90.0, 80.0, 40.0, FALLING)
    found = [replace(first, tested_on=name) for name in METHODS]
    for seed in (0, 1):
        for name in METHODS:
            own = replace(first, start="scratch", seed=seed, trained_on=name, tested_on=name)
            found += [replace(own, ap50=70.0 + seed), replace(own, tested_on="clear", ap50=30.0)]
    cross = replace(first, start="scratch", trained_on="block", tested_on="gaussian")
    # A detector trained on clear pictures gives one row that stands for both.
    return list(
        dict.fromkeys(r for r in [*found, cross] if (r.trained_on, r.ap50) != ("clear", 30))
    )


def texts(figure: figures.Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


def test_a_picture_and_a_drawing_are_written_and_never_differ(tmp_path: Path) -> None:
    names = [tmp_path / "one", tmp_path / "two"]
    for name in names:
        figures.save_figure(figures.curves(summarize(rows()), "net", "scratch", "reference"), name)
    for suffix, start in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        first, second = (name.with_suffix(suffix).read_bytes() for name in names)
        assert first.startswith(start)
        assert first == second
    assert len(list(tmp_path.iterdir())) == 4


def test_all_figures_that_can_be_filled_are_written(tmp_path: Path) -> None:
    labels = [replace(row, truth="labels") for row in rows() if row.start == "pretrained"]
    files = figures.save_all([*rows(), *labels], tmp_path / "new")
    told = ["bars-reference", "curves-net-scratch-reference", "motivation-net-scratch-reference"]
    assert [file.name for file in files] == [*told, "bars-labels"]
    assert len(list((tmp_path / "new").iterdir())) == 8


def test_a_line_by_height_has_every_band() -> None:
    by_height = [replace(row, by_height={"12-20": 30.0, "64-": 90.0}) for row in rows()]
    figure = figures.heights(summarize(by_height), "net", "scratch", "reference")
    lines = [container[0] for axes in figure.axes for container in axes.containers]
    assert {tuple(line.get_ydata()) for line in lines} == {(30.0, 90.0)}
    assert len(lines) == len(FIDELITIES) * len(METHODS)
    assert {"12-20", "64-"} <= {t.get_text() for t in figure.axes[0].get_xticklabels()}


def test_a_failed_figure_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "f.png").write_bytes(b"old")
    figure = figures.heat_map(motivation(rows(), "net", "scratch", "reference"))
    figure.savefig = None  # type: ignore[assignment]
    with pytest.raises(TypeError):
        figures.save_figure(figure, tmp_path / "f")
    assert [p.name for p in tmp_path.iterdir()] == ["f.png"]
    assert (tmp_path / "f.png").read_bytes() == b"old"


def test_curves_have_a_panel_a_fidelity_and_a_line_a_method() -> None:
    figure = figures.curves(summarize(rows()), "net", "scratch", "reference")
    assert [panel.get_title() for panel in figure.axes] == list(FIDELITIES)
    for panel in figure.axes:
        assert [line.get_label() for line in panel.lines] == list(METHODS)
        np.testing.assert_allclose(panel.lines[0].get_ydata(), FALLING)


def test_a_method_has_one_colour_everywhere() -> None:
    summaries = summarize(rows())
    lines = figures.curves(summaries, "net", "scratch", "reference").axes[2].lines
    palette = figures.colours(METHODS)
    assert {line.get_label(): line.get_color() for line in lines} == {
        m: palette[m] for m in METHODS
    }
    assert len({palette[m] for m in METHODS}) == len(METHODS)
    for panel in figures.bars(summaries, "reference").axes:
        for bar in panel.containers:
            if hasattr(bar, "patches"):
                colour = matplotlib.colors.to_hex(bar.patches[0].get_facecolor())
                assert colour == palette[bar.get_label()]


def test_bars_show_mean_and_spread() -> None:
    panel = figures.bars(summarize(rows()), "reference").axes[1]
    heights = [bar.get_height() for bar in panel.patches]
    assert heights == [70.5] * 5
    whiskers = panel.collections[0].get_segments()[0][:, 1]
    np.testing.assert_allclose(whiskers, [70.5 - 0.5**0.5, 70.5 + 0.5**0.5])


def test_bars_of_nothing_are_empty_panels(tmp_path: Path) -> None:
    figures.save_figure(figures.bars([], "labels"), tmp_path / "none")
    assert (tmp_path / "none.svg").exists()


def test_the_heat_map_tells_its_figures() -> None:
    told = texts(figures.heat_map(motivation(rows(), "net", "scratch", "reference")))
    for text in ("origin", "block", "gaussian", "70.5\n± 0.7", "30.0\n± 0.0", "90.0", "–"):
        assert text in told
    assert "theirs" not in told  # it was crossed with no other


def test_boxes_lie_where_faces_are(tmp_path: Path) -> None:
    image = textured(40, 60)
    image.flags.writeable = False
    face = Faces(np.array([[10, 5, 30, 25]]))
    panels = [figures.Panel("clear", image, face), figures.Panel("block", image, Faces.empty())]
    figure = figures.detections([panels, panels])
    assert [place.get_title() for place in figure.axes] == ["clear", "block"] * 2
    edge = figure.axes[0].patches[0]
    # The middle of a pixel is at its number, its left edge half a pixel before.
    assert (edge.get_x(), edge.get_y(), edge.get_width(), edge.get_height()) == (9.5, 4.5, 20, 20)
    assert not figure.axes[1].patches
    figures.save_figure(figure, tmp_path / "photo")


@pytest.mark.parametrize("rows", [[], [[]]])
def test_no_panels_are_refused(rows: list[list[figures.Panel]]) -> None:
    with pytest.raises(ValueError, match="panel"):
        figures.detections(rows)
