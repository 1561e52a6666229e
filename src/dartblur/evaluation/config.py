"""The settings of a fidelity benchmark, as they stand in a TOML file and on the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from cyclopts import Parameter

from dartblur.stages.methods import named_and_brought
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
    """Labelled pictures.

    Parameters
    ----------
    format
        A name among `datasets.FORMATS`, "" where the layout tells it.
    root
        "" for the one of the command.
    split
        `train`, `val` or `test`.
    """

    format: str = ""
    root: str = ""
    split: str = "train"


@dataclass(frozen=True)
class EvaluationConfig:
    """One protocol.

    Parameters
    ----------
    methods
        clear (nothing hidden), block, gaussian, pixelate, dartblur; gaussian-STRENGTH,
        pixelate-CELLS, pixelate-CELLS-noise (σ 16), dartblur-GENERATOR,
        dartblur-GENERATOR-STRENGTH; those of `generators` and `anonymized` are measured too, named
        here or not.
    detectors
        retinaface, pyramidbox, pyramidbox-small, yolov5n, yolov5s; and such as only run:
        centerface, mtcnn, libfacedetection.
    seeds
        Each is a repeat.
    cross
        Methods of the motivation table: a detector trained on each is tested on each.
    image_size
        Longer side of the pictures, and side of their square canvas, in pixels.
    every
        Only each n-th training picture (1: all).
    held_out
        Train on all training pictures but each n-th, and test on those instead of `test` (0: off),
        so that choices need not be made on the test pictures.
    memory_gb
        Limit of decoded pictures.
    threads
        Of each stage.
    recipes
        By detector, how it is trained; a table of the file, or JSON.
    generators
        --generators.NAME FILE.onnx: a method of that name by a trained generator.
    anonymized
        --anonymized.NAME FOLDER: a method of that name, whose pictures another tool made; the
        folder has them under the paths that they have below the root.
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
    recipes: Annotated[dict[str, Recipe], Parameter(accepts_keys=False)] = field(
        default_factory=dict
    )
    generators: dict[str, str] = field(default_factory=dict)
    anonymized: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        methods = named_and_brought(self.methods, self.generators, self.anonymized)
        object.__setattr__(self, "methods", methods)

    def recipe(self, detector: str) -> Recipe:
        """How that detector is trained."""
        return self.recipes.get(detector, Recipe())
