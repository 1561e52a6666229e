"""The settings of the second stage's training, as they stand in a TOML file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BoxClassifierTraining:
    """How the second stage of a detector is trained.

    photos: so many images of split train, evenly chosen; 0 for all. Every `held_out`th of them only
    measures. image_sizes: longer sides of the images, by turns: shrunk ones have the small
    faces that are rare in what people label. detector: whose first stage proposes boxes, of
    score `least` and more; one of score `sure` and more that no label touches may be a face that
    nobody labelled, and is left out. negatives: most boxes of an image that show no face.
    steps: updates, of a batch of crops each, half of them faces. rate: the highest learning rate,
    reached after warm_up updates. threads: CPU cores.
    """

    photos: int = 1800
    held_out: int = 4
    image_sizes: tuple[int, ...] = (640, 320, 160)
    detector: str = "thorough"
    least: float = 0.05
    sure: float = 0.8
    negatives: int = 40
    steps: int = 3000
    batch: int = 128
    rate: float = 2e-3
    warm_up: int = 200
    seed: int = 0
    threads: int = 1
