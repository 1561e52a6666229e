"""One film from clear to safe: decoded, searched, hidden and encoded side by side.

One reader runs ahead. It decodes the picture and hands frames to detectors; what they find goes to
the tracker, which settles the covers of a frame a bounded time later. Until then the film waits:
small frames as they were decoded, large ones as packets, to be decoded a second time. Memory thus
depends on neither the film's length nor, beyond a bound, on the picture's size.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
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
from dartblur.pipeline import DEFAULT_MARGIN
from dartblur.tracking import Tracked, Tracker
from dartblur.video import source as reading
from dartblur.video.boxes_file import GivenBoxes, write_frame, write_head
from dartblur.video.encoders import encoder_for, pixel_format_for
from dartblur.video.options import FORMATS, VideoOptions, VideoReport
from dartblur.video.overlap import Ahead
from dartblur.video.planes import Turn, converted, display_matrix, hide, in_samples, turn_of
from dartblur.video.reader import Found, Reader
from dartblur.video.sink import Sink
from dartblur.video.verify import verify
from dartblur.video.whole import Wholeness

HELD_BYTES = 300_000_000
"""What may wait. Where decoded frames would be more, packets wait, and are decoded again; where
they are more too, covers settle sooner than the tracker would like.
"""
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
    margin: float = DEFAULT_MARGIN
    options: VideoOptions = field(default_factory=VideoOptions)
    given: Path | None = None
    boxes_out: Path | None = None


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
        form = FORMATS.get(target.suffix.lower(), "mp4")
        container = stack.enter_context(reading.opened(task.source, tolerant=task.options.tolerant))
        report = _hide_film(task, container, part, form, boxes, progress)
        if before_naming is not None:
            before_naming()
    return report


def _hide_film(
    task: Task,
    container: InputContainer,
    part: Path,
    form: str,
    boxes: TextIO | None,
    progress: Progress | None,
) -> VideoReport:
    work = _Work(task, container, part, form, boxes, progress)
    try:
        work.run()
        return work.report()
    except DartblurError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        where = reading.clock(work.time)
        raise VideoError(
            f"{task.source}: failed at {where}: {error}; nothing was written for it"
        ) from error
    finally:
        work.close()


class _Work:
    """Settles covers, hides, encodes: the side of a film that follows the reader."""

    def __init__(
        self,
        task: Task,
        container: InputContainer,
        part: Path,
        form: str,
        boxes: TextIO | None,
        progress: Progress | None,
    ) -> None:
        options = task.options
        self._task, self._options, self._container = task, options, container
        self._part, self._form, self._boxes, self._progress = part, form, boxes, progress
        self._streams = reading.streams_of(
            container,
            task.source,
            sound=options.audio == "keep",
            metadata=options.keep_metadata,
        )
        self._picture = self._streams.picture
        self._base = self._picture.time_base or Fraction(1, 90_000)
        self._live = reading.is_live(task.source)
        self._whole = (
            None
            if self._live
            else Wholeness(container, self._streams, task.source, tolerant=options.tolerant)
        )
        reading.prepare_decoder(self._picture, strict=not (self._live or options.tolerant))
        self._tracker = (
            None if task.detector is None else Tracker(options.lookaround, options.bridge)
        )
        self._given = None if task.given is None else GivenBoxes(task.given)
        codec = self._picture.codec_context.codec.canonical_name
        device = reading.is_device(task.source)
        self._encoder, note = encoder_for(codec, form, "h264" if device else None, options.codec)
        self._notes = (note,) if note else ()
        self._total = reading.total_seconds(container)
        self._stack = ExitStack()
        self._waiting: deque[av.Packet[Any] | Found] = deque()
        self._again: _SecondDecoder | None = None
        self._held = 0
        self._sink: Sink | None = None
        self._shape = _Shape((0, 0), (0, 0), Turn(), "")
        self._counts = _Counts()
        self.time = 0.0

    def run(self) -> None:
        """Does the whole film, and checks it."""
        where = "searched" if self._tracker else "hidden by given boxes"
        _log.info("%s: %s, encoded by %s", self._task.source, where, self._encoder.name)
        hold = self._may_hold_frames()
        if not hold:
            twin = self._stack.enter_context(reading.opened(self._task.source))
            number = self._container.streams.video.index(self._picture)
            self._again = _SecondDecoder(twin.streams.video[number].codec_context)
        pool = self._stack.enter_context(ThreadPoolExecutor(self._options.workers))
        reader = Reader(
            self._task.source,
            self._task.detector,
            self._options,
            self._container,
            self._streams,
            pool,
            hold=hold,
            whole=self._whole,
        )
        ahead = self._stack.enter_context(Ahead(reader, 8 + 4 * self._options.workers))
        if self._live:
            self._stack.enter_context(_interrupt_means(ahead.finish))
        for item in ahead:
            self._take(item)
        for tracked in self._tracker.flush() if self._tracker else ():
            self._settle(tracked)
        self._finish()

    def close(self) -> None:
        """Ends all threads and lets go of the files."""
        self._stack.close()
        if self._sink is not None:
            self._sink.close()

    def report(self) -> VideoReport:
        """What was done."""
        counts, damage = self._counts, self._whole.notes if self._whole else ()
        return VideoReport(
            frames=counts.frames,
            looked=counts.looked,
            faces=(self._tracker.count if self._tracker else 0)
            + (self._given.count if self._given else 0),
            covers=counts.covers,
            seconds=float((counts.end - (counts.begin or 0)) * self._base),
            size=self._shape.upright,
            encoder=self._encoder.name,
            dropped=self._streams.dropped,
            notes=(*damage, *self._notes),
        )

    def _may_hold_frames(self) -> bool:
        # Damage may be painted over in another way when it is decoded a second time.
        if self._live or self._options.tolerant or self._tracker is None:
            return True
        picture, rate = self._picture, self._picture.guessed_rate or Fraction(25)
        seconds = Fraction(max(self._options.lookaround, self._options.bridge))
        # Three halves of a sample a pixel, of a byte or two.
        size = picture.width * picture.height * 3 / 2
        deep = "10" in (picture.codec_context.pix_fmt or "")
        return rate * seconds * size * (1 + deep) <= HELD_BYTES

    def _take(self, item: av.Packet[Any] | Found) -> None:
        """One item of the reader's."""
        self._held += item.size
        if isinstance(item, Found):
            self._waiting.append(item)
            self._track(item)
        elif self._again is not None and item.stream_index == self._picture.index:
            self._again.packets.append(item)
        else:
            self._waiting.append(item)
        while self._held > HELD_BYTES and self._tracker and self._tracker.waiting:
            self._settle(self._tracker.oldest())

    def _track(self, item: Found) -> None:
        time = float(item.pts * self._base)
        if self._tracker is None:
            nobody = np.zeros(0)
            self._settle(
                Tracked(time, Faces.empty(), nobody.astype(np.int64), nobody.astype(np.bool_))
            )
            return
        faces = None
        if item.faces is not None:
            self._counts.looked += 1
            [faces] = item.faces.result()
            faces = faces.with_boxes(boxlib.scale(faces.boxes, item.scale, item.scale))
        for tracked in self._tracker.push(time, faces, cut=item.cut):
            self._settle(tracked)

    def _settle(self, tracked: Tracked) -> None:
        """Hides and encodes the oldest waiting frame, after all packets that came before it."""
        item = self._next_frame()
        self._held -= item.size
        counts, self.time = self._counts, float(item.pts * self._base)
        frame = item.frame
        if frame is None:
            assert self._again is not None
            frame, freed = self._again.next(self._task.source)
            self._held -= freed
        sink = self._sink or self._start(frame)
        if (frame.height, frame.width) != self._shape.coded:
            raise VideoError(
                f"{self._task.source}: its size changes at {reading.clock(self.time)} to "
                f"{frame.width} × {frame.height}; cut the film there; nothing was written for it"
            )
        frame = converted(frame, self._shape.pixel_format)
        tracked = self._covers(tracked)
        if len(tracked.faces):
            frame.make_writable()
            hide(frame, tracked.faces, self._shape.turn, self._task.anonymizer)
        sink.write(frame, item.pts, item.duration)
        if self._boxes is not None:
            write_frame(self._boxes, counts.frames, tracked)
        counts.add(item, len(tracked.faces))
        if self._progress is not None:
            self._progress(float((counts.end - (counts.begin or 0)) * self._base), self._total)

    def _next_frame(self) -> Found:
        """The oldest waiting frame; packets before it are copied.

        Nothing but a frame tells the sink its format, so packets before the first go in after it.
        """
        early: list[av.Packet[Any]] = []
        while True:
            item = self._waiting.popleft()
            if isinstance(item, Found):
                self._waiting.extendleft(reversed(early))
                return item
            if self._sink is None:
                early.append(item)
            else:
                self._copy(self._sink, item)

    def _copy(self, sink: Sink, packet: av.Packet[Any]) -> None:
        self._held -= packet.size
        sink.copy(packet)

    def _start(self, frame: av.VideoFrame) -> Sink:
        """The first frame is there: now the output's format is known."""
        source, given = self._task.source, self._given
        turn = turn_of(display_matrix(frame))
        coded = (frame.height, frame.width)
        upright = coded[::-1] if turn.swap else coded
        pixel_format = pixel_format_for(self._encoder.name, frame.format)
        self._shape = _Shape(coded, upright, turn, pixel_format)
        if given is not None and given.size not in (None, upright):
            raise BoxesError(
                f"{self._task.given}: is for pictures of {given.size[1]} × {given.size[0]}, but "
                f"{source} has {upright[1]} × {upright[0]}"
            )
        self._sink = Sink(
            self._part,
            self._form,
            self._container,
            self._streams,
            self._encoder,
            self._options,
            converted(frame, pixel_format),
        )
        if self._boxes is not None:
            write_head(self._boxes, Path(source).name, *upright)
        return self._sink

    def _covers(self, tracked: Tracked) -> Tracked:
        """What is hidden in a frame: what was followed, grown by the margin, and what was given."""
        boxes = boxlib.grow(tracked.faces.boxes, self._task.margin)
        boxes = boxlib.clip(boxes, *self._shape.upright)
        kept = boxlib.area(boxes) > 0
        followed = replace(
            tracked,
            faces=tracked.faces.with_boxes(boxes)[kept],
            tracks=tracked.tracks[kept],
            seen=tracked.seen[kept],
        )
        if self._given is None:
            return followed
        given = self._given.of_frame(self._counts.frames)
        return Tracked(
            tracked.time,
            Faces.concatenate([followed.faces, given]),
            np.concatenate([followed.tracks, np.zeros(len(given), np.int64)]),
            np.concatenate([followed.seen, np.ones(len(given), np.bool_)]),
        )

    def _finish(self) -> None:
        sink = self._sink
        if sink is None:
            raise VideoError(f"{self._task.source}: has no frame that can be decoded")
        for packet in self._waiting:
            assert isinstance(packet, av.Packet)
            sink.copy(packet)
        if self._given is not None:
            self._given.finish(self._counts.frames)
        sink.finish()
        verify(self._part, sink.written, self._task.source)


