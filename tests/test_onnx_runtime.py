"""Devices by name, and networks that are loaded once, late, and anew in another process."""

import logging
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from dartblur import detectors, onnx_runtime
from dartblur.errors import ConfigError, UsageError
from dartblur.onnx_runtime import Network, devices, providers

FILE = Path(detectors.__file__).parent / "weights" / "retinaface.onnx"
IMAGES = {"image": np.zeros((2, 32, 64, 3), np.uint8)}
CPU = "CPUExecutionProvider"


@pytest.fixture
def two_accelerators(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "OpenVINOExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: [*offered, CPU])


def test_it_is_loaded_once_and_late(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Path] = []
    load = onnx_runtime._load

    def counted(file: Path, threads: int, device: str) -> ort.InferenceSession:
        loads.append(file)
        return load(file, threads, device)

    monkeypatch.setattr(onnx_runtime, "_load", counted)
    net = Network(FILE)
    assert loads == []
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: net(IMAGES), range(4)))
    assert loads == [FILE]


def test_it_travels_to_other_processes_without_its_session() -> None:
    net = Network(FILE, 2, "cpu")
    net(IMAGES)
    assert len(pickle.dumps(net)) < 1000
    assert pickle.loads(pickle.dumps(net)) == net


def test_it_tells_what_the_file_declares_and_where_it_runs() -> None:
    net = Network(FILE, device="cpu")
    assert list(net.inputs) == ["image"]
    assert net.device_in_use == "cpu"
    assert isinstance(net.metadata, dict)


def test_the_processor_is_always_there_and_last() -> None:
    assert devices()[-1] == "cpu"
    assert providers()[-1] == CPU
    assert set(providers()) <= set(ort.get_available_providers())


@pytest.mark.usefixtures("two_accelerators")
def test_an_accelerator_comes_first_and_one_that_was_asked_for_before_it() -> None:
    assert devices() == ["cuda", "openvino", "cpu"]
    assert providers() == ["CUDAExecutionProvider", CPU]
    assert providers("openvino") == ["OpenVINOExecutionProvider", CPU]
    assert providers("cpu") == [CPU]


def test_a_device_that_is_not_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CPU])
    with pytest.raises(UsageError, match=r"'cuda' is not offered .*\(cpu are\).*dartblur\[gpu\]"):
        providers("cuda")
    with pytest.raises(UsageError, match="no device is called 'gpu': choose one of cpu"):
        providers("gpu")


@pytest.mark.usefixtures("two_accelerators")
def test_a_device_that_fails_to_load_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = ort.InferenceSession
    monkeypatch.setattr(ort, "InferenceSession", lambda *a, providers: real(*a, providers=[CPU]))
    net = Network(FILE, device="cuda")
    with caplog.at_level(logging.WARNING, onnx_runtime.__name__):
        assert net.device_in_use == "cpu"
    assert "retinaface.onnx runs on CPUExecutionProvider" in caplog.text
    assert "could not load CUDAExecutionProvider" in caplog.text


def test_files_that_are_no_network(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a network")
    for name, words in (("none.onnx", "no such weights"), ("text.onnx", "not a network that can")):
        with pytest.raises(ConfigError, match=f"{name}: {words}"):
            Network(tmp_path / name)(IMAGES)
