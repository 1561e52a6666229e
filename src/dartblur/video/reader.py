"""Reads a film ahead: its packets, its decoded frames, and the detections under way in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from threading import Semaphore
from typing import Any

import av
from av.container import InputContainer

from dartblur.detectors import Detector, Evidence, search
from dartblur.faces import Faces
from dartblur.video.colour import in_samples
from dartblur.video.container import Streams, seconds_of
from dartblur.video.integrity import IntegrityCheck
from dartblur.video.looks import Looks
from dartblur.video.options import AUTO
from dartblur.video.orientation import Orientation, display_matrix, orientation_of
from dartblur.video.places import is_device
from dartblur.video.planes import upright_picture
from dartblur.video.scene_cuts import SceneCutDetector
from dartblur.video.task import VideoTask


@dataclass(frozen=True)
class PendingFrame:
    """A frame that waits for its covers: when it is shown, in ticks of the stream, and its faces.

    cut: a new scene begins with it. faces: in pixels of the upright picture, or None where no
    detector searches, and what it saw beside. frame: None where it is to be decoded again.
    """

    pts: int
    duration: int
    cut: bool
    faces: Future[tuple[Faces, Evidence | None]] | None
    frame: av.VideoFrame | None

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        return 0 if self.frame is None else sum(p.buffer_size for p in self.frame.planes)


class Reader:
    """Runs ahead: packets and frames in the order of the file.

    hold: frames come decoded; otherwise each packet of the picture comes before its frames do.
    integrity: is told of all that is read; None takes the source as it comes.
    """

    def __init__(
        self,
        task: VideoTask,
        container: InputContainer,
        streams: Streams,
        pool: ThreadPoolExecutor,
        *,
        hold: bool,
        integrity: IntegrityCheck | None,
    ) -> None:
        self._looks, self._integrity = Looks(task.detector, task.options.every), integrity
        self._waits = task.options.every != AUTO
        self._container, self._streams = container, streams
        self._pool, self._hold = pool, hold
        self._free = Semaphore(task.workers + 2)
        self._cut_detector = SceneCutDetector()
        self._last: int | None = None
        self._base = streams.picture.time_base or Fraction(1, 90_000)
        self._orientation = Orientation()
        self._rotation: int | None = None
        # The order of the file is all that such a container tells of time.
        self._without_pts = container.format.name == "avi"
        self._dts: deque[int] = deque()
        # Cameras count from when the machine started.
        self._from_zero = is_device(task.source)
        self._origin: int | None = None

    def __iter__(self) -> Iterator[av.Packet[Any] | PendingFrame]:
        picture, integrity = self._streams.picture, self._integrity
        for packet in self._container.demux(picture, *self._streams.copied):
            if integrity is not None:
                integrity.packet(packet)
            # The empty packets that end each stream know their stream, but not its number.
            if packet.stream.index != picture.index:
                if packet.size:
                    yield packet
                continue
            if packet.size and not self._hold:
                yield packet
            yield from self._decoded(packet)
        if integrity is not None:
            integrity.check_end()

    def _decoded(self, packet: av.Packet[Any]) -> list[PendingFrame]:
        if self._without_pts and packet.size and packet.dts is not None:
            self._dts.append(packet.dts)
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            if self._integrity is not None:
                at = packet.pts if packet.pts is not None else packet.dts
                self._integrity.damage(seconds_of(at, self._base), error.strerror or "")
            return []
        return [self._pending(frame) for frame in frames]

    def _pending(self, frame: av.VideoFrame) -> PendingFrame:
        if self._integrity is not None:
            self._integrity.frame(frame)
        duration = frame.duration or self._usual_duration()
        pts = self._shown_at(frame, duration)
        # A frame whose side data was looked at is in a circle of references, and stays for long.
        if frame.rotation != self._rotation:
            self._rotation = frame.rotation
            self._orientation = orientation_of(display_matrix(frame))
        frame = in_samples(frame)
        cut = self._cut_detector(frame)
        faces = self._search(frame, self._looks(seconds_of(pts, self._base), cut=cut))
        kept = frame if self._hold else None
        return PendingFrame(pts, duration, cut, faces, kept)

    def _shown_at(self, frame: av.VideoFrame, duration: int) -> int:
        """When a frame is shown; later than the one before it in any case."""
        pts = self._dts.popleft() if self._dts else frame.pts
        if pts is None:
            pts = (self._last or 0) + duration
        if self._from_zero:
            self._origin = pts if self._origin is None else self._origin
            pts -= self._origin
        if self._last is not None:
            pts = max(pts, self._last + 1)
        self._last = pts
        return pts

    def _search(
        self, frame: av.VideoFrame, detector: Detector | None
    ) -> Future[tuple[Faces, Evidence | None]] | None:
        if detector is None:
            return None
        # A live source is searched whenever a detector is free; a file waits for one.
        if not self._free.acquire(blocking=self._waits):
            return None
        try:
            picture = upright_picture(frame, self._orientation)
            faces = self._pool.submit(search, detector, picture)
        except BaseException:
            self._free.release()
            raise
        faces.add_done_callback(lambda _: self._free.release())
        return faces

    def _usual_duration(self) -> int:
        rate = self._streams.picture.guessed_rate or Fraction(25)
        return max(1, round(1 / rate / self._base))
