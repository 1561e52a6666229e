"""The side of a film that runs ahead: packets, decoded frames, and what is being found in them."""

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

from dartblur.detectors.base import Detector
from dartblur.faces import Faces
from dartblur.video import source as reading
from dartblur.video.cuts import CutFinder
from dartblur.video.options import VideoOptions
from dartblur.video.planes import Turn, display_matrix, in_samples, turn_of, upright_picture
from dartblur.video.whole import Wholeness


@dataclass(frozen=True)
class Found:
    """One frame: when it is shown, in ticks of the stream, and what is being found in it.

    cut: a new scene begins with it. faces: in a picture that is larger by `scale`, or None where no
    detector looks. frame: None where it is to be decoded again.
    """

    pts: int
    duration: int
    cut: bool
    faces: Future[list[Faces]] | None
    scale: float
    frame: av.VideoFrame | None

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        return 0 if self.frame is None else sum(p.buffer_size for p in self.frame.planes)


class Reader:
    """Runs ahead: packets and frames in the order of the file.

    hold: frames come decoded; otherwise each packet of the picture comes before its frames do.
    whole: is told of all that is read; None takes the source as it comes.
    """

    def __init__(
        self,
        source: str,
        detector: Detector | None,
        options: VideoOptions,
        container: InputContainer,
        streams: reading.Streams,
        pool: ThreadPoolExecutor,
        *,
        hold: bool,
        whole: Wholeness | None,
    ) -> None:
        self._detector, self._options, self._whole = detector, options, whole
        self._container, self._streams = container, streams
        self._pool, self._hold = pool, hold
        self._free = Semaphore(options.workers + 2)
        self._cuts = CutFinder()
        self._number = 0
        self._last: int | None = None
        self._base = streams.picture.time_base or Fraction(1, 90_000)
        self._turn = Turn()
        self._rotation: int | None = None
        # The order of the file is all that such a container tells of time.
        self._without_pts = container.format.name == "avi"
        self._dts: deque[int] = deque()
        # Cameras count from when the machine started.
        self._from_zero = reading.is_device(source)
        self._origin: int | None = None

    def __iter__(self) -> Iterator[av.Packet[Any] | Found]:
        picture, whole = self._streams.picture, self._whole
        limit, begin = self._options.limit, None
        for packet in self._container.demux(picture, *self._streams.copied):
            if whole is not None:
                whole.packet(packet)
            # The empty packets that end each stream know their stream, but not its number.
            if packet.stream.index != picture.index:
                if packet.size:
                    yield packet
                continue
            if packet.size and not self._hold:
                yield packet
            for frame in self._decoded(packet):
                begin = frame.pts if begin is None else begin
                if limit is not None and float((frame.pts - begin) * self._base) >= limit:
                    return
                yield frame
        if whole is not None:
            whole.finish()

    def _decoded(self, packet: av.Packet[Any]) -> list[Found]:
        if self._without_pts and packet.size and packet.dts is not None:
            self._dts.append(packet.dts)
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            if self._whole is not None:
                at = packet.pts if packet.pts is not None else packet.dts
                self._whole.damage(reading.seconds_of(at, self._base), error.strerror or "")
            return []
        return [self._look(frame) for frame in frames]

    def _look(self, frame: av.VideoFrame) -> Found:
        if self._whole is not None:
            self._whole.frame(frame)
        duration = frame.duration or self._usual_duration()
        pts = self._shown_at(frame, duration)
        # A frame whose side data was looked at is in a circle of references, and stays for long.
        if frame.rotation != self._rotation:
            self._rotation = frame.rotation
            self._turn = turn_of(display_matrix(frame))
        frame = in_samples(frame)
        found, scale = self._search(frame)
        self._number += 1
        kept = frame if self._hold else None
        return Found(pts, duration, self._cuts(frame), found, scale, kept)

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

    def _search(self, frame: av.VideoFrame) -> tuple[Future[list[Faces]] | None, float]:
        options, detector = self._options, self._detector
        if detector is None or (options.every and self._number % options.every):
            return None, 1.0
        # A live source is looked at whenever a detector is free; a file waits for one.
        if not self._free.acquire(blocking=options.every != 0):
            return None, 1.0
        try:
            image = upright_picture(frame, self._turn, options.look_area)
            found = self._pool.submit(detector, [image])
        except BaseException:
            self._free.release()
            raise
        found.add_done_callback(lambda _: self._free.release())
        upright_width = frame.height if self._turn.swap else frame.width
        return found, upright_width / image.shape[1]

    def _usual_duration(self) -> int:
        rate = self._streams.picture.guessed_rate or Fraction(25)
        return max(1, round(1 / rate / self._base))
