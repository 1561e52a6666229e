"""Writes a film: the hidden picture encoded anew, all else as it came."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Stream
from av.video.stream import VideoStream

from dartblur.errors import UsageError
from dartblur.video.colour import FULL
from dartblur.video.container import Streams, file_url
from dartblur.video.encoders import Encoder
from dartblur.video.extradata import strip_extradata
from dartblur.video.orientation import display_matrix, side_data
from dartblur.video.scheduling import kept_scheduling
from dartblur.video.task import VideoTask

_QP_TO_LAMBDA = 118
_INTERLACED = (1 << 18) | (1 << 29)
_KEPT_TAGS = ("language", "title")
# Characters; a picture that shows a face takes more.
_LONGEST_TAG = 255
_WITHOUT_PTS = ("avi",)
# Samples to leave out, and where WebVTT's words stand.
_SIDE_DATA = frozenset({"skip_samples", "webvtt_identifier", "webvtt_settings"})
# These number their streams by chance unless told not to.
_BY_CHANCE = ("matroska", "webm", "ogg")
_HDR_OPTIONS = {
    "libx264": ("x264-params", "mastering-display", "cll"),
    "libx265": ("x265-params", "master-display", "max-cll"),
}


@dataclass
class Written:
    """What went into the film, for the check afterwards: packets of each stream of the output."""

    packets: dict[int, int]
    first: int | None = None
    end: int = 0
    time_base: Fraction = Fraction(1)


class Writer:
    """A film under way to `part`; made when the first frame is there, which tells its format.

    frame: the first one, in the pixel format in which all will come.
    """

    def __init__(
        self,
        part: Path,
        muxer: str,
        container: InputContainer,
        streams: Streams,
        encoder: Encoder,
        task: VideoTask,
        frame: av.VideoFrame,
    ) -> None:
        self._encoder, self._options, self._muxer = encoder, task.options, muxer
        self._keep_metadata = task.keep_metadata
        self.container: OutputContainer = av.open(
            file_url(part), "w", format=muxer, options=_muxer_options(muxer, task.keep_metadata)
        )
        self._outputs: dict[int, Stream] = {}
        self._last = 0
        self._durations: dict[int, int] = {}
        for stream in container.streams:
            if stream is streams.picture:
                self._picture = self._add_picture(streams.picture, frame)
            elif stream in streams.copied:
                self._outputs[stream.index] = self._add_copy(stream)
        self.written = Written({s.index: 0 for s in self.container.streams})
        self.written.time_base = self._base
        self.container.set_chapters(
            [{**c, "metadata": self._tags(c["metadata"])} for c in container.chapters()]
        )
        if task.keep_metadata:
            self.container.metadata.update(self._tags(container.metadata))
        with kept_scheduling():
            self.container.start_encoding()

    def write(self, frame: av.VideoFrame, pts: int, duration: int) -> None:
        """Encodes one frame. pts, duration: in the source's time base."""
        if self._base != self._source_base:
            ratio = self._source_base / self._base
            pts, duration = round(pts * ratio), max(1, round(duration * ratio))
            pts = max(pts, self._last + 1) if self.written.first is not None else pts
        self._last = pts
        frame.pts, frame.time_base = pts, self._base
        # Otherwise the encoder would repeat the source's choice of key frames.
        frame.pict_type = 0
        self._durations[pts] = duration
        self.written.first = pts if self.written.first is None else self.written.first
        self.written.end = pts + duration
        self._send(self._picture.encode(frame))

    def copy(self, packet: av.Packet[Any]) -> None:
        """Hands on a packet of another stream as it is."""
        if packet.dts is None and packet.pts is None:
            return
        output = self._outputs.get(packet.stream_index)
        if output is None:
            return
        self.written.packets[output.index] += 1
        packet = _bare(packet)
        packet.stream = output
        self.container.mux(packet)

    def finish(self) -> None:
        """Writes what the encoder still holds, and the end of the file."""
        self._send(self._picture.encode(None))
        self.container.close()

    def close(self) -> None:
        """Lets go of the file, whole or not."""
        self.container.close()

    def _send(self, packets: list[av.Packet[Any]]) -> None:
        for packet in packets:
            pts = packet.pts
            if pts is not None and packet.time_base == self._base:
                packet.duration = self._durations.pop(pts, packet.duration or 0)
            self.written.packets[self._picture.index] += 1
            self.container.mux(packet)

    def _add_picture(self, source: VideoStream, frame: av.VideoFrame) -> VideoStream:
        encoder = self._encoder
        self._base = self._source_base = source.time_base or Fraction(1, 90_000)
        rate = source.guessed_rate or source.average_rate or Fraction(25)
        stream = self.container.add_stream(encoder.name, rate=rate, options=self._settings(frame))
        if not isinstance(stream, VideoStream):
            raise UsageError(f"{encoder.name} is no encoder of video; choose another --codec")
        context = stream.codec_context
        context.width, context.height = frame.width, frame.height
        context.pix_fmt = frame.format.name
        if encoder.name in ("mpeg4", "mpeg2video", "mpeg1video"):
            # These know only whole frame rates, in a time base of at most 16 bits.
            self._base = _coarse(self._base, rate)
        context.time_base = stream.time_base = self._base
        if source.sample_aspect_ratio:
            context.sample_aspect_ratio = source.sample_aspect_ratio
        _copy_colour(context, frame)
        if encoder.scale == "qscale":
            context.qscale = True
            quality = self._quality()
            context.global_quality = round(quality * _QP_TO_LAMBDA)
        if frame.interlaced_frame and encoder.name in ("libx264", "mpeg2video"):
            context.flags |= _INTERLACED
        matrix = display_matrix(frame)
        if matrix is not None:
            stream.set_display_matrix(matrix)
        self._describe(stream, source)
        return stream

    def _quality(self) -> float:
        requested = self._options.quality
        return self._encoder.quality if requested is None else requested

    def _settings(self, frame: av.VideoFrame) -> dict[str, str]:
        settings = dict(self._encoder.options)
        if self._encoder.scale == "crf":
            settings["crf"] = f"{self._quality():g}"
        if self._encoder.preset is not None:
            name, default = self._encoder.preset
            settings[name] = self._options.preset or default
        elif self._options.preset is not None:
            settings["preset"] = self._options.preset
        if self._muxer in _WITHOUT_PTS:
            # Frames could not be told to be shown in another order than they lie in.
            settings["bf"] = "0"
        if self._encoder.name in _HDR_OPTIONS:
            name, display, light = _HDR_OPTIONS[self._encoder.name]
            hdr = _hdr(frame, display, light)
            parameters = [settings[name], *hdr] if name in settings else hdr
            if parameters:
                settings[name] = ":".join(parameters)
        return settings

    def _add_copy(self, source: Stream) -> Stream:
        stream = self.container.add_stream_from_template(source)
        context = source.codec_context
        if context is not None and context.extradata:
            stream.codec_context.extradata = strip_extradata(
                context.codec.canonical_name, context.extradata
            )
        self._describe(stream, source)
        return stream

    def _describe(self, stream: Stream, source: Stream) -> None:
        stream.disposition = source.disposition
        stream.metadata.update(self._tags(source.metadata))

    def _tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        return {
            k: v
            for k, v in tags.items()
            if (self._keep_metadata or k.lower() in _KEPT_TAGS) and len(v) <= _LONGEST_TAG
        }


