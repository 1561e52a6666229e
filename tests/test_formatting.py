"""How things are said to people."""

import pytest

from dartblur.formatting import duration, timecode


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (240, "4 min"),
        (3600, "1 h 00 min"),
        (90 * 60, "1 h 30 min"),
        (71 * 3600, "71 h 00 min"),
        (644_000 * 38, "283 days"),
    ],
)
def test_a_time_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00.000"), (3725.5, "1:02:05.500"), (-0.04, "-0:00:00.040")]
)
def test_places_in_a_film(seconds: float, text: str) -> None:
    assert timecode(seconds) == text
