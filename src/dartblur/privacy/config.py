"""The settings of an attack run, as they stand in a TOML file."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class AttackConfig:
    """One protocol.

    methods: names of `privacy.methods`, of `generators` or of `anonymized`. sizes: widths of the
    face's box in pixels; photos are resized to them. attackers: names of `privacy.attackers`.
    recognizers: names of `privacy.recognizers`. people, photos: at most so many, the first in the
    order of their names; 0 for all. detector: finds the faces, once, on the clear photos.
    resamples, seed: of people, for the intervals. generators: method → ONNX file. anonymized:
    method → folder of photos that another tool made, under the names that they have in the data.
    """

    methods: tuple[str, ...] = (
        "block", "gaussian-1", "gaussian-2", "pixelate-8", "pixelate-6", "dartblur",
    )  # fmt: skip
    sizes: tuple[int, ...] = (64,)
    attackers: tuple[str, ...] = ("naive", "parrot", "trained", "inverted")
    recognizers: tuple[str, ...] = ("dlib", "facenet")
    people: int = 0
    photos: int = 0
    detector: str = "thorough"
    resamples: int = 2000
    seed: int = 0
    generators: dict[str, str] = field(default_factory=dict)
    anonymized: dict[str, str] = field(default_factory=dict)
