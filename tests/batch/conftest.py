"""Ways to run the command that tests of this room share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.conftest import Outcome


@pytest.fixture
def copy(command: Callable[..., Outcome], stub_detector: None) -> Callable[..., Outcome]:
    """Runs `dartblur dataset` with the plain block and a stub for a detector."""

    def run(*words: object) -> Outcome:
        return command("dataset", *words, "--method", "block", "--margin", 0, "--workers", 2)

    return run
