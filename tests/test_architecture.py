"""docs/architecture.md shows the house as it is."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_picture_is_of_these_imports() -> None:
    words = [sys.executable, str(ROOT / "scripts" / "house.py"), "picture", "--check"]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
