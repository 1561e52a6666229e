"""The settings of an attack run, as they stand in a TOML file."""

from __future__ import annotations

from dataclasses import dataclass, field

from dartblur.stages.methods import named_and_brought


@dataclass(frozen=True)
class Recovery:
    """How a network is trained that paints faces back, for the attacker `recovered`.

    Parameters
    ----------
    methods
        Only these are undone by it; all where none is named.
    rounds
        Steps of its training.
    batch
        Faces in a step.
    width
        Of the paper's U-Net, 1 as it is there.
    side
        Of the square that it sees and paints, in cells: the box with a margin.
    learning_rate
        Of Adam at first; it falls to nothing as a cosine does.
    identity
        What the loss of the first recognizer weighs beside that of the pixels: 1 − the cosine of
        what it says of the painted and of the clear face. Of dlib and faceres; 0 is none.
    """

    methods: tuple[str, ...] = ()
    rounds: int = 400
    batch: int = 16
    width: float = 0.25
    side: int = 96
    learning_rate: float = 2e-3
    identity: float = 0.0


@dataclass(frozen=True)
class Distillation:
    """How a recognizer's student is trained on hidden faces, for the attacker `distilled`.

    Parameters
    ----------
    methods
        Only on these; all where none is named.
    faces
        A data set of labelled faces, in any layout that is known, of whose split for training it
        learns too: nobody needs to know who they are. None of them may be a judged person.
    smallest
        Width and height in pixels of the faces that it takes from there, at least.
    rounds
        Steps of its training.
    batch
        Faces in a step.
    learning_rate
        Of AdamW at first; it falls to nothing as a cosine does.
    fine_tuned
        The recognizer's own network goes on learning, where its file allows it: those of dlib and
        faceres. Otherwise a small network learns from nothing.
    width
        Of the small network: channels of its first map.
    side
        Of the square in which it sees the recognizer's, in cells.
    """

    methods: tuple[str, ...] = ()
    faces: str = ""
    smallest: int = 48
    rounds: int = 1000
    batch: int = 32
    learning_rate: float = 3e-4
    fine_tuned: bool = True
    width: int = 24
    side: int = 64


@dataclass(frozen=True)
class AttackConfig:
    """One protocol.

    Parameters
    ----------
    methods
        block, block-head, context, gaussian-STRENGTH, pixelate-CELLS, pixelate-CELLS-noise (σ 16),
        dartblur, dartblur-GENERATOR, dartblur-GENERATOR-STRENGTH; those of `generators` and
        `anonymized` are attacked too, named here or not.
    attackers
        naive, parrot, trained, inverted, film, inside; several; taught, recovered and distilled,
        which learn from people who are left, the last two with the extra train.
    recognizers
        dlib, facenet, faceres, pixels; of several, all of them together are one more.
    sizes
        Widths of the face's box in pixels; photos are resized to them, enlarged if need be.
    alignments
        clear: faces are aligned by the clear photos, as only the one who hid them could; hidden:
        by what everybody sees.
    jpeg
        Quality, 1 to 100, of the JPEG files that hidden photos are saved as before anybody looks at
        them; 0: they are taken as they are. What another tool made is its own.
    people
        So many people are judged, the first in the order of their names; 0 for all.
    validation
        On so many people after those it is chosen what an attacker does in particular; 0: nothing
        is chosen. From all that are left attackers learn.
    photos
        Only so many photos of each of these; 0 for all.
    detector
        Finds the faces, once, on the clear photos.
    resamples
        Of people, for the intervals.
    seed
        Of the resamples, of the recovery, and of the distillation.
    recovery
        How faces are painted back.
    distillation
        How a recognizer's student learns from hidden faces.
    generators
        --generators.NAME FILE.onnx: a method of that name by a trained generator.
    anonymized
        --anonymized.NAME FOLDER: a method of that name, whose photos another tool made; the folder
        has them under the paths that they have below the root, in the same sizes.
    """

    methods: tuple[str, ...] = (
        "block", "gaussian-1", "gaussian-2", "pixelate-8", "pixelate-6", "dartblur",
    )  # fmt: skip
    sizes: tuple[int, ...] = (64,)
    alignments: tuple[str, ...] = ("clear", "hidden")
    attackers: tuple[str, ...] = ("naive", "parrot", "trained", "inverted", "inside")
    recognizers: tuple[str, ...] = ("dlib", "facenet")
    jpeg: int = 0
    people: int = 0
    validation: int = 0
    photos: int = 0
    detector: str = "thorough"
    resamples: int = 2000
    seed: int = 0
    recovery: Recovery = field(default_factory=Recovery)
    distillation: Distillation = field(default_factory=Distillation)
    generators: dict[str, str] = field(default_factory=dict)
    anonymized: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        methods = named_and_brought(self.methods, self.generators, self.anonymized)
        object.__setattr__(self, "methods", methods)
