"""What the bar says of how far the work is."""

import io
import re

import pytest
from rich.console import Console

from dartblur.batch import progress


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal would be sent."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=160, color_system=None)
    monkeypatch.setattr(progress, "Console", lambda **_: console)
    return stream


def test_every_number_has_a_name(shown: io.StringIO) -> None:
    with progress.progress_bar(44, quiet=False) as bar:
        bar.advance()
        with bar.film("a [b].mp4") as moved:
            moved(3.0, 9.0)
            bar._progress.refresh()
    text = shown.getvalue()
    assert "1/44 files" in text
    assert "a [b].mp4" in text
    assert "3/9 s of film" in text
    assert re.search(r"0:00:0\d gone", text)
    assert " left" in text
