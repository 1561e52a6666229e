"""The fidelity protocol on a data set made by the test: it runs and means what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from tests.training import wider_data

from dartblur import toml
from dartblur.anonymizers.block import Block
from dartblur.evaluation.config import FidelityConfig
from dartblur.evaluation.fidelity import anonymized, fresh_detector, measure, prepare
from dartblur.nets.retinaface import RetinaFace
from dartblur.reference import Start


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> FidelityConfig:
    path = tmp_path_factory.mktemp("start") / "f.pth"
    torch.manual_seed(0)
    torch.save(RetinaFace().state_dict(), path)
    start = Start(str(path))
    return FidelityConfig(
        start=start, image_size=96, crop=64, batch=2, steps=2, reference_steps=1, held_out=3
    )


def test_the_shipped_protocol_parses() -> None:
    root = Path(__file__).parents[2] / "configs"
    protocol = toml.read(FidelityConfig, root / "benchmark-small.toml")
    assert (protocol.steps, protocol.reference_steps, protocol.image_size) == (500, 150, 320)


def test_every_figure_is_there_and_the_same_twice(tmp_path: Path, config: FidelityConfig) -> None:
    setting = prepare(wider_data.make(tmp_path / "data"), config)
    assert (len(setting.train), len(setting.test)) == (4, 2)
    scores = measure(Block(), setting, config, seed=3)
    names = ("operational", "posthoc", "cycle", "f:posthoc", "f:cycle")
    assert set(scores) == {f"{n}/{t}" for n in names for t in ("f", "labels")}
    assert all(0 <= value <= 100 for value in scores.values())
    assert measure(Block(), setting, config, seed=3) == scores


def test_faces_are_hidden_and_kept_as_labels(tmp_path: Path, config: FidelityConfig) -> None:
    setting = prepare(wider_data.make(tmp_path / "data"), config)
    (picture,) = anonymized(setting.train[:1], Block())
    x1, y1, x2, y2 = picture.faces.boxes[0].astype(int)
    assert not picture.image[y1:y2, x1:x2].any()
    assert picture.faces == setting.train[0].faces


def test_a_fresh_detector_keeps_the_backbone_alone() -> None:
    start = RetinaFace()
    net = fresh_detector(start, seed=1, heads=False)
    assert torch.equal(
        net.backbone[2].pointwise.conv.weight, start.backbone[2].pointwise.conv.weight
    )
    assert not torch.equal(net.scores[0].weight, start.scores[0].weight)
    assert torch.equal(fresh_detector(start, 1, heads=False).scores[0].weight, net.scores[0].weight)
