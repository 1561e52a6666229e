"""The full-frame generator: from training to ONNX to the runtime without torch."""

from __future__ import annotations

import csv
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")
onnx = pytest.importorskip("onnx", reason="the export needs it: pip install dartblur[train]")
pytest.importorskip("onnxscript", reason="the export needs it: pip install dartblur[train]")

import onnxruntime as ort
from PIL import Image as Pillow
from tests.conftest import Outcome
from tests.pictures import FRAME_WEIGHTS, textured
from tests.training.conftest import Ground

from dartblur.anonymizers import Blur, Dartblur
from dartblur.anonymizers.frames import FrameGeometry
from dartblur.anonymizers.generator_file import GeneratorMetadata
from dartblur.anonymizers.windows import WindowGeometry
from dartblur.datasets.labelled import LabelledImage
from dartblur.errors import TrainingError
from dartblur.faces import Faces
from dartblur.nets.unet import FrameGenerator
from dartblur.nets.window import WindowGenerator
from dartblur.training import export as exporting
from dartblur.training.checkpoint import read
from dartblur.training.compositing import composite_frame
from dartblur.training.config import Data
from dartblur.training.data import Batches

# What the smoke configuration becomes: the paper's kind of generator, epoch by epoch, no average.
CHANGES = {
    "width = 8": 'kind = "unet"\nwidth = 0.01',
    "ema = 0.5": "ema = 0.0\nepoch_decay = 0.5",
    "steps = 1": "steps = 1\nepochs = 1",
    "rounds = 8": "rounds = 2\nepoch = 1",
}

FRAMES = FrameGeometry(64)


def difference(path: Path, net: torch.nn.Module, shape: tuple[int, int, int]) -> float:
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    count, height, width = shape
    blurred = torch.rand(count, 3, height, width) * 255
    mask = (torch.rand(count, 1, height, width) > 0.5).float()
    with torch.no_grad():
        expected = net(blurred, mask).numpy()
    inputs = {"blurred": blurred.numpy(), "mask": mask.numpy()}
    return float(np.abs(session.run(None, inputs)[0] - expected).max())


@pytest.fixture
def generator() -> FrameGenerator:
    """What the file of the other tests holds, with metadata of the paper's blur and FRAMES."""
    torch.manual_seed(0)
    return FrameGenerator(0.01).eval()


@pytest.mark.parametrize("shape", [(1, 64, 96), (2, 50, 33)])
def test_the_file_of_the_tests_is_this_generator(
    generator: FrameGenerator, shape: tuple[int, int, int]
) -> None:
    assert difference(FRAME_WEIGHTS, generator, shape) < 1e-3
    assert Dartblur(FRAME_WEIGHTS).metadata == GeneratorMetadata(Blur(), FRAMES, {})


def test_training_and_runtime_agree(generator: FrameGenerator) -> None:
    boxes = np.array([[4, 6, 20, 26], [12, 10, 40, 50], [50, -9, 70, 25], [50, 50, 51, 51]])
    faces = Faces(boxes.astype(np.float32))
    picture = LabelledImage("drawn", textured(64, 64), faces, faces)
    plain = Data(crop=64, batch=1, scale=(1.0, 1.0), colour=0.0, grown=0.0)
    drawn = (
        Batches([picture], plain, Blur(), WindowGeometry(), (0, 0)).batch(n) for n in range(20)
    )
    upright = torch.from_numpy(picture.image).permute(2, 0, 1).float()
    batch = next(b for b in drawn if torch.equal(b.clear[0], upright))
    with torch.no_grad():
        trained = composite_frame(generator, batch).image[0].permute(1, 2, 0).numpy()
    served = Dartblur(FRAME_WEIGHTS)(picture.image, faces)
    assert np.abs(trained - served).max() <= 0.51
    assert np.abs(served - batch.blurred[0].permute(1, 2, 0).numpy()).max() > 3


def test_from_training_to_picture_on_the_command_line(
    ground: Ground, tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    text = ground.config.read_text()
    for old, new in CHANGES.items():
        assert old in text
        text = text.replace(old, new)
    config = tmp_path / "unet.toml"
    config.write_text(text)
    run, weights = tmp_path / "run", tmp_path / "new" / "g.onnx"
    outcome = command("train", "--config", config, "--data", ground.data, "-o", run)
    assert outcome.status == 0
    # Its plan, its pace and its files.
    assert f"{config}: 2 rounds of 2 crops of 96 × 96 pixels on cpu" in outcome.error
    assert "s a round: 1 rounds, about" in outcome.error
    wrote = f"wrote {run / 'checkpoint.pt'}, {run / 'log.csv'} and {run / 'sheets'}/"
    assert wrote in outcome.error
    rows = list(csv.DictReader((run / "log.csv").open()))
    assert [bool(row["adversary"]) for row in rows] == [True, False]
    assert [bool(row["cycle"]) for row in rows] == [False, True]

    outcome = command("export", run, "-o", weights)
    assert outcome.status == 0
    # Nothing of the exporter's.
    assert outcome.error.splitlines() == [
        f"wrote {weights}: the generator after 2 rounds; dartblur anonymize --weights {weights}"
    ]
    net = FrameGenerator(0.01).eval()
    net.load_state_dict(read(run / "checkpoint.pt")["generator"])
    for shape in ((1, 40, 70), (3, 96, 64)):
        assert difference(weights, net, shape) < 1e-3

    image = textured(90, 120)
    Pillow.fromarray(image).save(tmp_path / "a.png")
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"image_id": 1, "bbox": [30, 20, 40, 60]}],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    safe, boxes = tmp_path / "safe", tmp_path / "boxes.json"
    words = ("anonymize", tmp_path / "a.png", "-o", safe, "--boxes", boxes)
    assert command(*words, "--method", "dartblur", "--weights", weights).status == 0
    changed = (np.array(Pillow.open(safe / "a.png")) != image).any(axis=2)
    assert changed[20:80, 30:70].mean() > 0.9
    changed[20:80, 30:70] = False
    assert not changed.any()


def test_export_without_a_checkpoint(tmp_path: Path, command: Callable[..., Outcome]) -> None:
    outcome = command("export", tmp_path / "none", "-o", tmp_path / "g.onnx")
    assert outcome.status == 1
    assert "none/checkpoint.pt: there is no checkpoint" in outcome.error.replace("\\", "/")
    assert not (tmp_path / "g.onnx").exists()


def test_no_space_for_the_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "g.onnx").write_bytes(b"the last one")

    metadata = GeneratorMetadata(Blur(), WindowGeometry(24), {})

    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(exporting, "traced", lambda *_: onnx.ModelProto())
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(TrainingError, match=r"g\.onnx: cannot be written \(No space left"):
            exporting.export_window(WindowGenerator(24, 4), metadata, tmp_path / "g.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["g.onnx"]
    assert (tmp_path / "g.onnx").read_bytes() == b"the last one"
