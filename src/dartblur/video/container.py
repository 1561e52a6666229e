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
from dartblur.video.places import PIPE, is_device, is_live

# Each reads its own file and no other; FFmpeg's lists of films and playlists open what they name.
_DEMUXERS = (
    *("mov", "matroska", "avi", "mpeg", "mpegts", "asf", "flv", "ogg", "mxf", "nut", "dv", "gif"),
    *("mpegvideo", "m4v", "h264", "hevc", "obu", "ivf", "mjpeg", "mpjpeg", "yuv4mpegpipe"),
)
_READ_SAFELY = {"format_whitelist": ",".join(_DEMUXERS), "protocol_whitelist": "file"}
_STRICT = {"err_detect": "crccheck+explode"}
# Subtitles that are letters; the others are pictures.
_LETTERS = frozenset(
    {"subrip", "srt", "text", "ass", "ssa", "mov_text", "webvtt", "ttml", "eia_608"}
)

_SENSORS = frozenset({"klv", "scte_35"})
# Bytes of all time codes of a film together; no picture that shows a face fits.
_TIME_CODES = 255


@dataclass(frozen=True)
class Streams:
    """What becomes of each stream: one is hidden, some copied, some dropped, each with a reason."""

    picture: VideoStream
    copied: tuple[Stream, ...]
    dropped: tuple[str, ...]


@contextmanager
def open_container(source: str, *, tolerant: bool = False) -> Iterator[InputContainer]:
    """The container of a file, of a device such as /dev/video0, or of standard input (`-`).

    tolerant: a file is read past what is broken in it, as the other two always are.

    Raises:
        VideoError: it cannot be opened.
    """
    try:
        container = _open(source, tolerant=tolerant)
    except av.ArgumentError as error:
        raise VideoError(
            f"{source}: cannot be opened as a film: what is in it is of no kind that is read here"
        ) from error
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise VideoError(
            f"{source}: cannot be opened as a film ({reason}); is it whole, and a film?"
        ) from error
    try:
        yield container
    finally:
        container.close()


def _open(source: str, *, tolerant: bool) -> InputContainer:
    if source == PIPE:
        return av.open(sys.stdin.buffer, "r", options=_READ_SAFELY, metadata_errors="replace")
    if is_device(source):
        return av.open(source, "r", format="video4linux2,v4l2", metadata_errors="replace")
    options = _READ_SAFELY if tolerant or is_live(source) else {**_READ_SAFELY, **_STRICT}
    return av.open(file_url(Path(source)), "r", options=options, metadata_errors="replace")


def file_url(path: Path) -> str:
    """A file's name as FFmpeg takes it for nothing else, whatever characters are in it."""
    return f"file:{path.absolute()}"


def prepare_decoder(picture: VideoStream, *, strict: bool) -> None:
    """Lets a decoder use all cores, and, if strict, tell of broken places, not paint over them."""
    picture.codec_context.thread_type = "AUTO"
    if strict:
        picture.codec_context.options = _STRICT


def choose_streams(
    container: InputContainer, source: str, *, sound: bool, metadata: bool
) -> Streams:
    """Decides what becomes of each stream.

    Raises:
        VideoError: there is no film in it, or a stream that cannot be read.
    """
    films = [s for s in container.streams.video if not _is_still(s)]
    if not films:
        raise VideoError(f"{source}: has no video in it; a sound file, or a picture?")
    pictures = [s for s in films if s.codec_context is not None]
    if not pictures:
        raise VideoError(f"{source}: its video codec is not one that FFmpeg can read here")
    marked = [s for s in pictures if Disposition.default in s.disposition]
    picture = max(marked or pictures, key=lambda s: (s.width * s.height, -s.index))
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
    if stream.type == "attachment":
        # Whatever its name and media type say: a font can hold pictures as well.
        name = stream.metadata.get("filename", "without a name")
        return f"an attached file ({name}), which may hold a picture"
    if stream.type == "data":
        if not metadata:
            return "data, which may hold places"
        return (
            None if _data_is_known(stream) else "data of an unknown kind, which may hold pictures"
        )
    codec: Any = stream.codec_context
    if codec is None:
        return "of a codec that is not known here"
    if stream.type == "audio":
        return None if sound else "sound, as asked"
    if stream.type != "subtitle":
        return "of a kind that is not known here"
    if codec.codec.canonical_name in _LETTERS:
        return None
    return f"subtitles that are pictures ({codec.codec.canonical_name}), which may show a face"


def _data_is_known(stream: Stream) -> bool:
    """True for places, sensors and time codes: what is not made to hold pictures."""
    kind = getattr(stream, "name", None)
    if kind in _SENSORS:
        return True
    if "mov" not in stream.container.format.name.split(","):
        return False
    # In MP4 FFmpeg gives this name to GoPro's sensors alone; a track of time codes is tiny.
    sizes = [entry.size for entry in stream.index_entries]
    return kind == "bin_data" or 0 < sum(sizes) <= _TIME_CODES


def seconds_of(value: int | None, base: Fraction | None) -> float:
    """A time stamp in seconds; 0 where there is none."""
    return 0.0 if value is None or base is None else float(value * base)


def total_seconds(container: InputContainer) -> float | None:
    """How long the film says it is."""
    length = container.duration
    return None if length is None or length <= 0 else length / av.time_base
