"""Networks run by ONNX Runtime: where they run, with how many threads, and what their files say."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Condition, Lock
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from dartblur.errors import ConfigError, UsageError

# What the package's own switch (see `dartblur`) does not cover: Windows has another provider.
ort.disable_telemetry_events()

Device = Literal["auto", "cpu", "cuda", "openvino", "coreml", "directml"]
DEFAULT_DEVICE: Device = "auto"
PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "cuda": "CUDAExecutionProvider",
        "openvino": "OpenVINOExecutionProvider",
        "coreml": "CoreMLExecutionProvider",
        "directml": "DmlExecutionProvider",
        "cpu": "CPUExecutionProvider",
    }
)
"""ONNX Runtime's name of each device's provider."""
# What `auto` tries, fastest first. The others change a network's numbers or compile it for each
# picture size: they run where a person asks for them. TensorRT, which builds for minutes, never.
_AUTOMATIC = ("cuda", "cpu")
_INSTALL = MappingProxyType(
    {
        "cuda": "pip uninstall onnxruntime, then pip install --force-reinstall 'dartblur[gpu]'",
        "openvino": "pip uninstall onnxruntime, then pip install --force-reinstall "
        "'dartblur[openvino]'",
        "coreml": "it needs macOS",
        "directml": "it needs Windows and onnxruntime-directml in place of onnxruntime",
    }
)
# How many pictures, tiles or windows a network is given at once where calls wait for it. On the
# processor more at a time are no faster; other devices compile a network for each number.
_AT_ONCE: Mapping[str, int] = MappingProxyType({"cuda": 8})
_log = logging.getLogger(__name__)

Inputs = Mapping[str, npt.NDArray[Any]]
Maps = Mapping[str, npt.NDArray[np.float32]]


def devices() -> list[str]:
    """The devices that ONNX Runtime offers on this machine, the processor last."""
    offered = ort.get_available_providers()
    return [device for device, provider in PROVIDERS.items() if provider in offered]


def providers(device: str = DEFAULT_DEVICE) -> list[str]:
    """ONNX Runtime's providers to ask for, first choice first; the processor is always the last.

    Raises:
        UsageError: no such device, or it is not to be had here: the message says what to install.
    """
    if device not in get_args(Device):
        raise UsageError(f"no device is called {device!r}: choose one of {', '.join(devices())}")
    here = devices()
    if device != "auto" and device not in here:
        raise UsageError(
            f"device {device!r} is not offered by ONNX Runtime here ({', '.join(here)} are): "
            f"{_INSTALL[device]}"
        )
    wanted = [d for d in _AUTOMATIC if d in here] if device == "auto" else [device, "cpu"]
    return list(dict.fromkeys(PROVIDERS[d] for d in wanted))


@dataclass(eq=False)
class _Call:
    """One call of a network: its inputs, and what came of it."""

    inputs: Inputs
    outputs: Maps | None = None
    error: Exception | None = None

    @property
    def size(self) -> int:
        """How many pictures, tiles or windows it is of."""
        return len(next(iter(self.inputs.values())))

    @property
    def ended(self) -> bool:
        """Whether anything came of it."""
        return self.outputs is not None or self.error is not None

    def fits(self, other: _Call) -> bool:
        """Whether the two may be one batch."""
        return all(a.shape[1:] == other.inputs[name].shape[1:] for name, a in self.inputs.items())


class Batcher:
    """Runs the calls of several threads as one batch: while one runs, others gather.

    Nobody waits for a batch to be full: what has gathered and fits is run when the network is free.
    Where a batch fails, its calls are run one by one: an error is told to the call that it is of.

    run: of the network, whose inputs and outputs all begin with the axis of the batch. most: in a
    batch; 1: calls are run as they come.
    """

    def __init__(self, run: Callable[[Inputs], Maps], most: int) -> None:
        self._run, self._most = run, most
        self._waiting: list[_Call] = []
        self._running = False
        self._turn = Condition()

    def __call__(self, inputs: Inputs) -> Maps:
        """What the network makes of these inputs."""
        if self._most == 1:
            return self._run(inputs)
        call = _Call(inputs)
        with self._turn:
            self._waiting.append(call)
            self._turn.wait_for(lambda: call.ended or not self._running)
            if not call.ended:
                self._running = True
                batch = self._taken(call)
        if not call.ended:
            try:
                self._end(batch)
            finally:
                with self._turn:
                    self._running = False
                    self._turn.notify_all()
        if call.error is not None:
            raise call.error
        assert call.outputs is not None
        return call.outputs

    def _taken(self, first: _Call) -> list[_Call]:
        """The call, and those that wait and fit."""
        batch, size = [first], first.size
        for call in self._waiting:
            if call is not first and size + call.size <= self._most and call.fits(first):
                batch.append(call)
                size += call.size
        self._waiting = [call for call in self._waiting if call not in batch]
        return batch

    def _end(self, batch: list[_Call]) -> None:
        names = batch[0].inputs
        try:
            whole = self._run({n: np.concatenate([c.inputs[n] for c in batch]) for n in names})
        except Exception as error:  # noqa: BLE001 - told to the call that it is of
            if len(batch) == 1:
                batch[0].error = error
                return
            for call in batch:
                self._end([call])
            return
        ends = np.cumsum([call.size for call in batch])
        for call, end in zip(batch, ends, strict=True):
            call.outputs = {name: part[end - call.size : end] for name, part in whole.items()}


@dataclass(frozen=True)
class Network:
    """One ONNX file; loaded when first used, then shared by all threads.

    threads: CPU cores that one call uses, 0 for as many as there are. On a GPU, calls by several
    threads are run together where they can be, see `Batcher`. It travels to other processes without
    its session, and is loaded anew there.
    """

    file: Path
    threads: int = 1
    device: str = DEFAULT_DEVICE
    _session: list[tuple[ort.InferenceSession, Batcher]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def __call__(self, inputs: Inputs) -> Maps:
        """The network's outputs by name.

        inputs: by name, in the shapes and types that the file declares.

        Raises:
            ConfigError: the file is missing, or no network that can be run.
        """
        return self._loaded()[1](inputs)

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file's makers wrote into it, by key."""
        found: Mapping[str, str] = self.session().get_modelmeta().custom_metadata_map
        return found

    @property
    def inputs(self) -> Mapping[str, tuple[int | str | None, ...]]:
        """The declared shape of each input; a name or None stands for any length."""
        return {i.name: tuple(i.shape) for i in self.session().get_inputs()}

    @property
    def device_in_use(self) -> str:
        """The device that it really runs on, which may be slower than the one asked for."""
        return _device_of(self.session())

    def session(self) -> ort.InferenceSession:
        """ONNX Runtime's own object."""
        return self._loaded()[0]

    def _loaded(self) -> tuple[ort.InferenceSession, Batcher]:
        with self._lock:
            if not self._session:
                session = _load(self.file, self.threads, self.device)
                batcher = Batcher(partial(_run, session), _AT_ONCE.get(_device_of(session), 1))
                self._session.append((session, batcher))
            return self._session[0]

    def __reduce__(self) -> tuple[Any, ...]:
        return (Network, (self.file, self.threads, self.device))


