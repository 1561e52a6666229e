"""One film from clear to safe: decoded, searched, hidden and encoded at the same time.

The reader prefetches: it decodes the picture and hands frames to detectors; what they find goes to
the tracker, which settles a bounded time later what is hidden in a frame. Until then the film
waits: small frames as they were decoded, large ones as packets, to be decoded a second time. Memory
thus depends on neither the film's length nor, beyond a bound, on the picture's size.
"""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TextIO

import av
import numpy as np
from av.container import InputContainer

from dartblur import boxes as boxlib
from dartblur.errors import BoxesError, VideoError
from dartblur.faces import Faces
from dartblur.formatting import timecode
from dartblur.pipeline import faint_covers
from dartblur.tracking import Tracked, Tracker
from dartblur.video.boxes_file import GivenBoxes, write_frame, write_head
from dartblur.video.colour import converted
from dartblur.video.container import (
    choose_streams,
    open_container,
    prepare_decoder,
    total_seconds,
)
from dartblur.video.encoders import encoder_for, pixel_format_for
from dartblur.video.integrity import IntegrityCheck
from dartblur.video.interrupts import on_interrupt
from dartblur.video.options import VideoReport
from dartblur.video.orientation import Orientation, display_matrix, orientation_of
from dartblur.video.places import is_device, is_live
from dartblur.video.planes import hide
from dartblur.video.prefetch import Prefetcher
from dartblur.video.reader import PendingFrame, Reader
from dartblur.video.second_decoder import SecondDecoder
from dartblur.video.task import ProgressCallback, VideoTask
from dartblur.video.track_log import TrackLog
from dartblur.video.verify import verify
from dartblur.video.writer import Writer

HELD_BYTES = 300_000_000
"""What may wait. Where decoded frames would be more, packets wait, and are decoded again; where
they are more too, frames settle sooner than the tracker would like.
"""
MOST_FAINT = 20
"""Of one frame's faint candidates, the best that are told of."""
_log = logging.getLogger("dartblur.video")


