"""Networks run by ONNX Runtime: where they run, with how many threads, and what their files say."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
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


@dataclass(frozen=True)
class Network:
    """One ONNX file; loaded when first used, then shared by all threads.

    threads: CPU cores that one call uses, 0 for as many as there are. It travels to other
    processes without its session, and is loaded anew there.
    """

    file: Path
    threads: int = 1
    device: str = DEFAULT_DEVICE
    _session: list[ort.InferenceSession] = field(
        default_factory=list, init=False, repr=False, compare=False
    )
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def __call__(self, inputs: Inputs) -> Maps:
        """The network's outputs by name.

        inputs: by name, in the shapes and types that the file declares.

        Raises:
            ConfigError: the file is missing, or no network that can be run.
        """
        session = self.session()
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

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
        in_use = self.session().get_providers()[0]
        return next(device for device, provider in PROVIDERS.items() if provider == in_use)

    def session(self) -> ort.InferenceSession:
        """ONNX Runtime's own object."""
        with self._lock:
            if not self._session:
                self._session.append(_load(self.file, self.threads, self.device))
            return self._session[0]

    def __reduce__(self) -> tuple[Any, ...]:
        return (Network, (self.file, self.threads, self.device))


def _load(file: Path, threads: int, device: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # The arena is kept: without it a call takes a seventh longer. Tiles bound what it may hold. A
    # plan of memory per input size would be made for every new size, and never be used again.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    wanted = providers(device)
    if not file.is_file():
        raise ConfigError(f"{file}: no such weights; give the ONNX file of a trained network")
    try:
        session = ort.InferenceSession(file.read_bytes(), options, providers=wanted)
    except Exception as error:
        raise ConfigError(f"{file}: not a network that can be run ({error})") from error
    if (in_use := session.get_providers()[0]) != wanted[0]:
        _log.warning("%s runs on %s: ONNX Runtime could not load %s", file.name, in_use, wanted[0])
    return session
