"""The embedded networks: their files."""

import hashlib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dartblur.detectors import make_detector
from dartblur.detectors.network import shipped
from dartblur.detectors.second_stage import BoxClassifier

ASTRONAUT = Path(__file__).parents[2] / "examples" / "astronaut.jpg"
WEIGHTS = resources.files("dartblur.detectors") / "weights"
IMAGES = np.zeros((2, 32, 64, 3), np.uint8)


def sums() -> dict[str, str]:
    lines = (WEIGHTS / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def test_every_file_has_its_sum_and_every_sum_its_file() -> None:
    files = {f.name: f.read_bytes() for f in WEIGHTS.iterdir() if f.name.endswith(".onnx")}
    assert {name: hashlib.sha256(data).hexdigest() for name, data in files.items()} == sums()


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("centerface", {"heat": (2, 1, 8, 16), "size": (2, 2, 8, 16), "offset": (2, 2, 8, 16)}),
        ("retinaface", {"score8": (2, 2, 4, 8), "box16": (2, 8, 2, 4), "score32": (2, 2, 1, 2)}),
    ],
)
def test_outputs_have_their_shapes(name: str, shapes: dict[str, tuple[int, ...]]) -> None:
    maps = shipped(name)({"image": IMAGES})
    assert {key: maps[key].shape for key in shapes} == shapes


@pytest.mark.parametrize("name", ["centerface", "retinaface"])
def test_a_batch_is_its_pictures(name: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    net = shipped(name)
    both = net({"image": images})
    for i in range(2):
        for key, value in net({"image": images[i : i + 1]}).items():
            np.testing.assert_allclose(both[key][i], value[0], atol=1e-4)


def test_the_second_stage_ships_with_its_card() -> None:
    card = (WEIGHTS / "box_classifier.md").read_text("utf-8")
    assert f"`{sums()['box_classifier.onnx']}`" in card
    network = shipped("box_classifier")
    assert set(network.metadata) == {"settings", "origin"}
    assert network.inputs["crops"][1:] == (56, 56, 3)


@pytest.mark.skipif(not ASTRONAUT.is_file(), reason="runs from a checkout only")
def test_the_second_stage_knows_a_face_from_a_zip() -> None:
    image = np.asarray(Image.open(ASTRONAUT).convert("RGB"))
    face, zip_fastener = [179, 58, 271, 178], [228, 268, 285, 327]
    boxes = np.array([face, zip_fastener, [20, 300, 80, 380]], np.float32)
    logits = BoxClassifier(shipped("box_classifier"))(image, boxes)
    assert logits[0] > 1
    assert (logits[1:] < -1).all()


@pytest.mark.skipif(not ASTRONAUT.is_file(), reason="runs from a checkout only")
@pytest.mark.parametrize("name", ["fast", "film"])
def test_nothing_but_her_face_is_found(name: str) -> None:
    image = np.asarray(Image.open(ASTRONAUT).convert("RGB"))
    [faces] = make_detector(name)([image])
    np.testing.assert_allclose(faces.boxes, [[178, 57, 272, 177]], atol=3)