class VideoProcessor:
    """Takes what the reader gives: settles what is hidden in each frame, hides it, encodes."""

    def __init__(
        self,
        task: VideoTask,
        container: InputContainer,
        part: Path,
        muxer: str,
        boxes_out: TextIO | None,
        progress: ProgressCallback | None,
        tracks: TrackLog | None = None,
    ) -> None:
        options = task.options
        self._task, self._options, self._container = task, options, container
        self._part, self._muxer, self._boxes_out, self._progress = part, muxer, boxes_out, progress
        self._tracks = tracks
        self._streams = choose_streams(
            container,
            task.source,
            sound=options.audio == "keep",
            metadata=task.keep_metadata,
        )
        self._picture = self._streams.picture
        self._base = self._picture.time_base or Fraction(1, 90_000)
        self._live = is_live(task.source)
        self._integrity = (
            None
            if self._live
            else IntegrityCheck(container, self._streams, task.source, tolerant=task.tolerant)
        )
        prepare_decoder(self._picture, strict=not (self._live or task.tolerant))
        self._tracker = (
            None if task.detector is None else Tracker(options.lookaround, options.bridge)
        )
        self._given = None if task.given is None else GivenBoxes(task.given)
        codec = self._picture.codec_context.codec.canonical_name
        device = is_device(task.source)
        self._encoder, note = encoder_for(codec, muxer, "h264" if device else None, options.codec)
        self._notes = (note,) if note else ()
        self._total = total_seconds(container)
        self._stack = ExitStack()
        self._waiting: deque[av.Packet[Any] | PendingFrame] = deque()
        self._second_decoder: SecondDecoder | None = None
        self._held = 0
        self._writer: Writer | None = None
        self._format = _Format((0, 0), (0, 0), Orientation(), "")
        self._counts = _Counts()
        self.time = 0.0

    def run(self) -> None:
        """Does the whole film, and checks it."""
        where = "searched" if self._tracker else "hidden by given boxes"
        _log.info("%s: %s, encoded by %s", self._task.source, where, self._encoder.name)
        hold = self._may_hold_frames()
        if not hold:
            twin = self._stack.enter_context(open_container(self._task.source))
            number = self._container.streams.video.index(self._picture)
            self._second_decoder = SecondDecoder(twin.streams.video[number].codec_context)
        pool = self._stack.enter_context(ThreadPoolExecutor(self._task.workers))
        reader = Reader(
            self._task,
            self._container,
            self._streams,
            pool,
            hold=hold,
            integrity=self._integrity,
        )
        prefetcher = self._stack.enter_context(Prefetcher(reader, 8 + 4 * self._task.workers))
        if self._live:
            self._stack.enter_context(on_interrupt(prefetcher.stop))
        for item in prefetcher:
            self._take(item)
        for tracked in self._tracker.flush() if self._tracker else ():
            self._settle(tracked)
        self._finish()

    def close(self) -> None:
        """Ends all threads and lets go of the files."""
        self._stack.close()
        if self._writer is not None:
            self._writer.close()

    def report(self) -> VideoReport:
        """What was done."""
        counts, damage = self._counts, self._integrity.notes if self._integrity else ()
        return VideoReport(
            frames=counts.frames,
            searched=counts.searched,
            faces=(self._tracker.count if self._tracker else 0)
            + (self._given.count if self._given else 0),
            boxes=counts.boxes,
            seconds=float((counts.end - (counts.begin or 0)) * self._base),
            size=self._format.upright,
            encoder=self._encoder.name,
            dropped=self._streams.dropped,
            notes=(*damage, *self._notes),
        )

    def _may_hold_frames(self) -> bool:
        # Damage may be painted over in another way when it is decoded a second time.
        if self._live or self._task.tolerant or self._tracker is None:
            return True
        picture, rate = self._picture, self._picture.guessed_rate or Fraction(25)
        seconds = Fraction(max(self._options.lookaround, self._options.bridge))
        # Three halves of a sample a pixel, of a byte or two.
        size = picture.width * picture.height * 3 / 2
        deep = "10" in (picture.codec_context.pix_fmt or "")
        return rate * seconds * size * (1 + deep) <= HELD_BYTES

    def _take(self, item: av.Packet[Any] | PendingFrame) -> None:
        """One item of the reader's."""
        self._held += item.size
        if isinstance(item, PendingFrame):
            self._waiting.append(item)
            self._track(item)
        elif self._second_decoder is not None and item.stream_index == self._picture.index:
            self._second_decoder.packets.append(item)
        else:
            self._waiting.append(item)
        while self._held > HELD_BYTES and self._tracker and self._tracker.waiting:
            self._settle(self._tracker.oldest())

    def _track(self, item: PendingFrame) -> None:
        time = float(item.pts * self._base)
        if self._tracker is None:
            self._settle(Tracked(time, Faces.empty(), np.zeros(0, np.bool_)))
            return
        faces = None
        if item.faces is not None:
            self._counts.searched += 1
            faces, _ = item.faces.result()
        for tracked in self._tracker.push(time, faces, cut=item.cut):
            self._settle(tracked)

    def _settle(self, tracked: Tracked) -> None:
        """Hides and encodes the oldest waiting frame, after all packets that came before it."""
        item = self._next_frame()
        self._held -= item.size
        counts, self.time = self._counts, float(item.pts * self._base)
        frame = item.frame
        if frame is None:
            assert self._second_decoder is not None
            frame, freed = self._second_decoder.next(self._task.source)
            self._held -= freed
        writer = self._writer or self._start(frame)
        if (frame.height, frame.width) != self._format.coded:
            raise VideoError(
                f"{self._task.source}: its size changes at {timecode(self.time)} to "
                f"{frame.width} × {frame.height}; cut the film there; nothing was written for it"
            )
        frame = converted(frame, self._format.pixel_format)
        tracked = self._to_hide(tracked)
        if len(tracked.faces):
            frame.make_writable()
            hide(frame, tracked.faces, self._format.orientation, self._task.anonymizer)
        writer.write(frame, item.pts, item.duration)
        if self._boxes_out is not None:
            write_frame(self._boxes_out, counts.frames, tracked)
        if self._tracks is not None:
            self._tracks.add(item.pts, tracked, self._faint(item, tracked.faces))
        counts.add(item, len(tracked.faces))
        if self._progress is not None:
            self._progress(float((counts.end - (counts.begin or 0)) * self._base), self._total)

    def _next_frame(self) -> PendingFrame:
        """The oldest waiting frame; packets before it are copied.

        Nothing but a frame tells the writer its format, so packets before the first go in after it.
        """
        early: list[av.Packet[Any]] = []
        while True:
            item = self._waiting.popleft()
            if isinstance(item, PendingFrame):
                self._waiting.extendleft(reversed(early))
                return item
            if self._writer is None:
                early.append(item)
            else:
                self._copy(self._writer, item)

    def _copy(self, writer: Writer, packet: av.Packet[Any]) -> None:
        self._held -= packet.size
        writer.copy(packet)

    def _start(self, frame: av.VideoFrame) -> Writer:
        """The first frame is there: now the output's format is known."""
        source, given = self._task.source, self._given
        orientation = orientation_of(display_matrix(frame))
        coded = (frame.height, frame.width)
        upright = coded[::-1] if orientation.swap else coded
        pixel_format = pixel_format_for(self._encoder.name, frame.format)
        self._format = _Format(coded, upright, orientation, pixel_format)
        if given is not None and given.size not in (None, upright):
            raise BoxesError(
                f"{self._task.given}: is for pictures of {given.size[1]} × {given.size[0]}, but "
                f"{source} has {upright[1]} × {upright[0]}"
            )
        self._writer = Writer(
            self._part,
            self._muxer,
            self._container,
            self._streams,
            self._encoder,
            self._task,
            converted(frame, pixel_format),
        )
        if self._boxes_out is not None:
            write_head(self._boxes_out, Path(source).name, *upright)
        if self._tracks is not None:
            self._tracks.begin(upright, self._base, self._options)
        return self._writer

    def _to_hide(self, tracked: Tracked) -> Tracked:
        """What is hidden in a frame: what was followed, grown by the margin, and what was given."""
        boxes = boxlib.grow(tracked.faces.boxes, self._task.margin)
        boxes = boxlib.clip(boxes, *self._format.upright)
        kept = boxlib.area(boxes) > 0
        followed = replace(
            tracked,
            faces=tracked.faces.with_boxes(boxes)[kept],
            seen=tracked.seen[kept],
        )
        if self._given is None:
            return followed
        given = self._given.of_frame(self._counts.frames)
        if self._tracker is not None:
            # Its numbers are another run's, and not to be taken for those of this one.
            given = replace(given, tracks=np.zeros(len(given), np.int64))
        return Tracked(
            tracked.time,
            Faces.concatenate([followed.faces, given]),
            np.concatenate([followed.seen, np.ones(len(given), np.bool_)]),
        )

    def _faint(self, item: PendingFrame, hidden: Faces) -> Faces:
        """What the detector nearly took for a face in a frame, beside what is hidden in it."""
        evidence = None if item.faces is None else item.faces.result()[1]
        if evidence is None:
            return Faces.empty()
        margin, size = self._task.margin, self._format.upright
        covers, open_ = faint_covers(evidence.faint, hidden, margin, *size, most=MOST_FAINT)
        return covers[open_]

    def _finish(self) -> None:
        writer = self._writer
        if writer is None:
            raise VideoError(f"{self._task.source}: has no frame that can be decoded")
        for packet in self._waiting:
            assert isinstance(packet, av.Packet)
            writer.copy(packet)
        if self._given is not None:
            self._given.finish(self._counts.frames)
        writer.finish()
        verify(self._part, writer.written, self._task.source)


@dataclass(frozen=True)
class _Format:
    """Of the frames: height and width as coded and upright, what lies between, pixel format."""

    coded: tuple[int, int]
    upright: tuple[int, int]
    orientation: Orientation
    pixel_format: str


@dataclass
class _Counts:
    frames: int = 0
    searched: int = 0
    boxes: int = 0
    begin: int | None = None
    end: int = 0

    def add(self, item: PendingFrame, boxes: int) -> None:
        self.frames += 1
        self.boxes += boxes
        self.begin = item.pts if self.begin is None else self.begin
        self.end = item.pts + item.duration
