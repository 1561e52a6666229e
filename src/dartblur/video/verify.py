"""A film is whole only if it reads back as what was written."""

from __future__ import annotations

from pathlib import Path

import av

from dartblur.errors import VideoError
from dartblur.formatting import timecode
from dartblur.video.container import file_url
from dartblur.video.writer import Written

_SECONDS = 0.1


def verify(part: Path, written: Written, source: str) -> None:
    """Reads a finished file packet by packet.

    Raises:
        VideoError: a stream, a packet or a part of the length is missing.
    """
    try:
        counts, span = _read_back(part)
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(f"{source}: the film written does not read back ({error})") from error
    # MP4 adds a track of its own for chapters.
    counts = {index: count for index, count in counts.items() if index in written.packets}
    if counts != written.packets:
        raise VideoError(
            f"{source}: the film written lacks packets: by stream, {counts} came back of "
            f"{written.packets}; is the disk full, or can the container not hold them?"
        )
    wanted = float((written.end - (written.first or 0)) * written.time_base)
    if abs(span - wanted) > _SECONDS + 0.001 * wanted:
        raise VideoError(
            f"{source}: the film written lasts {timecode(span)} instead of {timecode(wanted)}"
        )


def _read_back(part: Path) -> tuple[dict[int, int], float]:
    """Packets by stream, and the length of the picture in seconds."""
    with av.open(file_url(part), metadata_errors="replace") as container:
        counts = {stream.index: 0 for stream in container.streams}
        picture = container.streams.video[0].index
        first = end = None
        for packet in container.demux():
            if packet.size == 0 and packet.pts is None and packet.dts is None:
                continue
            if packet.is_corrupt:
                raise ValueError("a packet is cut off")
            counts[packet.stream_index] += 1
            if packet.stream_index == picture and packet.pts is not None:
                time = packet.pts * packet.time_base
                after = time + (packet.duration or 0) * packet.time_base
                first = time if first is None else min(first, time)
                end = after if end is None else max(end, after)
    return counts, float(end - first) if end is not None and first is not None else 0.0
