"""The networks that ship with the package, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

Maps = Mapping[str, npt.NDArray[np.float32]]
# Fastest first; TensorRT is left out because it builds an engine, for minutes, per picture size.
PREFERRED_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


@dataclass(frozen=True)
class Network:
    """One embedded network; loaded when first used, then shared by all threads.

    name: a file of `dartblur.detectors.weights` without its suffix.
    threads: CPU cores that one call uses.
    """

    name: str
    threads: int = 1
    _session: list[ort.InferenceSession] = field(
        default_factory=list, init=False, repr=False, compare=False
    )
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def __call__(self, images: npt.NDArray[np.uint8]) -> Maps:
        """The network's output maps by name.

        images: (N, H, W, 3) uint8 RGB, H and W multiples of 32.
        """
        session = self._loaded()
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, {"image": images}), strict=True))

    def _loaded(self) -> ort.InferenceSession:
        with self._lock:
            if not self._session:
                self._session.append(_load(self.name, self.threads))
            return self._session[0]

    def __reduce__(self) -> tuple[Any, ...]:
        # A session cannot travel to another process; there it is loaded anew.
        return (Network, (self.name, self.threads))


def providers() -> list[str]:
    """What networks run on here, first choice first: names of ONNX Runtime's providers."""
    offered = ort.get_available_providers()
    return [provider for provider in PREFERRED_PROVIDERS if provider in offered]


def _load(name: str, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # The arena is kept: without it a call takes a seventh longer. Tiles bound what it may hold. A
    # plan of memory per input size would be made for every new size, and never be used again.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    weights = resources.files("dartblur.detectors") / "weights" / f"{name}.onnx"
    return ort.InferenceSession(weights.read_bytes(), options, providers=providers())
