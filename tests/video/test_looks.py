"""Which frames are searched whole, which by a quick look, which not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from tests.video.films import COVER, RedFinder, hide, is_red, make_film, pictures, scene

from dartblur.detectors import make_detector
from dartblur.faces import Faces, Image
from dartblur.pipeline import Pipeline
from dartblur.video.api import anonymize_frames
from dartblur.video.looks import Looks
from dartblur.video.options import AUTO


@dataclass
class TwoLooks:
    """A finder of red squares, and another one for the quick look."""

    quick: RedFinder = field(default_factory=RedFinder)
    whole: RedFinder = field(default_factory=RedFinder)

    def __call__(self, images: Sequence[Image]) -> list[Faces]:
        return self.whole(images)


def chosen(rate: float, count: int, every: int = 1, cuts: Sequence[int] = ()) -> str:
    """w for each frame that is searched whole, q for a quick look, - for none."""
    detector = TwoLooks()
    looks = Looks(detector, every)
    names = {id(detector): "w", id(detector.quick): "q", id(None): "-"}
    return "".join(names[id(looks(i / rate, cut=i in cuts))] for i in range(count))


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(10, "wwwwww"), (24, "wqwqwq"), (25, "wqwqwq"), (30, "wqwqwq"), (60, "wqqqwqqq")],
)
def test_frames_soon_after_a_whole_search_get_a_quick_look(rate: float, expected: str) -> None:
    assert chosen(rate, len(expected)) == expected


def test_a_new_scene_is_searched_whole_at_once() -> None:
    assert chosen(25, 8, cuts=[3]) == "wqwwqwqw"


def test_every_leaves_out_frames_as_before() -> None:
    assert chosen(25, 8, every=2) == "w-w-w-w-"
    assert chosen(60, 8, every=2) == "w-q-w-q-"
    assert chosen(25, 4, every=AUTO) == "wwww"


def test_a_detector_without_a_quick_look_searches_all_frames() -> None:
    finder = RedFinder()
    looks = Looks(finder, 1)
    assert all(looks(i / 25, cut=False) is finder for i in range(6))
    assert Looks(None, 1)(0.0, cut=False) is None


@pytest.mark.parametrize("blind", ["whole", "quick"])
def test_what_one_of_the_two_finds_is_hidden_in_every_frame(blind: str, tmp_path: Path) -> None:
    """The other one sees nothing at all: tracks carry over its frames, in films and in Python."""
    frames = [scene(i) for i in range(24)]
    nothing = frozenset(range(24))

    def detector() -> TwoLooks:
        return TwoLooks(**{blind: RedFinder(nothing)})

    source, safe, made = make_film(tmp_path / "film.mp4", frames), tmp_path / "safe.mp4", detector()
    report = hide(source, safe, made)
    assert (report.searched, made.whole.calls, made.quick.calls) == (24, 12, 12)
    assert not any(is_red(image).any() for image in pictures(safe))
    again = anonymize_frames(frames, fps=25, pipeline=Pipeline(detector(), COVER))
    assert not any(is_red(image).any() for image in again)


def test_the_films_detector_has_a_quick_look_at_coarser_pictures() -> None:
    whole = make_detector("film")
    looks = Looks(whole, 1)
    first, second = looks(0.0, cut=False), looks(0.04, cut=False)
    assert first is whole
    assert second is not whole
    assert second is not None
    assert len(second([np.zeros((64, 64, 3), np.uint8)])) == 1
