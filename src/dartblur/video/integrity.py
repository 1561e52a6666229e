"""Whether a film is whole: what its index promises, what its packets hold, what was decoded."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Stream

from dartblur.errors import VideoError
from dartblur.formatting import timecode
from dartblur.video import ebml
from dartblur.video.container import Streams, seconds_of, total_seconds

# The others give times in the order of the file only, or guess them.
_TELLS_PTS = frozenset({"mov", "matroska", "mpegts", "mpeg", "flv"})
# One entry for each packet; elsewhere there are entries for key frames alone, or none.
_INDEXES_ALL = frozenset({"mov", "avi"})
# These say in a header how long they are; from others FFmpeg only guesses.
_DECLARES_LENGTH = frozenset({"mov", "matroska", "avi", "asf", "flv"})
# Seconds, and share of the length, by which headers are known to be wrong in whole films.
_SLACK, _SLACK_SHARE = 0.25, 0.001
# A second field begins halfway through its frame.
_FIELD = Fraction(3, 4)


class IntegrityCheck:
    """Notices damage: broken packets and frames, frames that never came, an end before its time.

    tolerant: damage is counted, not raised.
    """

    def __init__(
        self, container: InputContainer, streams: Streams, source: str, *, tolerant: bool
    ) -> None:
        self._source, self._tolerant, self._streams = source, tolerant, streams
        self._kinds = kinds = set((container.format.name or "").split(","))
        self._indexed = bool(kinds & _INDEXES_ALL)
        self._by_pts = bool(kinds & _TELLS_PTS)
        self._declared = total_seconds(container) if kinds & _DECLARES_LENGTH else None
        self._start = (container.start_time or 0) / av.time_base
        self._end = self._start
        self._picture_end = 0.0
        self._packets: dict[int, int] = {s.index: 0 for s in (streams.picture, *streams.copied)}
        self._base = streams.picture.time_base or Fraction(1, 90_000)
        rate = streams.picture.guessed_rate or Fraction(25)
        self._frame_ticks = max(1, round(1 / rate / self._base))
        self._due: set[int] = set()
        self._shown: tuple[int, int] | None = None  # the last frame: its time and duration
        self._expected = self._frames = 0
        self._fields = False
        self._damage: list[str] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found where damage is tolerated, in one sentence."""
        if not self._damage:
            return ()
        count = len(self._damage)
        more = f" and {count - 1} more places" if count > 1 else ""
        return (f"DAMAGED source: {self._damage[0]}{more}; written all the same, as asked",)

    def damage(self, seconds: float, what: str) -> None:
        """Takes note of a broken place.

        Raises:
            VideoError: damage is not tolerated.
        """
        self._note(f"broken at {timecode(seconds)} ({what})")

    def packet(self, packet: av.Packet[Any]) -> None:
        """Takes note of one packet of any stream.

        Raises:
            VideoError: it is cut off.
        """
        at = packet.pts if packet.pts is not None else packet.dts
        if packet.is_corrupt:
            self.damage(seconds_of(at, packet.time_base), "a packet is cut off")
        if not packet.size:
            return
        if packet.stream_index in self._packets:
            self._packets[packet.stream_index] += 1
        if at is not None:
            end = seconds_of(at + (packet.duration or 0), packet.time_base)
            self._end = max(self._end, end)
        if packet.stream_index != self._streams.picture.index:
            return
        # Where nothing tells when a frame is shown, the order of the file does.
        at = packet.pts if self._by_pts else packet.dts
        if at is not None:
            end = seconds_of(at + (packet.duration or self._frame_ticks), self._base)
            self._picture_end = max(self._picture_end, end)
        if packet.is_discard or _never_shown(packet, self._streams.picture):
            return
        self._expected += 1
        if packet.pts is not None:
            self._due.add(packet.pts)

    def frame(self, frame: av.VideoFrame) -> None:
        """Takes note of one decoded frame; they come in the order in which they are shown.

        Raises:
            VideoError: it is broken, or one before it was lost.
        """
        self._frames += 1
        self._fields |= frame.interlaced_frame
        if frame.is_corrupt:
            self.damage(seconds_of(frame.pts, self._base), "a broken frame")
        if not self._by_pts or frame.pts is None:
            return
        self._due.discard(frame.pts)
        self._overdue(frame.pts)
        self._shown = (frame.pts, frame.duration or self._frame_ticks)

    def check_end(self) -> None:
        """To be called at the end of the file.

        Raises:
            VideoError: frames or packets are missing, or the end came too early.
        """
        if self._by_pts:
            self._overdue(None)
        elif not self._fields and self._frames < self._expected:
            self._note(
                f"only {self._frames} of {self._expected} frames can be decoded: a part is missing"
            )
        if self._indexed:
            for stream in (self._streams.picture, *self._streams.copied):
                self._check_index(stream)
        self._check_length()
        if "matroska" in self._kinds:
            self._check_skeleton()

    def _overdue(self, now: int | None) -> None:
        """Packets whose frame should have come before `now`, or before the end, but did not."""
        late = sorted(pts for pts in self._due if now is None or pts < now)
        self._due.difference_update(late)
        if self._shown is None:
            # A film that was cut without being encoded anew begins with frames nobody can decode.
            return
        last, duration = self._shown
        for pts in late:
            if not last < pts < last + duration * _FIELD:
                self.damage(float(pts * self._base), "a frame is lost")

    def _check_skeleton(self) -> None:
        try:
            ebml.check(Path(self._source))
        except ebml.BrokenError as error:
            self._note(f"broken: {error}")

    def _check_index(self, stream: Stream) -> None:
        promised = sum(1 for entry in stream.index_entries if entry.size)
        there = self._packets[stream.index]
        if there < promised:
            self._note(
                f"its index promises {promised} packets of stream {stream.index} "
                f"({stream.type}), but {there} are there: a part is missing"
            )

    def _check_length(self) -> None:
        length = self._end - self._start
        for declared, end, slack in self._lengths(length):
            if end < declared - slack:
                self._note(
                    f"ends at {timecode(end)}, but its header says {timecode(declared)}: "
                    "a part is missing"
                )
                return

    def _lengths(self, length: float) -> list[tuple[float, float, float]]:
        lengths = []
        if self._declared is not None:
            slack = max(_SLACK, _SLACK_SHARE * self._declared)
            lengths.append((self._declared, length, slack))
        own = self._own_length()
        if own is not None:
            frame = float(self._frame_ticks * self._base)
            lengths.append((own, self._picture_end, max(frame / 2, _SLACK_SHARE * own)))
        return lengths

    def _own_length(self) -> float | None:
        """Seconds to the end of the picture, where the container says them exactly."""
        picture = self._streams.picture
        if "avi" in self._kinds:
            return seconds_of(picture.duration, self._base) or None
        return _tagged_length(picture) if "matroska" in self._kinds else None

    def _note(self, what: str) -> None:
        if not self._tolerant:
            raise VideoError(
                f"{self._source}: {what}; mend it or cut that place out, or write it as it is "
                "with --tolerant; nothing was written for it"
            )
        self._damage.append(what)


def _tagged_length(stream: Stream) -> float | None:
    """Seconds to the end of a Matroska track, by the tag that its writers leave."""
    for name, text in stream.metadata.items():
        if name.upper() == "DURATION":
            try:
                hours, minutes, seconds = text.split(":")
                return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
            except ValueError:
                return None
    return None


def _never_shown(packet: av.Packet[Any], picture: Stream) -> bool:
    """True for a packet of VP8 that only serves as a reference for others."""
    context: Any = picture.codec_context
    return context.codec.canonical_name == "vp8" and not bytes(packet)[0] & 0x10