def _run(session: ort.InferenceSession, inputs: Inputs) -> Maps:
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))


def _device_of(session: ort.InferenceSession) -> str:
    in_use = session.get_providers()[0]
    return next(device for device, provider in PROVIDERS.items() if provider == in_use)


def make_session(
    model: bytes, threads: int = 1, device: str = DEFAULT_DEVICE
) -> ort.InferenceSession:
    """ONNX Runtime's own object for a network. threads: see `Network`.

    Raises:
        UsageError: the device is not to be had here.
        Exception: of ONNX Runtime's many kinds: this is no network that can be run.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # The arena is kept: without it a call takes a seventh longer. Tiles bound what it may hold. A
    # plan of memory per input size would be made for every new size, and never be used again.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=providers(device))


def _load(file: Path, threads: int, device: str) -> ort.InferenceSession:
    first = providers(device)[0]
    if not file.is_file():
        raise ConfigError(f"{file}: no such weights; give the ONNX file of a trained network")
    try:
        session = make_session(file.read_bytes(), threads, device)
    except Exception as error:
        raise ConfigError(f"{file}: not a network that can be run ({error})") from error
    if (in_use := session.get_providers()[0]) != first:
        _log.warning("%s runs on %s: ONNX Runtime could not load %s", file.name, in_use, first)
    return session
