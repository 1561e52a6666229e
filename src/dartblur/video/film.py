"""One film from clear to safe: decoded, searched, hidden and encoded side by side.

One reader runs ahead. It decodes the picture and hands frames to detectors; what they find goes to
the tracker, which settles the covers of a frame a bounded time later. Until then the film waits:
small frames as they were decoded, large ones as packets, to be decoded a second time. Memory thus
depends on neither the film's length nor, beyond a bound, on the picture's size.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from threading import Semaphore
from typing import Any, TextIO

import av
import numpy as np
from av.container import InputContainer

from dartblur import boxes as boxlib
from dartblur.anonymizers.base import Anonymizer
from dartblur.detectors.base import Detector
from dartblur.errors import BoxesError, DartblurError, VideoError
from dartblur.faces import Faces
from dartblur.files import atomic_path
from dartblur.tracking import Tracked, Tracker
from dartblur.video import source as reading
from dartblur.video.boxes_file import GivenBoxes, write_frame, write_head
from dartblur.video.cuts import CutFinder
from dartblur.video.encoders import encoder_for
from dartblur.video.options import FORMATS, VideoOptions, VideoReport
from dartblur.video.overlap import Ahead
from dartblur.video.planes import Turn, display_matrix, hide, turn_of, upright_picture
from dartblur.video.sink import Sink
from dartblur.video.verify import verify

HELD_FRAMES = 300_000_000
"""Bytes of decoded frames that may wait; where more would, packets wait and are decoded again."""
HELD_PACKETS = 300_000_000
"""Bytes of packets that may wait; beyond them covers settle sooner than the tracker would like."""
_log = logging.getLogger("dartblur.video")

Progress = Callable[[float, float | None], None]


@dataclass(frozen=True)
class Task:
    """One film to be done.

    source: a file, a device, or `-`. detector: None where only given boxes are hidden. given: a
    file of boxes that are hidden as they are, besides what the detector finds. boxes_out: gets the
    boxes that were hidden. margin: how far detected boxes are grown on every side, as a share of
    their sides.
    """

    source: str
    anonymizer: Anonymizer
    detector: Detector | None
    margin: float = 0.1
    options: VideoOptions = field(default_factory=VideoOptions)
    given: Path | None = None
    boxes_out: Path | None = None


@dataclass(frozen=True)
class _Frame:
    """One frame of the reader's: when it is shown, and what is being found in it."""

    pts: int
    duration: int
    cut: bool
    found: Future[list[Faces]] | None
    scale: float
    frame: av.VideoFrame | None


def anonymize_video(
    task: Task,
    target: Path,
    *,
    progress: Progress | None = None,
    parts: Path | None = None,
    before_naming: Callable[[], None] | None = None,
) -> VideoReport:
    """Hides every face of a film; `target` appears whole and checked, or not at all.

    progress: called with the seconds of film that are done, and how many there are, if known.
    parts: folder for the unfinished film, on the target's file system. before_naming: called when
    the film is whole, right before it gets its name.

    Raises:
        VideoError: the film cannot be read, hidden or written; the message says when in it.
        BoxesError: the given boxes do not fit. UsageError: there is no such encoder.
    """
    with ExitStack() as stack:
        part = stack.enter_context(atomic_path(target, parts))
        boxes: TextIO | None = None
        if task.boxes_out is not None:
            lines = stack.enter_context(atomic_path(task.boxes_out))
            boxes = stack.enter_context(lines.open("w", encoding="utf-8"))
        report = _hide_film(task, part, FORMATS.get(target.suffix.lower(), "mp4"), boxes, progress)
        if before_naming is not None:
            before_naming()
    return report


def _hide_film(
    task: Task, part: Path, form: str, boxes: TextIO | None, progress: Progress | None
) -> VideoReport:
    options = task.options
    with reading.opened(task.source) as container:
        streams = reading.streams_of(
            container,
            task.source,
            sound=options.audio == "keep",
            metadata=options.keep_metadata,
        )
        reading.prepare_decoder(streams.picture)
        work = _Work(task, part, form, container, streams, boxes, progress)
        try:
            work.run()
        except DartblurError:
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            raise VideoError(
                f"{task.source}: failed at {reading.clock(work.time)}: {error}; nothing was "
                "written for it"
            ) from error
        finally:
            work.close()
        verify(part, work.sink_used().written, task.source)
        return work.report()


