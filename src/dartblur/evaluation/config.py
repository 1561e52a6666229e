"""The settings of a fidelity benchmark, as they stand in a TOML file."""

from __future__ import annotations

from dataclasses import dataclass, field

from dartblur.reference import Start


@dataclass(frozen=True)
class FidelityConfig:
    """One protocol, the same for every method.

    image_size: longer side of the pictures and side of their square canvas. crop: side of training
    crops. steps, rate: of f_g from the ImageNet backbone; reference_steps, reference_rate: of f_g
    from f. every: only each n-th training picture (1: all); held_out: train on all training
    pictures but each n-th and measure on those, instead of split "val" (0: off).
    """

    methods: tuple[str, ...] = ("clear", "block", "gaussian", "pixelate", "dartblur")
    seeds: tuple[int, ...] = (0,)
    image_size: int = 320
    crop: int = 224
    batch: int = 16
    steps: int = 500
    rate: float = 2e-3
    warm_up: int = 50
    reference_steps: int = 150
    reference_rate: float = 1e-3
    clip: float = 10.0
    memory_gb: float = 4.0
    every: int = 1
    held_out: int = 0
    threads: int = 1
    start: Start = field(default_factory=Start)
