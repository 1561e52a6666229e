"""Faces followed through time: what a detector missed between two sightings is hidden too.

A small tracker of our own rather than ByteTrack or a Kalman filter: those serve to keep identities
apart, online. Here identities do not matter, a swapped one costs nothing, but the future is known
for a while: gaps are filled between two sightings, tracks reach back to before their first one, and
every cover holds the detection of its own frame. That needs matching by place and size, a bounded
delay, and no more.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dartblur.faces import BoolArray, Faces, FloatArray

SMOOTHING = 0.12
"""Half the width, in seconds, of the window in which boxes are averaged."""
VELOCITY_SPAN = 0.3
"""Seconds of sightings that tell how fast a face moves."""
COASTING = 0.35
"""Time constant, in seconds, in which an unseen face is taken to come to rest."""
REACH = 0.5
"""How far from where it is expected a face may be, in its own sizes."""
SPEED, UNKNOWN_SPEED = 3.0, 10.0
"""By how much that grows for each second unseen, where the face's motion is known or not."""
FARTHEST = 2.0
"""The most that it grows to."""
SIZE_RATIO = 2.0
"""How much a face may seem to grow or shrink from one sighting to the next."""
FAINT, BESIDE = 0.2, 4
"""A single sighting that scores less, while so many other frames within the look-around that were
looked at show nothing there, is hidden where it was seen alone: a hand or a sleeve, mostly."""
SPREAD = 0.25
"""How much wider a cover gets on every side towards the end of the look-around."""


@dataclass(frozen=True)
class Tracked:
    """What is to be hidden in one frame.

    time: of the frame, in seconds. faces: their covers, with the numbers of their tracks. seen:
    (N,) True where the detector found the face in this very frame.
    """

    time: float
    faces: Faces
    seen: BoolArray


@dataclass
class _Track:
    """One face: its sightings, in order of time."""

    number: int
    scene: int
    born: float
    times: list[float] = field(default_factory=list)
    boxes: list[FloatArray] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    @property
    def last(self) -> float:
        return self.times[-1]

    def add(self, time: float, box: FloatArray, score: float) -> None:
        self.times.append(time)
        self.boxes.append(box)
        self.scores.append(score)

    def velocity(self, *, at_end: bool) -> npt.NDArray[np.float64]:
        """Of the centre, x and y in pixels a second; short spans count less, they mostly jitter."""
        times = np.array(self.times)
        edge = times[-1] if at_end else times[0]
        near = np.flatnonzero(np.abs(times - edge) <= VELOCITY_SPAN)
        span = times[near[-1]] - times[near[0]]
        if span <= 0:
            return np.zeros(2)
        moved = _centre(self.boxes[near[-1]]) - _centre(self.boxes[near[0]])
        speed: npt.NDArray[np.float64] = moved / (span + 0.03)
        return speed

    def path(self, time: float) -> npt.NDArray[np.float64]:
        """Where the centre may be at a time after the last sighting: x, y, and how far it went.

        Somewhere between at rest and moving on as it did: (4,), a point and a step.
        """
        moved = self.velocity(at_end=True) * (time - self.last)
        return np.concatenate([_centre(self.boxes[-1]), moved])

    def reach(self, time: float) -> float:
        """How far from its path the face may be, in its own sizes."""
        speed = SPEED if len(self.times) > 1 else UNKNOWN_SPEED
        return min(FARTHEST, REACH + speed * (time - self.last))

    def cover(self, time: float, lookaround: float) -> npt.NDArray[np.float64]:
        """The box to hide at a time; holds that time's sighting, or the line between two."""
        if time > self.last or time < self.times[0]:
            return self._beyond(time, lookaround)
        times, boxes = np.array(self.times), np.stack(self.boxes).astype(np.float64)
        near = np.clip(time + SMOOTHING * np.linspace(-1, 1, 7), times[0], times[-1])
        values = [np.interp(np.append(near, time), times, boxes[:, i]) for i in range(4)]
        around = np.stack(values, axis=1)
        smooth, here = around[:-1].mean(axis=0), around[-1]
        return np.concatenate([np.minimum(smooth, here)[:2], np.maximum(smooth, here)[2:]])

    def _beyond(self, time: float, lookaround: float) -> npt.NDArray[np.float64]:
        after = time > self.last
        edge, away = (-1, time - self.last) if after else (0, self.times[0] - time)
        box = self.boxes[edge].astype(np.float64)
        shift = self.velocity(at_end=after) * _coast(away) * (1 if after else -1)
        grown = (box[2:] - box[:2]) * SPREAD * min(1.0, away / lookaround)
        moved = box + np.tile(shift, 2)
        return np.concatenate([moved[:2] - grown, moved[2:] + grown])

    def forget(self, before: float) -> None:
        """Drops sightings that no later frame needs."""
        while len(self.times) > 2 and self.times[1] < before:
            del self.times[0], self.boxes[0], self.scores[0]


