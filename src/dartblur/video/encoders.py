"""Which encoder, with what settings, so that the picture stays what it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import av
from av.video.format import VideoFormat

from dartblur.errors import UsageError


@dataclass(frozen=True)
class Encoder:
    """One of FFmpeg's encoders.

    quality: at which the change is hard to see, on the scale of `scale`: an option's name, or
    `qscale` for the codecs that have no better one; None is lossless. options: its other settings.
    preset: name of the option that sets its speed, and its default.
    """

    name: str
    scale: str | None = "crf"
    quality: float = 20
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    preset: tuple[str, str] | None = None


_VPX = MappingProxyType({"b": "0", "deadline": "good", "row-mt": "1"})
_QUIET_X265 = MappingProxyType({"x265-params": "log-level=error"})
# Its vector code for the tree of macroblocks reads memory that nobody wrote: without this one film
# becomes now these bytes, now others.
_SAME_X264 = MappingProxyType({"x264-params": "cpu-independent=1"})
ENCODERS: Mapping[str, Encoder] = MappingProxyType(
    {
        "h264": Encoder("libx264", quality=18, options=_SAME_X264, preset=("preset", "veryfast")),
        "hevc": Encoder("libx265", options=_QUIET_X265, preset=("preset", "fast")),
        "av1": Encoder("libsvtav1", quality=25, preset=("preset", "9")),
        "vp9": Encoder("libvpx-vp9", quality=24, options=_VPX, preset=("cpu-used", "5")),
        "vp8": Encoder("libvpx", quality=8, options=_VPX, preset=("cpu-used", "5")),
        "mpeg4": Encoder("mpeg4", "qscale", 2),
        "msmpeg4v3": Encoder("msmpeg4", "qscale", 2),
        "mpeg1video": Encoder("mpeg1video", "qscale", 2),
        "mpeg2video": Encoder("mpeg2video", "qscale", 2),
        "mjpeg": Encoder("mjpeg", "qscale", 2),
        "h263": Encoder("h263", "qscale", 2),
        "flv1": Encoder("flv", "qscale", 2),
        "wmv1": Encoder("wmv1", "qscale", 2),
        "wmv2": Encoder("wmv2", "qscale", 2),
        "prores": Encoder("prores_ks", None, options=MappingProxyType({"profile": "hq"})),
        "ffv1": Encoder("ffv1", None),
        "huffyuv": Encoder("huffyuv", None),
    }
)
"""By the name of the codec, as FFmpeg gives it."""
_BY_CONTAINER = MappingProxyType({"webm": "vp9", "asf": "wmv2", "vob": "mpeg2video", "ogg": "vp8"})
_ALIASES = MappingProxyType({"h265": "hevc", "avc": "h264", "x264": "h264", "x265": "hevc"})


def encoder_for(
    codec: str, container: str, default: str | None, requested: str | None
) -> tuple[Encoder, str | None]:
    """The encoder for a source's codec, and a note where it cannot follow the source.

    default: the codec to take instead of the source's. requested: a codec's or encoder's name that
    a person gave; it goes before all.

    Raises:
        UsageError: there is no encoder of that name here.
    """
    if requested is not None:
        name = _ALIASES.get(requested.lower(), requested.lower())
        encoder = ENCODERS.get(name) or Encoder(name, None)
        if not _exists(encoder.name):
            offered = ", ".join(c for c, e in ENCODERS.items() if _exists(e.name))
            raise UsageError(f"no encoder is called {requested!r} here: choose one of {offered}")
        return encoder, None
    follows = ENCODERS.get(default or codec)
    if follows is not None and _exists(follows.name):
        return follows, None
    instead = ENCODERS[_BY_CONTAINER.get(container, "h264")]
    return instead, f"encoded by {instead.name}, as nothing here writes the source's {codec}"


def _exists(name: str) -> bool:
    try:
        return av.codec.Codec(name, "w").type == "video"
    except ValueError:
        return False


def pixel_format_for(encoder: str, source: VideoFormat) -> str:
    """The pixel format that the encoder takes and that loses least: depth first, then chroma.

    Planar formats only, since faces are hidden plane by plane.
    """
    offered = [
        f
        for f in (
            VideoFormat(g.name, source.width, source.height)
            for g in av.codec.Codec(encoder, "w").video_formats or ()
        )
        if _planar(f)
    ] or [VideoFormat("yuv420p", source.width, source.height)]
    whole = [f for f in offered if _takes_size(encoder, f, source)]
    return min(whole or offered, key=lambda f: _loss(f, source)).name


def _planar(candidate: VideoFormat) -> bool:
    planes = [c.plane for c in candidate.components]
    return (
        0 < len(set(planes)) == len(planes)
        and not candidate.is_big_endian
        and not candidate.is_bit_stream
        and not candidate.has_palette
        and all(c.bits in (8, 9, 10, 12, 14, 16) for c in candidate.components)
    )


def _takes_size(encoder: str, candidate: VideoFormat, source: VideoFormat) -> bool:
    """x264 and x265 refuse odd sides where chroma is halved."""
    if encoder not in ("libx264", "libx265") or len(candidate.components) < 3:
        return True
    return (source.width % 2 == 0 or candidate.chroma_width(2) == 2) and (
        source.height % 2 == 0 or candidate.chroma_height(2) == 2
    )


def _loss(candidate: VideoFormat, source: VideoFormat) -> tuple[float, ...]:
    grey = len(source.components) < 3
    lost_colour = len(candidate.components) < 3 and not grey
    wide = 64 if len(candidate.components) < 3 else candidate.chroma_width(64)
    high = 64 if len(candidate.components) < 3 else candidate.chroma_height(64)
    chroma = (64, 64) if grey else (source.chroma_width(64) or 64, source.chroma_height(64) or 64)
    bits, wanted = candidate.components[0].bits, source.components[0].bits
    return (
        candidate.name != source.name,
        lost_colour,
        max(0, wanted - bits),
        candidate.is_rgb != source.is_rgb,
        max(0, chroma[0] - wide) + max(0, chroma[1] - high),
        abs(bits - wanted),
        abs(chroma[0] - wide) + abs(chroma[1] - high),
        abs(len(candidate.components) - len(source.components)),
        candidate.name.startswith("yuvj") != source.name.startswith("yuvj"),
    )
