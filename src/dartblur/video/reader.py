"""The side of a film that runs ahead: packets, decoded frames, and what is being found in them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from threading import Semaphore
from typing import Any

import av
from av.container import InputContainer

from dartblur.detectors.base import Detector
from dartblur.errors import VideoError
from dartblur.faces import Faces
from dartblur.video import source as reading
from dartblur.video.cuts import CutFinder
from dartblur.video.options import VideoOptions
from dartblur.video.planes import Turn, display_matrix, turn_of, upright_picture


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
    A file that is broken anywhere is refused; a live source is taken as it comes.
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
    ) -> None:
        self._source, self._detector, self._options = source, detector, options
        self._container, self._streams = container, streams
        self._pool, self._hold = pool, hold
        self._free = Semaphore(options.workers + 2)
        self._cuts = CutFinder()
        self._number = 0
        self._last: int | None = None
        self._base = streams.picture.time_base or Fraction(1, 90_000)
        self._turn = Turn()
        self._rotation: int | None = None
        self._live = reading.is_live(source)
        # Cameras count from when the machine started.
        self._from_zero = reading.is_device(source)
        self._origin: int | None = None

    def __iter__(self) -> Iterator[av.Packet[Any] | Found]:
        picture = self._streams.picture
        check = None if self._live else reading.LengthCheck(self._container, self._source)
        limit, begin = self._options.limit, None
        copied = (stream for stream in self._streams.copied if stream.type != "attachment")
        for packet in self._container.demux(picture, *copied):
            if check is not None:
                check.see(packet)
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
        if check is not None:
            check.finish()

    def _decoded(self, packet: av.Packet[Any]) -> list[Found]:
        where = reading.seconds_of(packet.pts if packet.pts is not None else packet.dts, self._base)
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            if self._live:
                return []
            raise VideoError(
                f"{self._source}: broken at {reading.clock(where)} ({error.strerror}); mend "
                "it first, or cut that place out; nothing was written for it"
            ) from error
        return [self._look(frame) for frame in frames]

    def _look(self, frame: av.VideoFrame) -> Found:
        if frame.is_corrupt and not self._live:
            where = reading.clock(reading.seconds_of(frame.pts, self._base))
            raise VideoError(f"{self._source}: a broken frame at {where}; mend the film first")
        duration = frame.duration or self._usual_duration()
        pts = frame.pts if frame.pts is not None else (self._last or 0) + duration
        if self._from_zero:
            self._origin = pts if self._origin is None else self._origin
            pts -= self._origin
        if self._last is not None:
            pts = max(pts, self._last + 1)
        self._last = pts
        # A frame whose side data was looked at is in a circle of references, and stays for long.
        if frame.rotation != self._rotation:
            self._rotation = frame.rotation
            self._turn = turn_of(display_matrix(frame))
        found, scale = self._search(frame)
        self._number += 1
        kept = frame if self._hold else None
        return Found(pts, duration, self._cuts(frame), found, scale, kept)

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