@dataclass(frozen=True)
class _Frame:
    time: float
    scene: int


class Tracker:
    """Takes the detections of one frame after another, and gives covers a bounded time later.

    lookaround: seconds for which a track reaches back before its first sighting and on after its
        last. bridge: the longest gap between two sightings, in seconds, that is filled. The larger
        of the two is the delay. faint: a single sighting that scores less does not reach, see
        `FAINT`.

    Raises:
        ValueError: a negative number of seconds.
    """

    def __init__(self, lookaround: float = 0.5, bridge: float = 2.0, faint: float = FAINT) -> None:
        if not (lookaround >= 0 and bridge >= 0):
            raise ValueError(f"lookaround and bridge must be 0 or more: {lookaround}, {bridge}")
        self._lookaround, self._bridge, self._faint = lookaround, bridge, faint
        self._waiting: deque[_Frame] = deque()
        self._tracks: list[_Track] = []
        self._looked: deque[float] = deque()
        self._scene = 0
        self._now = -np.inf
        self.count = 0

    def push(self, time: float, faces: Faces | None, *, cut: bool = False) -> list[Tracked]:
        """Adds the next frame; returns the frames, in order, that nothing later can change.

        faces: what was detected; None where the detector did not look at this frame. cut: a new
        scene begins with this frame; no track goes on from before it.

        Raises:
            ValueError: time does not grow.
        """
        if not time > self._now:
            raise ValueError(f"frames must come in order of time: {time} after {self._now}")
        self._now = time
        self._scene += cut
        self._waiting.append(_Frame(time, self._scene))
        if faces is not None:
            self._looked.append(time)
            self._match(time, faces)
        delay = max(self._lookaround, self._bridge)
        settled = []
        while self._waiting and (
            self._waiting[0].scene < self._scene or self._waiting[0].time < time - delay
        ):
            settled.append(self.oldest())
        return settled

    @property
    def waiting(self) -> int:
        """Frames that are not settled yet."""
        return len(self._waiting)

    def flush(self) -> list[Tracked]:
        """All frames that are still waiting; the film is over."""
        return [self.oldest() for _ in range(len(self._waiting))]

    def oldest(self) -> Tracked:
        """The oldest waiting frame, by what is known so far: for where no more can be kept."""
        frame = self._waiting.popleft()
        rows, scores, numbers, seen = [], [], [], []
        for track in self._tracks:
            reach = self._reach(track)
            early, late = track.born - reach, track.last + reach
            if track.scene != frame.scene or not early <= frame.time <= late:
                continue
            nearest = int(np.argmin(np.abs(np.array(track.times) - frame.time)))
            rows.append(track.cover(frame.time, self._lookaround))
            scores.append(track.scores[nearest])
            numbers.append(track.number)
            seen.append(track.times[nearest] == frame.time)
        self._forget(frame)
        boxes = np.array(rows, np.float32).reshape(-1, 4)
        return Tracked(
            frame.time,
            Faces(boxes, np.array(scores, np.float32), tracks=np.array(numbers, np.int64)),
            np.array(seen, np.bool_),
        )

    def _reach(self, track: _Track) -> float:
        """For how long it is hidden beyond its first and its last sighting."""
        if len(track.times) > 1 or track.scores[0] >= self._faint:
            return self._lookaround
        beside = sum(0 < abs(time - track.born) <= self._lookaround for time in self._looked)
        return 0 if beside >= BESIDE else self._lookaround

    def _match(self, time: float, faces: Faces) -> None:
        """Gives each detection to the track that expects it, nearest first, or to a new one."""
        alive = [
            t for t in self._tracks if t.scene == self._scene and time - t.last <= self._bridge
        ]
        free = set(range(len(faces)))
        if alive and free:
            paths = np.stack([track.path(time) for track in alive])
            sizes = _size(np.stack([track.boxes[-1] for track in alive]))
            reach = np.array([track.reach(time) for track in alive])
            distance = _distance(paths, sizes, reach, faces.boxes)
            taken: set[int] = set()
            for flat in np.argsort(distance, axis=None):
                i, j = divmod(int(flat), len(faces))
                if not np.isfinite(distance[i, j]):
                    break
                if i not in taken and j in free:
                    taken.add(i)
                    free.remove(j)
                    alive[i].add(time, faces.boxes[j], float(faces.scores[j]))
        for j in sorted(free):
            self.count += 1
            track = _Track(self.count, self._scene, time)
            track.add(time, faces.boxes[j], float(faces.scores[j]))
            self._tracks.append(track)

    def _forget(self, done: _Frame) -> None:
        horizon = done.time - SMOOTHING - VELOCITY_SPAN
        for track in self._tracks:
            track.forget(horizon)
        keep = max(self._lookaround, self._bridge)
        while self._looked and self._looked[0] < done.time - 2 * self._lookaround:
            self._looked.popleft()
        self._tracks = [
            t
            for t in self._tracks
            if t.last + keep >= done.time and (t.scene >= done.scene or t.scene == self._scene)
        ]


