"""A film as it is read: its streams, what becomes of each, and where reading went wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from dartblur.errors import VideoError

PIPE = "-"
_FONTS = ("font", "truetype", "opentype")
# These say in a header how long they are; from others FFmpeg only guesses.
_DECLARES_LENGTH = ("mov", "matroska", "avi", "asf", "flv")
# Seconds, and share of the length, by which headers are known to be wrong in whole films.
_SLACK, _SLACK_SHARE = 0.25, 0.001


@dataclass(frozen=True)
class Streams:
    """What becomes of each stream: one is hidden, some copied, some dropped, each with a reason."""

    picture: VideoStream
    copied: tuple[Stream, ...]
    dropped: tuple[str, ...]


def clock(seconds: float) -> str:
    """A place in a film, as h:mm:ss.mmm."""
    sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
    minutes, rest = divmod(seconds, 60)
    return f"{sign}{int(minutes // 60)}:{int(minutes % 60):02}:{rest:06.3f}"


@contextmanager
def opened(source: str) -> Iterator[InputContainer]:
    """The container of a file, of a device such as /dev/video0, or of standard input (`-`).

    Raises:
        VideoError: it cannot be opened.
    """
    try:
        container = _open(source)
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise VideoError(
            f"{source}: cannot be opened as a film ({reason}); is it whole, and a film?"
        ) from error
    try:
        yield container
    finally:
        container.close()


def _open(source: str) -> InputContainer:
    if source == PIPE:
        return av.open(sys.stdin.buffer, "r", metadata_errors="replace")
    form = "video4linux2,v4l2" if is_device(source) else None
    return av.open(source, "r", format=form, metadata_errors="replace")


def prepare_decoder(picture: VideoStream, *, strict: bool) -> None:
    """Lets a decoder use all cores, and, if strict, tell of broken places, not paint over them."""
    picture.codec_context.thread_type = "AUTO"
    if strict:
        picture.codec_context.options = {"err_detect": "explode"}


def is_device(source: str) -> bool:
    """True for what is read like a camera."""
    return source != PIPE and Path(source).is_char_device()


def is_live(source: str) -> bool:
    """True for what cannot be read twice: a pipe or a camera."""
    return source == PIPE or not Path(source).is_file()


def streams_of(container: InputContainer, source: str, *, sound: bool, metadata: bool) -> Streams:
    """Decides what becomes of each stream.

    Raises:
        VideoError: there is no film in it, or a stream that cannot be read.
    """
    pictures = [s for s in container.streams.video if not _is_still(s)]
    if not pictures:
        raise VideoError(f"{source}: has no video in it; a sound file, or a picture?")
    marked = [s for s in pictures if Disposition.default in s.disposition]
    picture = max(marked or pictures, key=lambda s: (s.width * s.height, -s.index))
    if picture.codec_context is None:
        raise VideoError(f"{source}: its video codec is not one that FFmpeg can read here")
    copied, dropped = [], []
    for stream in container.streams:
        reason = _why_dropped(stream, picture, sound=sound, metadata=metadata)
        if stream is picture:
            continue
        if reason is None:
            copied.append(stream)
        else:
            dropped.append(f"stream {stream.index} ({stream.type}): {reason}")
    return Streams(picture, tuple(copied), tuple(dropped))


def _is_still(stream: Stream) -> bool:
    stills = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    return bool(stream.disposition & stills)


def _why_dropped(stream: Stream, picture: Stream, *, sound: bool, metadata: bool) -> str | None:
    if stream.type == "video":
        if _is_still(stream):
            return "a cover or thumbnail, which may show a face"
        return None if stream is picture else "a second picture, which may show a face"
    if stream.type == "audio":
        return None if sound else "sound, as asked"
    if stream.type == "attachment":
        kind = (getattr(stream, "mimetype", None) or "").lower()
        return None if any(font in kind for font in _FONTS) else "an attached file"
    if stream.type == "subtitle":
        return None
    return None if metadata and stream.type == "data" else "data, which may hold places"


def seconds_of(value: int | None, base: Fraction | None) -> float:
    """A time stamp in seconds; 0 where there is none."""
    return 0.0 if value is None or base is None else float(value * base)


def total_seconds(container: InputContainer) -> float | None:
    """How long the film says it is."""
    length = container.duration
    return None if length is None or length <= 0 else length / av.time_base


class LengthCheck:
    """Notices a film that ends before its header says so."""

    def __init__(self, container: InputContainer, source: str) -> None:
        self._source = source
        name: Any = container.format.name
        declares = any(part in _DECLARES_LENGTH for part in name.split(","))
        self._declared = total_seconds(container) if declares else None
        self._start = (container.start_time or 0) / av.time_base
        self._end = self._start

    def see(self, packet: av.Packet[Any]) -> None:
        """Takes note of one packet of any stream.

        Raises:
            VideoError: the packet is cut off.
        """
        at = packet.pts if packet.pts is not None else packet.dts
        if at is None:
            return
        if packet.is_corrupt:
            where = clock(seconds_of(at, packet.time_base))
            raise VideoError(f"{self._source}: broken at {where}; nothing was written for it")
        self._end = max(self._end, seconds_of(at + (packet.duration or 0), packet.time_base))

    def finish(self) -> None:
        """To be called at the end of the file.

        Raises:
            VideoError: the end came too early.
        """
        if self._declared is None:
            return
        length = self._end - self._start
        if length < self._declared - max(_SLACK, _SLACK_SHARE * self._declared):
            raise VideoError(
                f"{self._source}: ends at {clock(length)}, but its header says "
                f"{clock(self._declared)}: a part is missing; nothing was written for it"
            )
