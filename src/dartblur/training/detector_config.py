"""The settings of a detector's training, as they stand in a TOML file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DetectorTraining:
    """How a detector is trained.

    steps: updates, of a batch of crops each. image_size: longer side of an image before it is
    augmented; crop: side of what is cut out of it. rate: the highest learning rate, reached after
    warm_up updates. ema: decay of the averaged weights, which are what is
    exported. teacher: detector whose faces of score `sure` and more become labels where labels are
    missing, and whose others are ignored; "" for none. photos: so many images of split train,
    evenly chosen; 0 for all. threads: CPU cores. save_every: updates between checkpoints.
    """

    steps: int = 20_000
    batch: int = 16
    image_size: int = 640
    crop: int = 192
    rate: float = 1e-3
    warm_up: int = 100
    ema: float = 0.998
    teacher: str = "thorough"
    sure: float = 0.5
    photos: int = 0
    seed: int = 0
    threads: int = 1
    save_every: int = 100
