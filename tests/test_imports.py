"""The runtime never imports torch: it works where torch cannot be imported at all."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from tests.pictures import textured

_SCRIPT = """
import sys

class Refusal:
    banned = {"torch", "torchvision", "lightning_fabric", "onnx", "onnxscript", "tensorboard"}
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.banned:
            raise ImportError(f"the runtime asked for {name}")

sys.meta_path.insert(0, Refusal())
sys.argv = ["dartblur", "anonymize", sys.argv[1], "-o", sys.argv[2], "--detector", "fast"]
from dartblur.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
import dartblur
dartblur.make_pipeline("pixelate", "fast")
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & Refusal.banned, loaded & Refusal.banned
print("done")
"""


def test_anonymizing_a_picture_never_imports_torch(tmp_path: Path) -> None:
    Pillow.fromarray(textured(40, 50)).save(tmp_path / "a.png")
    words = [sys.executable, "-c", _SCRIPT, str(tmp_path / "a.png"), str(tmp_path / "out")]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "done"
    assert np.array(Pillow.open(tmp_path / "out" / "a.png")).shape == (40, 50, 3)
