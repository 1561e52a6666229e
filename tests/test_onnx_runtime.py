"""Devices by name, and networks that are loaded once, late, and anew in another process."""

import logging
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import sleep

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest
from tests.pictures import textured

from dartblur import detectors, onnx_runtime
from dartblur.anonymizers import dartblur
from dartblur.detectors.ensemble import Ensemble
from dartblur.errors import ConfigError, UsageError
from dartblur.faces import Faces
from dartblur.onnx_runtime import Batcher, Inputs, Maps, Network, devices, providers
from dartblur.pipeline import Pipeline, make_pipeline

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


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Batches on the processor too; gets the length of each that is run."""
    lengths: list[int] = []
    run = onnx_runtime._run

    def counted(session: ort.InferenceSession, inputs: Inputs) -> Maps:
        lengths.append(len(next(iter(inputs.values()))))
        return run(session, inputs)

    monkeypatch.setattr(onnx_runtime, "_AT_ONCE", {"cpu": 8})
    monkeypatch.setattr(onnx_runtime, "_run", counted)
    dartblur._load.cache_clear()
    yield lengths
    dartblur._load.cache_clear()


class Gathering:
    """Stands for a network, whose first run ends when `calls` more calls wait."""

    def __init__(self, calls: int, bad: int = -1) -> None:
        self.batcher = Batcher(self.run, 8)
        self.calls, self.bad = calls, bad
        self.batches: list[list[int]] = []

    def run(self, inputs: Inputs) -> Maps:
        values = inputs["x"][:, 0].tolist()
        while not self.batches and len(self.batcher._waiting) < self.calls:
            sleep(0.001)
        self.batches.append(values)
        if self.bad in values:
            raise MemoryError(f"of {len(values)}")
        return {"y": inputs["x"] * 2}

    def all(self, shapes: Sequence[tuple[int, int]]) -> list[Future[Maps]]:
        """A call of each shape, all by threads of their own, the first before the others."""
        with ThreadPoolExecutor(len(shapes)) as pool:
            futures = []
            for number, shape in enumerate(shapes):
                inputs = {"x": np.full(shape, number, np.float32)}
                futures.append(pool.submit(self.batcher, inputs))
                while not self.batcher._running and not self.batches:
                    sleep(0.001)
        return futures


def test_calls_that_wait_and_fit_are_run_together() -> None:
    net = Gathering(calls=5)
    shapes = [(1, 5), (2, 5), (1, 5), (3, 6), (1, 5), (4, 5)]
    for number, (shape, future) in enumerate(zip(shapes, net.all(shapes), strict=True)):
        np.testing.assert_array_equal(future.result()["y"], np.full(shape, 2.0 * number))
    assert sorted(map(sorted, net.batches)) == [[0], [1, 1, 2, 4, 5, 5, 5, 5], [3, 3, 3]]


def test_no_batch_is_larger_than_it_may_be() -> None:
    net = Gathering(calls=4)
    assert len(net.all([(1, 5), (3, 5), (3, 5), (3, 5), (9, 5)])) == 5
    assert sorted(map(len, net.batches)) == [1, 3, 6, 9]


def test_an_error_is_told_to_its_own_call() -> None:
    net = Gathering(calls=3, bad=2)
    futures = net.all([(1, 5)] * 4)
    assert sorted(map(sorted, net.batches)) == [[0], [1], [1, 2, 3], [2], [3]]
    for number in (0, 1, 3):
        assert futures[number].result()["y"][0, 0] == 2 * number
    with pytest.raises(MemoryError, match="of 1"):
        futures[2].result()


def test_batches_give_what_single_pictures_give(
    together: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [textured(96, 128, seed) for seed in range(16)]
    boxes = Faces(np.array([[10, 10, 40, 50], [60, 20, 90, 60]], np.float32))

    def made(batches: bool, hide: Pipeline) -> list[npt.NDArray[np.generic]]:
        assert isinstance(hide.detector, Ensemble)
        with ThreadPoolExecutor(8 if batches else 1) as pool:
            hidden = list(pool.map(lambda image: hide.anonymizer(image, boxes), images))
            for member in hide.detector.members:
                for found, scores in pool.map(lambda i, m=member: m(i, 0.01), images):
                    hidden += [found, scores]
        return hidden

    alone = made(False, make_pipeline(detector="fast", threads=1))
    assert max(together) == 2

    end, waited = Batcher._end, [False]

    def after_others_wait(batcher: Batcher, batch: list[onnx_runtime._Call]) -> None:
        while not waited[0] and len(batcher._waiting) < 4:
            sleep(0.001)
        waited[0] = True
        end(batcher, batch)

    # The first run waits for others to gather, so that it is no chance that some do.
    monkeypatch.setattr(Batcher, "_end", after_others_wait)
    many = made(True, make_pipeline(detector="fast", threads=1))
    for one, other in zip(alone, many, strict=True):
        np.testing.assert_array_equal(one, other)
    assert max(together) > 2
    assert any(len(each) for each in alone[len(images) :])