class _Reader:
    """Runs ahead: packets and frames in the order of the file."""

    def __init__(
        self,
        task: Task,
        container: InputContainer,
        streams: reading.Streams,
        pool: ThreadPoolExecutor,
        *,
        hold: bool,
    ) -> None:
        self._task, self._container, self._streams = task, container, streams
        self._pool, self._hold = pool, hold
        self._free = Semaphore(task.options.workers + 2)
        self._cuts = CutFinder()
        self._number = 0
        self._last: int | None = None
        self._base = streams.picture.time_base or Fraction(1, 90_000)
        self.matrix: tuple[int, ...] | None = None

    def __iter__(self) -> Iterator[av.Packet[Any] | _Frame]:
        picture = self._streams.picture
        live = reading.is_live(self._task.source)
        check = None if live else reading.LengthCheck(self._container, self._task.source)
        limit, begin = self._task.options.limit, None
        for packet in self._container.demux(picture, *self._streams.copied):
            if check is not None:
                check.see(packet)
            if packet.stream_index != picture.index:
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

    def _decoded(self, packet: av.Packet[Any]) -> list[_Frame]:
        where = reading.seconds_of(packet.pts if packet.pts is not None else packet.dts, self._base)
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            raise VideoError(
                f"{self._task.source}: broken at {reading.clock(where)} ({error.strerror}); mend "
                "it first, or cut that place out; nothing was written for it"
            ) from error
        return [self._look(frame) for frame in frames]

    def _look(self, frame: av.VideoFrame) -> _Frame:
        if frame.is_corrupt:
            where = reading.clock(reading.seconds_of(frame.pts, self._base))
            raise VideoError(f"{self._task.source}: a broken frame at {where}; mend the film first")
        duration = frame.duration or self._usual_duration()
        pts = frame.pts if frame.pts is not None else (self._last or 0) + duration
        if self._last is not None:
            pts = max(pts, self._last + 1)
        self._last = pts
        found, scale = self._search(frame)
        self._number += 1
        kept = frame if self._hold else None
        return _Frame(pts, duration, self._cuts(frame), found, scale, kept)

    def _search(self, frame: av.VideoFrame) -> tuple[Future[list[Faces]] | None, float]:
        options, detector = self._task.options, self._task.detector
        if detector is None or (options.every and self._number % options.every):
            return None, 1.0
        # A live source is looked at whenever a detector is free; a file waits for one.
        if not self._free.acquire(blocking=options.every != 0):
            return None, 1.0
        try:
            matrix = display_matrix(frame)
            self.matrix = matrix or self.matrix
            image = upright_picture(frame, turn_of(self.matrix), options.look_area)
            found = self._pool.submit(detector, [image])
        except BaseException:
            self._free.release()
            raise
        found.add_done_callback(lambda _: self._free.release())
        upright_width = frame.height if turn_of(self.matrix).swap else frame.width
        return found, upright_width / image.shape[1]

    def _usual_duration(self) -> int:
        rate = self._streams.picture.guessed_rate or Fraction(25)
        return max(1, round(1 / rate / self._base))


