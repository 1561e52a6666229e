"""What a person has made of one picture's boxes so far: the content of its decisions."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from dartblur.config_file import build_config
from dartblur.errors import ConfigError
from dartblur.faces import Faces
from dartblur.records import Record

Origin = Literal["detected", "taken", "drawn"]
Actions = Literal[
    "draw", "move", "resize", "delete", "take", "dismiss", "undo", "redo", "accept", "reopen",
    "reset",
]  # fmt: skip
MAX_BOXES = 10_000
PREFIX = "picture:"
APPLIED = "apply"
"""What the log calls it when a picture is made anew with its boxes."""


@dataclass(frozen=True)
class ReviewedBox:
    """A box that is to be hidden.

    box: x1, y1, x2, y2 in pixels of the upright picture, to two decimals. origin: the run's
    detector, a faint candidate that a person took, or a person. edited: a person moved it.
    candidate: the number of the candidate that was taken. seen: how many passes of the detector saw
    it, 0 where that is unknown.
    """

    box: tuple[float, float, float, float]
    score: float = 1.0
    origin: Origin = "drawn"
    edited: bool = False
    candidate: int | None = None
    seen: int = 0

    @property
    def by_person(self) -> bool:
        """True where a person made it what it is."""
        return self.edited or self.origin != "detected"


@dataclass(frozen=True)
class PictureState:
    """The boxes of one picture, and what a person said of it.

    dismissed: numbers of the faint candidates that are no face. accepted: a person looked, and all
    faces are hidden. made: names what the run made of the picture, see `made_of`.
    """

    boxes: tuple[ReviewedBox, ...] = ()
    dismissed: tuple[int, ...] = ()
    accepted: bool = False
    made: str = ""

    def to_json(self) -> dict[str, Any]:
        """As the log keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> PictureState:
        """Of what the log kept."""
        boxes = tuple(ReviewedBox(**{**row, "box": tuple(row["box"])}) for row in content["boxes"])
        return cls(boxes, tuple(content["dismissed"]), content["accepted"], content["made"])

    @property
    def faces(self) -> Faces:
        """The boxes to hide; those that a person made score 1."""
        scores = [1.0 if box.by_person else box.score for box in self.boxes]
        return Faces(
            np.array([box.box for box in self.boxes], np.float32), np.array(scores, np.float32)
        )

    @property
    def by_person(self) -> tuple[int, ...]:
        """Numbers of the boxes that a person made."""
        return tuple(number for number, box in enumerate(self.boxes) if box.by_person)

    def accept(self) -> PictureState:
        """The same boxes, and a person looked: all faces are hidden."""
        return replace(self, accepted=True)

    def take(self, faint: Sequence[tuple[float, ...]]) -> PictureState:
        """All candidates that nobody has judged are faces."""
        taken = [
            ReviewedBox((x1, y1, x2, y2), score, "taken", candidate=number, seen=int(seen))
            for number in self.open_candidates(len(faint))
            for x1, y1, x2, y2, score, seen in [faint[number]]
        ]
        return replace(self, boxes=(*self.boxes, *taken))

    def dismiss(self, count: int) -> PictureState:
        """None of the `count` candidates that nobody has judged is a face."""
        dismissed = {*self.dismissed, *self.open_candidates(count)}
        return replace(self, dismissed=tuple(sorted(dismissed)))

    def differs_from(self, record: Record) -> bool:
        """True where other boxes are to be hidden than the output hides."""
        hidden = sorted(tuple(box[:4]) for box in record.boxes)
        return sorted(box.box for box in self.boxes) != hidden

    def open_candidates(self, count: int) -> list[int]:
        """Of that many faint candidates, the numbers of those that nobody has judged."""
        judged = {*self.dismissed, *(box.candidate for box in self.boxes)}
        return [number for number in range(count) if number not in judged]


@dataclass(frozen=True)
class Change:
    """What a page asks for: the whole new state of one picture, and what led to it."""

    action: Actions
    boxes: list[ReviewedBox] = field(default_factory=list)
    dismissed: list[int] = field(default_factory=list)
    accepted: bool = False


def state_of(record: Record, seen: Sequence[int], content: dict[str, Any] | None) -> PictureState:
    """The state of a picture that is done.

    seen: passes that saw each box of the record, () where that is unknown. content: of the last
    decision on the picture. Where the picture was made anew since, what a person drew or took
    stays, and all else is as the run made it.
    """
    if content is not None:
        kept = PictureState.from_json(content)
        if kept.made == made_of(record):
            return kept
    counts = seen if len(seen) == len(record.boxes) else [0] * len(record.boxes)
    people = set(record.by_person)
    boxes = [
        ReviewedBox((x1, y1, x2, y2), score, "drawn" if n in people else "detected", seen=count)
        for n, ((x1, y1, x2, y2, score), count) in enumerate(zip(record.boxes, counts, strict=True))
    ]
    if content is not None:
        there = {box.box for box in boxes}
        boxes += [
            replace(box, candidate=None)
            for box in kept.boxes
            if box.by_person and box.box not in there
        ]
    return PictureState(tuple(boxes), made=made_of(record))


def changed(before: PictureState, body: Any, size: tuple[int, int], faint: int) -> PictureState:
    """The state that a page asks for, checked.

    size: height and width of the picture. faint: how many faint candidates it has.

    Raises:
        ConfigError: it is malformed, or out of range; the message says where.
    """
    if not isinstance(body, dict):
        raise ConfigError("the change must be an object")
    change = build_config(Change, body, "the change")
    if len(change.boxes) > MAX_BOXES:
        raise ConfigError(f"the change has more than {MAX_BOXES} boxes")
    numbers = {*change.dismissed, *(box.candidate for box in change.boxes)} - {None}
    if any(number is not None and not 0 <= number < faint for number in numbers):
        raise ConfigError("the change names a candidate that there is not")
    found = {box.box: box for box in before.boxes if not box.by_person}
    boxes = tuple(_checked(box, size, found) for box in change.boxes)
    dismissed = tuple(sorted(set(change.dismissed)))
    return PictureState(boxes, dismissed, change.accepted, before.made)


def _checked(
    box: ReviewedBox,
    size: tuple[int, int],
    found: dict[tuple[float, float, float, float], ReviewedBox],
) -> ReviewedBox:
    height, width = size
    if not all(math.isfinite(side) for side in (*box.box, box.score)):
        raise ConfigError("a side of a box is no number")
    x1, y1, x2, y2 = (
        round(min(max(side, 0), most), 2)
        for side, most in zip(box.box, (width, height) * 2, strict=True)
    )
    if x2 - x1 < 1 or y2 - y1 < 1:
        raise ConfigError("a box covers no pixel of the picture")
    if not 0 <= box.score <= 1 or not 0 <= box.seen <= 1000:
        raise ConfigError("a score or a number of passes is out of range")
    box = replace(box, box=(x1, y1, x2, y2))
    if box.origin != "detected":
        return box
    # Whatever a page says: only what the run found, where it found it, is the run's.
    return found.get(box.box) or replace(box, edited=True)


def made_of(record: Record) -> str:
    """Names what a run made of a picture."""
    boxes = np.array(record.boxes, np.float64).tobytes()
    return hashlib.sha256(boxes + b"%d %d" % (record.width, record.height)).hexdigest()[:16]
