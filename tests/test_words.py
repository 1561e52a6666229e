"""How things are said to people."""

import pytest

from dartblur.words import duration


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