class _Work:
    """The other side: settles covers, hides, encodes."""

    def __init__(
        self,
        task: Task,
        part: Path,
        form: str,
        container: InputContainer,
        streams: reading.Streams,
        boxes: TextIO | None,
        progress: Progress | None,
    ) -> None:
        self._task, self._part, self._form = task, part, form
        self._container, self._streams = container, streams
        self._boxes, self._progress = boxes, progress
        options = task.options
        self._tracker = None
        if task.detector is not None:
            self._tracker = Tracker(options.lookaround, options.bridge)
        self._given = None if task.given is None else GivenBoxes(task.given)
        self._encoder, note = encoder_for(
            streams.picture.codec_context.codec.canonical_name, form, options.codec
        )
        self._notes = [note] if note else []
        self._base = streams.picture.time_base or Fraction(1, 90_000)
        self._total = reading.total_seconds(container)
        self._sink: Sink | None = None
        self._stack = ExitStack()
        self._waiting: deque[av.Packet[Any] | _Frame] = deque()
        self._packets: deque[av.Packet[Any]] = deque()
        self._early: list[av.Packet[Any]] = []
        self._again: deque[av.VideoFrame] = deque()
        self._held = 0
        self._turn: Turn | None = None
        self._size = (0, 0)
        self._frames = self._looked = self._faces = 0
        self._begin: int | None = None
        self._end = 0
        self.time = 0.0

    def run(self) -> None:
        """Does the whole film."""
        hold = self._may_hold_frames()
        self._decoder = None if hold else self._second_decoder()
        pool = self._stack.enter_context(ThreadPoolExecutor(self._task.options.workers))
        reader = _Reader(self._task, self._container, self._streams, pool, hold=hold)
        ahead = self._stack.enter_context(Ahead(reader, 8 + 4 * self._task.options.workers))
        items = iter(ahead)
        while True:
            try:
                item = next(items, None)
            except KeyboardInterrupt:
                if not reading.is_live(self._task.source):
                    raise
                # A camera has no end of its own: this is how a person gives it one.
                ahead.finish()
                continue
            if item is None:
                break
            self._take(item)
        if self._tracker is not None:
            for tracked in self._tracker.flush():
                self._settle(tracked)
        while self._waiting:
            self._copy_first()
        if self._frames == 0:
            raise VideoError(f"{self._task.source}: has no frame that can be decoded")
        if self._given is not None:
            self._given.finish(self._frames)
        self.sink_used().finish()

    def close(self) -> None:
        """Ends all threads and lets go of the files."""
        self._stack.close()
        if self._sink is not None:
            self._sink.close()

    def sink_used(self) -> Sink:
        """The sink, once there was a frame."""
        assert self._sink is not None
        return self._sink

    def report(self) -> VideoReport:
        """What was done."""
        return VideoReport(
            frames=self._frames,
            looked=self._looked,
            faces=self._faces,
            tracks=0 if self._tracker is None else self._tracker.count,
            seconds=float((self._end - (self._begin or 0)) * self._base),
            size=self._size,
            encoder=self._encoder.name,
            dropped=self._streams.dropped,
            notes=tuple(self._notes),
        )

    def _may_hold_frames(self) -> bool:
        if reading.is_live(self._task.source) or self._tracker is None:
            return True
        picture = self._streams.picture
        options = self._task.options
        rate = picture.guessed_rate or Fraction(25)
        waiting = rate * Fraction(max(options.lookaround, options.bridge))
        return waiting * picture.width * picture.height * 3 / 2 <= HELD_FRAMES

    def _second_decoder(self) -> av.VideoCodecContext:
        twin = self._stack.enter_context(reading.opened(self._task.source))
        # Without frame threads it gives each frame at least as early as the reader's decoder does.
        number = self._container.streams.video.index(self._streams.picture)
        return twin.streams.video[number].codec_context

    def _take(self, item: av.Packet[Any] | _Frame) -> None:
        """One item of the reader's."""
        if isinstance(item, av.Packet):
            if item.stream_index == self._streams.picture.index:
                self._packets.append(item)
            else:
                self._waiting.append(item)
            self._held += item.size
        else:
            self._waiting.append(item)
            time = float(item.pts * self._base)
            if self._tracker is None:
                nothing = np.zeros(0, np.int64)
                self._settle(Tracked(time, Faces.empty(), nothing, nothing.astype(np.bool_)))
                return
            for tracked in self._tracker.push(time, self._found(item), cut=item.cut):
                self._settle(tracked)
        while self._held > HELD_PACKETS and self._tracker and self._tracker.waiting:
            self._settle(self._tracker.oldest())

    def _found(self, item: _Frame) -> Faces | None:
        if item.found is None:
            return None
        self._looked += 1
        [faces] = item.found.result()
        return faces.with_boxes(boxlib.scale(faces.boxes, item.scale, item.scale))

    def _settle(self, tracked: Tracked) -> None:
        """Hides and encodes the oldest waiting frame, after all packets that came before it."""
        while not isinstance(self._waiting[0], _Frame):
            self._copy_first()
        item = self._waiting.popleft()
        assert isinstance(item, _Frame)
        self.time = float(item.pts * self._base)
        frame = item.frame if item.frame is not None else self._decoded_again()
        if self._sink is None:
            self._start(frame)
        self._check_size(frame)
        tracked = self._grown(tracked)
        sink = self.sink_used()
        if frame.format.name != sink.pixel_format:
            frame = frame.reformat(format=sink.pixel_format)
        if len(tracked.faces):
            frame.make_writable()
            assert self._turn is not None
            hide(frame, tracked.faces, self._turn, self._task.anonymizer)
        sink.write(frame, item.pts, item.duration)
        if self._boxes is not None:
            write_frame(self._boxes, self._frames, tracked)
        self._frames += 1
        self._faces += len(tracked.faces)
        self._begin = item.pts if self._begin is None else self._begin
        self._end = item.pts + item.duration
        if self._progress is not None:
            self._progress(float((self._end - self._begin) * self._base), self._total)

    def _start(self, frame: av.VideoFrame) -> None:
        self._turn = turn_of(display_matrix(frame))
        self._coded = (frame.height, frame.width)
        self._size = self._coded[::-1] if self._turn.swap else self._coded
        if self._given is not None and self._given.size not in (None, self._size):
            raise BoxesError(
                f"{self._task.given}: is for pictures of {self._given.size[1]} × "
                f"{self._given.size[0]}, but {self._task.source} has {self._size[1]} × "
                f"{self._size[0]}"
            )
        self._sink = Sink(
            self._part,
            self._form,
            self._container,
            self._streams,
            self._encoder,
            self._task.options,
            frame,
        )
        for packet in self._early:
            self._sink.copy(packet)
        self._early.clear()
        if self._boxes is not None:
            write_head(self._boxes, Path(self._task.source).name, *self._size)

    def _check_size(self, frame: av.VideoFrame) -> None:
        if (frame.height, frame.width) != self._coded:
            raise VideoError(
                f"{self._task.source}: its size changes at {reading.clock(self.time)} to "
                f"{frame.width} × {frame.height}; cut the film there; nothing was written for it"
            )

    def _grown(self, tracked: Tracked) -> Tracked:
        faces = tracked.faces
        boxes = boxlib.clip(boxlib.grow(faces.boxes, self._task.margin), *self._size)
        kept = boxlib.area(boxes) > 0
        faces = faces.with_boxes(boxes)[kept]
        tracks, seen = tracked.tracks[kept], tracked.seen[kept]
        if self._given is not None:
            given = self._given.of_frame(self._frames)
            faces = Faces.concatenate([faces, given])
            tracks = np.concatenate([tracks, np.zeros(len(given), np.int64)])
            seen = np.concatenate([seen, np.ones(len(given), np.bool_)])
        return Tracked(tracked.time, faces, tracks, seen)

    def _copy_first(self) -> None:
        packet = self._waiting.popleft()
        if isinstance(packet, av.Packet):
            self._held -= packet.size
            # Nothing but a frame tells the sink its format; early sound goes in after the first.
            if self._sink is None:
                self._early.append(packet)
            else:
                self._sink.copy(packet)

    def _decoded_again(self) -> av.VideoFrame:
        assert self._decoder is not None
        while not self._again:
            packet = self._packets.popleft() if self._packets else None
            self._held -= packet.size if packet is not None else 0
            self._again.extend(self._decoder.decode(packet))
            if packet is None and not self._again:
                raise VideoError(f"{self._task.source}: decodes otherwise the second time")
        return self._again.popleft()
