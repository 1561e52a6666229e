"""What a person has made of one film's tracks so far: the content of its decisions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from dartblur.errors import ConfigError
from dartblur.faces import Faces
from dartblur.files import atomic_path
from dartblur.tracking import Tracked
from dartblur.video.boxes_file import write_frame, write_head
from dartblur.video.track_log import FilmTracks

PREFIX = "film:"
Action = Literal[
    "keep", "dismiss", "draw", "carry", "delete", "undo", "redo", "accept", "reopen", "apply"
]
DrawnBox = tuple[int, float, float, float, float]
"""Number of a frame, and x1, y1, x2, y2 in pixels of the upright picture."""
_MOST_BOXES = 200_000
_LEAST_SIDE = 1.0


@dataclass(frozen=True)
class FilmState:
    """The tracks of one film, and what a person said of them.

    dismissed: numbers of tracks that are no face. kept: of those that a person looked at, and are.
    drawn: tracks that a person made, a box a frame at most. accepted: a person looked at the film,
    and all faces are hidden. tracks: names the run's tracks. applied: what the output is made with,
    see `made`.
    """

    dismissed: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    drawn: tuple[tuple[DrawnBox, ...], ...] = ()
    accepted: bool = False
    tracks: str = ""
    applied: str = ""

    def to_json(self) -> dict[str, Any]:
        """As the log keeps it."""
        return {
            "dismissed": self.dismissed,
            "kept": self.kept,
            "drawn": self.drawn,
            "accepted": self.accepted,
            "tracks": self.tracks,
            "applied": self.applied,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> FilmState:
        """Of what the log kept."""
        drawn = tuple(tuple(_row(box) for box in track) for track in content["drawn"])
        return cls(
            tuple(content["dismissed"]),
            tuple(content["kept"]),
            drawn,
            content["accepted"],
            content["tracks"],
            content["applied"],
        )

    @property
    def made(self) -> str:
        """Names what is hidden otherwise than the run hid it; "" where nothing is."""
        if not self.dismissed and not self.drawn:
            return ""
        content = json.dumps([sorted(self.dismissed), sorted(self.drawn)])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def changed(self) -> bool:
        """True where the output was made with something else."""
        return self.made != self.applied

    def of_frame(self, number: int, tracks: FilmTracks) -> Tracked:
        """What is hidden in one frame: the run's boxes but dismissed tracks', then drawn ones."""
        first, end = np.searchsorted(tracks.frames, [number, number + 1])
        kept = ~np.isin(tracks.tracks[first:end], self.dismissed)
        own = self._drawn_by_frame.get(number, [])
        above = int(tracks.tracks.max(initial=0)) + 1
        numbers = np.array([above + track for track, _ in own], np.int64)
        drawn = np.array([box[1:] for _, box in own]).reshape(-1, 4)
        boxes = np.concatenate([tracks.boxes[first:end][kept], drawn])
        scores = np.concatenate([tracks.scores[first:end][kept], np.ones(len(own))])
        numbers = np.concatenate([tracks.tracks[first:end][kept], numbers])
        return Tracked(
            float(tracks.times[number]),
            Faces(boxes.astype(np.float32), scores.astype(np.float32), tracks=numbers),
            np.concatenate([tracks.seen[first:end][kept], np.ones(len(own), np.bool_)]),
        )

    @cached_property
    def _drawn_by_frame(self) -> dict[int, list[tuple[int, DrawnBox]]]:
        by_frame: dict[int, list[tuple[int, DrawnBox]]] = {}
        for number, track in enumerate(self.drawn):
            for box in track:
                by_frame.setdefault(box[0], []).append((number, box))
        return by_frame


def name_of(tracks: FilmTracks) -> str:
    """Names the tracks of one run, whose numbers mean nothing in another."""
    content = hashlib.sha256(tracks.tracks.tobytes())
    for part in (tracks.frames, tracks.boxes, tracks.pts):
        content.update(part.tobytes())
    return content.hexdigest()[:16]


def state_of(tracks: FilmTracks, content: dict[str, Any] | None) -> FilmState:
    """The state of a film. content: of the last decision on it.

    Where the film was made anew by another run since, what a person drew stays, as far as there are
    such frames, and all else is as that run made it.
    """
    name = name_of(tracks)
    if content is None:
        return FilmState(tracks=name)
    kept = FilmState.from_json(content)
    if kept.tracks == name:
        return kept
    drawn = tuple(tuple(box for box in track if box[0] < len(tracks.pts)) for track in kept.drawn)
    return FilmState(drawn=tuple(track for track in drawn if track), tracks=name)


def changed(before: FilmState, body: Any, tracks: FilmTracks) -> tuple[Action, FilmState]:
    """The action and the state that a page asks for, checked.

    Raises:
        ConfigError: it is malformed, or out of range.
    """
    try:
        action = body["action"]
        dismissed, kept = ({int(n) for n in body[name]} for name in ("dismissed", "kept"))
        drawn = [[_row(box) for box in track] for track in body["drawn"]]
        accepted = body["accepted"]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ConfigError(f"the change is malformed: {error}") from error
    if action not in get_args(Action) or not isinstance(accepted, bool):
        raise ConfigError("the change has no such action")
    if not dismissed | kept <= set(np.unique(tracks.tracks).tolist()):
        raise ConfigError("the change names a track that there is not")
    if sum(map(len, drawn)) > _MOST_BOXES:
        raise ConfigError(f"the change has more than {_MOST_BOXES} boxes")
    checked = tuple(_checked(track, tracks) for track in drawn if track)
    state = replace(
        before,
        dismissed=tuple(sorted(dismissed)),
        kept=tuple(sorted(kept - dismissed)),
        drawn=checked,
        accepted=accepted,
    )
    return action, state


def write_boxes(target: Path, name: str, tracks: FilmTracks, state: FilmState) -> None:
    """Writes what is hidden in each frame, as `anonymize --film-boxes` takes it."""
    with atomic_path(target) as part, part.open("w", encoding="utf-8") as file:
        write_head(file, name, *tracks.size)
        for number, tracked in _by_frame(tracks, state):
            write_frame(file, number, tracked)


def _by_frame(tracks: FilmTracks, state: FilmState) -> Iterator[tuple[int, Tracked]]:
    for number in range(len(tracks.pts)):
        yield number, state.of_frame(number, tracks)


def _row(box: Any) -> DrawnBox:
    frame, x1, y1, x2, y2 = box
    if not isinstance(frame, int):
        raise TypeError("the number of a frame is none")
    return frame, float(x1), float(y1), float(x2), float(y2)


def _checked(track: list[DrawnBox], tracks: FilmTracks) -> tuple[DrawnBox, ...]:
    """A drawn track in order of its frames, within the picture, to a tenth of a pixel."""
    height, width = tracks.size
    boxes: dict[int, DrawnBox] = {}
    for frame, *sides in track:
        if not 0 <= frame < len(tracks.pts) or not np.isfinite(sides).all():
            raise ConfigError("the change has a box in no frame, or a side that is no number")
        x1, y1, x2, y2 = (
            round(min(max(side, 0.0), float(most)), 1)
            for side, most in zip(sides, (width, height) * 2, strict=True)
        )
        if x2 - x1 < _LEAST_SIDE or y2 - y1 < _LEAST_SIDE:
            raise ConfigError("a box covers no pixel of the picture")
        boxes[frame] = (frame, x1, y1, x2, y2)
    return tuple(boxes[frame] for frame in sorted(boxes))
