"""The networks that ship with the package."""

from __future__ import annotations

from pathlib import Path

from dartblur.onnx_runtime import DEFAULT_DEVICE, Network

WEIGHTS = Path(__file__).parent / "weights"


def shipped(name: str, threads: int = 1, device: str = DEFAULT_DEVICE) -> Network:
    """The network of that name.

    Its input `image` is (N, H, W, 3) uint8 RGB, H and W multiples of 32.

    name: a file of `weights` without its suffix. threads: CPU cores that one call uses.
    """
    return Network(WEIGHTS / f"{name}.onnx", threads, device)