def _distance(
    paths: npt.NDArray[np.float64],
    sizes: npt.NDArray[np.float64],
    reach: npt.NDArray[np.float64],
    found: FloatArray,
) -> npt.NDArray[np.float64]:
    """(N, M) distances in face sizes, plus the change of size; inf where it cannot be the same."""
    start, step = paths[:, None, :2], paths[:, None, 2:]
    away = _centre(found)[None] - start  # (N, M, 2)
    length = np.maximum((step**2).sum(axis=2), 1e-9)
    along = np.clip((away * step).sum(axis=2) / length, 0, 1)
    mean = np.sqrt(sizes[:, None] * _size(found)[None])
    far = np.linalg.norm(away - along[..., None] * step, axis=2) / mean
    change = np.abs(np.log(_size(found)[None] / sizes[:, None]))
    possible = (far <= reach[:, None]) & (change <= np.log(SIZE_RATIO))
    # Where several fit, the one that moved on as before is likelier than the one that stopped.
    slower = 0.1 * (1 - along) * np.sqrt(length) / mean
    return np.where(possible, far + change + np.minimum(slower, 0.5), np.inf)


def _centre(boxes: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    centre: npt.NDArray[np.float64] = (boxes[..., :2].astype(np.float64) + boxes[..., 2:]) / 2
    return centre


def _size(boxes: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    sides = np.maximum(boxes[:, 2:].astype(np.float64) - boxes[:, :2], 1e-3)
    size: npt.NDArray[np.float64] = np.sqrt(sides.prod(axis=1))
    return size


def _coast(seconds: float) -> float:
    return float(COASTING * (1 - np.exp(-seconds / COASTING)))
