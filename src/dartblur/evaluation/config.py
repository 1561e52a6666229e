"""The settings of a fidelity benchmark, as they stand in a TOML file."""

from __future__ import annotations

from dataclasses import dataclass, field

from dartblur.training.reference import Start


@dataclass(frozen=True)
class Recipe:
    """How one detector is trained, the same for every method.

    crop: side of training crops in pixels. steps, rate: from the backbone, or from random values;
    reference_steps, reference_rate: from f, for a detector that has one (0 steps: not measured).
    clip: largest norm of the gradient.
    """

    crop: int = 224
    batch: int = 16
    steps: int = 500
    rate: float = 2e-3
    warm_up: int = 50
    reference_steps: int = 150
    reference_rate: float = 1e-3
    clip: float = 10.0


@dataclass(frozen=True)
class Source:
    """Labelled pictures. format: a name among the readers; root: "" for the one of the command."""

    format: str = "widerface"
    root: str = ""
    split: str = "train"


@dataclass(frozen=True)
class EvaluationConfig:
    """One protocol.

    methods: names of anonymizers, of `generators` or of `anonymized`; "clear" is none at all.
    cross: methods of the motivation table: a detector trained on each is tested on each.
    recipes: by detector; a recipe's own defaults where there is none.
    generators: method → ONNX file. anonymized: method → folder of pictures that another tool made,
    with the paths that they have below `root`.
    image_size: longer side of the pictures and side of their square canvas. every: only each n-th
    training picture (1: all). held_out: train on all training pictures but each n-th, and test on
    those instead of `test` (0: off), so that choices need not be made on the test pictures.
    """

    methods: tuple[str, ...] = ("clear", "block", "gaussian", "pixelate", "dartblur")
    detectors: tuple[str, ...] = ("retinaface",)
    seeds: tuple[int, ...] = (0,)
    cross: tuple[str, ...] = ()
    image_size: int = 320
    every: int = 1
    held_out: int = 0
    memory_gb: float = 4.0
    threads: int = 1
    train: Source = field(default_factory=Source)
    test: Source = field(default_factory=lambda: Source(split="val"))
    start: Start = field(default_factory=Start)
    recipes: dict[str, Recipe] = field(default_factory=dict)
    generators: dict[str, str] = field(default_factory=dict)
    anonymized: dict[str, str] = field(default_factory=dict)

    def recipe(self, detector: str) -> Recipe:
        """How that detector is trained."""
        return self.recipes.get(detector, Recipe())