@dataclass(frozen=True)
class _Shape:
    """Of the frames: height and width as coded and upright, the turn between, the format."""

    coded: tuple[int, int]
    upright: tuple[int, int]
    turn: Turn
    pixel_format: str


@dataclass
class _Counts:
    frames: int = 0
    looked: int = 0
    covers: int = 0
    begin: int | None = None
    end: int = 0

    def add(self, item: Found, covers: int) -> None:
        self.frames += 1
        self.covers += covers
        self.begin = item.pts if self.begin is None else self.begin
        self.end = item.pts + item.duration


class _SecondDecoder:
    """Decodes packets that waited, again, in the same order.

    Having no threads for frames of their own, it gives each frame at least as early as the reader's
    decoder did.
    """

    def __init__(self, context: av.VideoCodecContext) -> None:
        self.packets: deque[av.Packet[Any]] = deque()
        self._context = context
        self._frames: deque[av.VideoFrame] = deque()

    def next(self, source: str) -> tuple[av.VideoFrame, int]:
        """The next frame, and the bytes of the packets that it took."""
        freed = 0
        while not self._frames:
            packet = self.packets.popleft() if self.packets else None
            freed += packet.size if packet is not None else 0
            self._frames.extend(in_samples(f) for f in self._context.decode(packet))
            if packet is None and not self._frames:
                raise VideoError(
                    f"{source}: decodes otherwise the second time; is it being edited?"
                )
        return self._frames.popleft(), freed


@contextmanager
def _interrupt_means(finish: Callable[[], None]) -> Iterator[None]:
    """While it lasts, the first Ctrl-C calls `finish`: a camera has no end of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def once(*_: object) -> None:
        signal.signal(signal.SIGINT, before)
        finish()

    signal.signal(signal.SIGINT, once)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
