"""The embedded networks: their files, and how they are loaded."""

import hashlib
import pickle
from concurrent.futures import ThreadPoolExecutor
from importlib import resources

import numpy as np
import onnxruntime as ort
import pytest

from dartblur.detectors import network
from dartblur.detectors.network import Network, providers

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
    maps = Network(name)(IMAGES)
    assert {key: maps[key].shape for key in shapes} == shapes


@pytest.mark.parametrize("name", ["centerface", "retinaface"])
def test_a_batch_is_its_pictures(name: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    net = Network(name)
    both = net(images)
    for i in range(2):
        for key, value in net(images[i : i + 1]).items():
            np.testing.assert_allclose(both[key][i], value[0], atol=1e-4)


def test_it_is_loaded_once_and_late(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    load = network._load

    def counted(name: str, threads: int) -> ort.InferenceSession:
        loads.append(name)
        return load(name, threads)

    monkeypatch.setattr(network, "_load", counted)
    net = Network("retinaface")
    assert loads == []
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: net(IMAGES), range(4)))
    assert loads == ["retinaface"]


def test_it_travels_to_other_processes_without_its_session() -> None:
    net = Network("retinaface", 2)
    net(IMAGES)
    assert len(pickle.dumps(net)) < 1000
    assert pickle.loads(pickle.dumps(net)) == net


def test_it_runs_on_what_is_there_with_the_processor_last() -> None:
    assert providers()[-1] == "CPUExecutionProvider"
    assert set(providers()) <= set(ort.get_available_providers())


def test_an_accelerator_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: offered)
    assert providers() == ["CUDAExecutionProvider", "CPUExecutionProvider"]
