"""What a person has made of one film's tracks so far: the content of its decisions."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
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
    "keep", "take", "dismiss", "draw", "carry", "delete", "undo", "redo", "accept", "reopen",
]  # fmt: skip
Verdict = Literal["kept", "dismissed"]
DrawnBox = tuple[int, float, float, float, float]
"""Number of a frame, and x1, y1, x2, y2 in pixels of the upright picture."""
DrawnTrack = tuple[DrawnBox, ...]
_MOST_BOXES = 200_000
_LEAST_SIDE = 1.0
_NAME = re.compile("[a-z0-9]{1,32}")


class OvertakenError(Exception):
    """What a change is made to is not what the page took it for: another was faster."""


@dataclass(frozen=True)
class FilmState:
    """The tracks of one film, and what a person said of them.

    dismissed: numbers of tracks that are no face. kept: of those that a person looked at, and are;
    faint candidates, whose numbers are negative, are hidden if they are among these. drawn: tracks
    that a person made, a box a frame at most, by names of their own. accepted: a person looked at
    the film, and all faces are hidden. tracks: names the run's tracks. applied: what the output is
    made with, see `made`.
    """

    dismissed: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    drawn: dict[str, DrawnTrack] = field(default_factory=dict)
    accepted: bool = False
    tracks: str = ""
    applied: str = ""

    def to_json(self) -> dict[str, Any]:
        """As the log keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> FilmState:
        """Of what the log kept."""
        drawn = {name: tuple(map(_row, track)) for name, track in content["drawn"].items()}
        return cls(
            tuple(content["dismissed"]),
            tuple(content["kept"]),
            drawn,
            content["accepted"],
            content["tracks"],
            content["applied"],
        )

    @property
    def taken(self) -> list[int]:
        """Numbers of the faint tracks that are hidden."""
        return sorted(number for number in self.kept if number < 0)

    @property
    def uncovered(self) -> list[int]:
        """Numbers of the run's tracks that are not hidden any more."""
        return sorted(number for number in self.dismissed if number > 0)

    @property
    def made(self) -> str:
        """Names what is hidden otherwise than the run hid it; "" where nothing is."""
        if not self.uncovered and not self.taken and not self.drawn:
            return ""
        content = json.dumps([self.uncovered, self.taken, sorted(self.drawn.values())])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def changed(self) -> bool:
        """True where the output was made with something else."""
        return self.made != self.applied

    def of_frame(self, number: int, tracks: FilmTracks) -> Tracked:
        """What is hidden in one frame: tracks found and not dismissed, or taken; then drawn ones.

        tracks: with those of faint candidates.
        """
        first, end = np.searchsorted(tracks.frames, [number, number + 1])
        mine = tracks.tracks[first:end]
        kept = np.where(mine < 0, np.isin(mine, self.kept), ~np.isin(mine, self.dismissed))
        own = self._drawn_by_frame.get(number, [])
        # As files of boxes have them: all from 1.
        above = int(tracks.tracks.max(initial=0)) + 1
        numbers = np.array([above + track for track, _ in own], np.int64)
        mine = np.where(mine < 0, above + len(self.drawn) - 1 - mine, mine)
        drawn = np.array([box[1:] for _, box in own]).reshape(-1, 4)
        boxes = np.concatenate([tracks.boxes[first:end][kept], drawn])
        scores = np.concatenate([tracks.scores[first:end][kept], np.ones(len(own))])
        numbers = np.concatenate([mine[kept], numbers])
        return Tracked(
            float(tracks.times[number]),
            Faces(boxes.astype(np.float32), scores.astype(np.float32), tracks=numbers),
            np.concatenate([tracks.seen[first:end][kept], np.ones(len(own), np.bool_)]),
        )

    @cached_property
    def _drawn_by_frame(self) -> dict[int, list[tuple[int, DrawnBox]]]:
        by_frame: dict[int, list[tuple[int, DrawnBox]]] = {}
        for number, track in enumerate(self.drawn.values()):
            for box in track:
                by_frame.setdefault(box[0], []).append((number, box))
        return by_frame


def name_of(tracks: FilmTracks) -> str:
    """Names the tracks of one run, whose numbers mean nothing in another."""
    content = hashlib.sha256()
    # Those of faint candidates follow from what they are made of.
    own = tracks.tracks >= 0
    for part in (
        tracks.tracks[own],
        tracks.frames[own],
        tracks.boxes[own],
        tracks.faint_frames,
        tracks.faint_boxes,
        tracks.pts,
    ):
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
    count = len(tracks.pts)
    drawn = {
        name: tuple(box for box in track if box[0] < count) for name, track in kept.drawn.items()
    }
    return FilmState(drawn={name: track for name, track in drawn.items() if track}, tracks=name)


def changed(
    before: FilmState, body: Any, tracks: FilmTracks, *, seen: bool = True
) -> tuple[Action, FilmState]:
    """The action and the state that a page asks for, checked.

    body: `tracks` are rows of a number, the verdict that the page took it for, and the new one;
    `drawn` the same of names and boxes; None for none. So changes of different tracks by different
    people do not touch each other. seen: by the page, which asks for this, as all of it is.

    Raises:
        ConfigError: it is malformed, or out of range. OvertakenError: another changed one of these.
    """
    try:
        action, accepted = body["action"], body["accepted"]
        verdicts = [(int(number), old, new) for number, old, new in body["tracks"]]
        drawn = [(name, _track(old), _track(new)) for name, old, new in body["drawn"]]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ConfigError(f"the change is malformed: {error}") from error
    if action not in get_args(Action) or not isinstance(accepted, bool):
        raise ConfigError("the change has no such action")
    found = dict.fromkeys(before.kept, "kept")
    found |= dict.fromkeys(before.dismissed, "dismissed")
    known = set(np.unique(tracks.tracks).tolist()) - {0}
    for number, old, new in verdicts:
        if number not in known:
            raise ConfigError("the change names a track that there is not")
        if new not in (None, *get_args(Verdict)):
            raise ConfigError("the change has no such verdict")
        if found.get(number) not in (old, new):
            raise OvertakenError(f"track {number}" if number > 0 else f"candidate {-number}")
        found[number] = new
    if accepted and not seen:
        raise OvertakenError("the film")
    own = dict(before.drawn)
    for name, old, new in drawn:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigError("a drawn track has no name of small letters and digits")
        old, new = _checked(old, tracks), _checked(new, tracks)
        if own.get(name, ()) not in (old, new):
            raise OvertakenError("a drawn track")
        own[name] = new
    if sum(map(len, own.values())) > _MOST_BOXES:
        raise ConfigError(f"the film has more than {_MOST_BOXES} drawn boxes")
    state = replace(
        before,
        dismissed=tuple(sorted(n for n, verdict in found.items() if verdict == "dismissed")),
        kept=tuple(sorted(n for n, verdict in found.items() if verdict == "kept")),
        drawn={name: track for name, track in own.items() if track},
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


def _track(boxes: Any) -> list[DrawnBox]:
    return [_row(box) for box in boxes or []]


def _checked(track: list[DrawnBox], tracks: FilmTracks) -> DrawnTrack:
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