def _bare(packet: av.Packet[Any]) -> av.Packet[Any]:
    """The packet without what lies beside its data, but for what playing it takes."""
    beside = list(packet.iter_sidedata())
    if all(data.data_type in _SIDE_DATA for data in beside):
        return packet
    bare: av.Packet[Any] = av.Packet(bytes(packet))
    bare.pts, bare.dts, bare.duration = packet.pts, packet.dts, packet.duration
    bare.time_base, bare.is_keyframe = packet.time_base, packet.is_keyframe
    for data in beside:
        if data.data_type in _SIDE_DATA:
            bare.set_sidedata(data)
    return bare


def _muxer_options(muxer: str, keep_metadata: bool) -> dict[str, str]:
    settings = {}
    if muxer in ("mp4", "mov") and keep_metadata:
        settings["movflags"] = "use_metadata_tags"
    if muxer in _BY_CHANCE:
        settings["fflags"] = "+bitexact"
    return settings


def _coarse(base: Fraction, rate: Fraction) -> Fraction:
    return base if base.denominator < 1 << 16 else 1 / rate


def _copy_colour(context: Any, frame: av.VideoFrame) -> None:
    context.colorspace = frame.colorspace
    context.color_primaries = frame.color_primaries
    context.color_trc = frame.color_trc
    full = frame.format.name.startswith("yuvj")
    context.color_range = FULL if full else frame.color_range


def _hdr(frame: av.VideoFrame, display_name: str, light_name: str) -> list[str]:
    """What a display must know about an HDR film, as x264 and x265 want to be told."""
    parts = []
    display = side_data(frame, SideDataType.MASTERING_DISPLAY_METADATA)
    if display is not None:
        numbers = struct.unpack("=22i", display[:88])
        values = [
            Fraction(n, d) if d else Fraction(0)
            for n, d in zip(numbers[0:20:2], numbers[1:20:2], strict=True)
        ]
        if numbers[20] and numbers[21]:
            red, green, blue, white = (
                tuple(round(v * 50_000) for v in values[i : i + 2]) for i in (0, 2, 4, 6)
            )
            low, high = (round(v * 10_000) for v in values[8:10])
            points = f"G({green[0]},{green[1]})B({blue[0]},{blue[1]})R({red[0]},{red[1]})"
            parts.append(f"{display_name}={points}WP({white[0]},{white[1]})L({high},{low})")
    light = side_data(frame, SideDataType.CONTENT_LIGHT_LEVEL)
    if light is not None:
        most, average = struct.unpack("=2I", light[:8])
        parts.append(f"{light_name}={most},{average}")
    return parts
