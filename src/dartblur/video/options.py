"""What a person can choose about films, and what is told about one that is done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dartblur.errors import UsageError

MUXERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".3gp": "3gp",
    ".mkv": "matroska",
    ".webm": "webm",
    ".avi": "avi",
    ".mpg": "vob",
    ".mpeg": "vob",
    ".ts": "mpegts",
    ".mts": "mpegts",
    ".m2ts": "mpegts",
    ".wmv": "asf",
    ".flv": "flv",
    ".ogv": "ogg",
}
"""FFmpeg's name of the container that each suffix of a film's name stands for."""
VIDEO_SUFFIXES = frozenset(MUXERS)
AUTO = 0


def is_video(path: Path) -> bool:
    """True for a film, by its name."""
    return path.suffix.lower() in VIDEO_SUFFIXES


@dataclass(frozen=True)
class VideoOptions:
    """How films are done; what is not said follows the source.

    Parameters
    ----------
    every
        The detector looks at every Nth frame, tracks carry between; 0 keeps up with a camera.
    audio
        `keep` copies the sound as it is, `drop` leaves it out.
    codec
        `h264`, `hevc`, `av1`, `vp9`, or the name of an encoder of FFmpeg's.
    quality
        On the encoder's own scale (crf); lower is better.
    preset
        The encoder's own name of its speed.
    lookaround
        Seconds for which a face stays hidden before its first and after its last sighting.
    bridge
        The longest gap between two sightings of a face, in seconds, that is hidden too.

    Raises:
        UsageError: a value out of range.
    """

    every: int = 1
    audio: Literal["keep", "drop"] = "keep"
    codec: str | None = None
    quality: float | None = None
    preset: str | None = None
    lookaround: float = 0.5
    bridge: float = 2.0

    def __post_init__(self) -> None:
        if self.every < AUTO:
            raise UsageError(f"--every must be 1 or more, or 0 to keep up, not {self.every}")
        if self.audio not in ("keep", "drop"):
            raise UsageError(f"--audio must be keep or drop, not {self.audio!r}")
        for name in ("lookaround", "bridge"):
            if not 0 <= getattr(self, name) <= 60:
                raise UsageError(f"--{name} must lie in 0..60 s, not {getattr(self, name)}")
        if self.quality is not None and not 0 <= self.quality <= 100:
            raise UsageError(f"--quality must lie in 0..100, not {self.quality}")


@dataclass(frozen=True)
class VideoReport:
    """What was done to one film.

    searched: frames that the detector saw. faces: that were followed, one however many frames it is
    in; where one was lost from sight for longer than `bridge`, it counts anew. covers: summed over
    all frames, those of given boxes included. seconds: of film. size: height, width of the upright
    picture. dropped: streams that are not in the output, and why. notes: what else differs from the
    source, damage that was tolerated among it.
    """

    frames: int
    searched: int
    faces: int
    boxes: int
    seconds: float
    size: tuple[int, int]
    encoder: str
    dropped: tuple[str, ...]
    notes: tuple[str, ...]
