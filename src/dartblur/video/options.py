"""What a person can choose about films, and what is told about one that is done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dartblur.errors import UsageError

FORMATS = {
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
VIDEO_SUFFIXES = frozenset(FORMATS)
AUTO = 0


def is_video(path: Path) -> bool:
    """True for a film, by its name."""
    return path.suffix.lower() in VIDEO_SUFFIXES


@dataclass(frozen=True)
class VideoOptions:
    """How films are done; the defaults follow the source.

    every: the detector looks at every Nth frame, tracks carry between; 0 lets a live source choose.
    audio: sound is copied as it is, or dropped. codec: `h264`, `hevc`, `av1`, `vp9` ... or the name
    of one of FFmpeg's encoders; None is the source's. quality: on the encoder's own scale, lower is
    better (`crf`, or `qscale`); None is a value at which the change is hard to see. preset: the
    encoder's own name of its speed. lookaround: seconds that a track reaches beyond its first and
    last sighting. bridge: the longest gap, in seconds, between two sightings that is hidden too.
    keep_metadata: keeps tags and data tracks: with them go place and camera. workers: detections
    side by side. look_area: pixels to which a larger frame is shrunk before the detector sees it.
    limit: seconds of film to do, for a live source or a trial. tolerant: a damaged film is written
    as far as it can be decoded, with a warning in the report's notes, rather than refused.

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
    keep_metadata: bool = False
    workers: int = 1
    look_area: int | None = None
    limit: float | None = None
    tolerant: bool = False

    def __post_init__(self) -> None:
        if self.every < AUTO:
            raise UsageError(f"--every must be 1 or more, or 0 to keep up, not {self.every}")
        if self.audio not in ("keep", "drop"):
            raise UsageError(f"--audio must be keep or drop, not {self.audio!r}")
        for name in ("lookaround", "bridge"):
            if not 0 <= getattr(self, name) <= 60:
                raise UsageError(f"--{name} must lie in 0..60 s, not {getattr(self, name)}")
        if self.workers < 1:
            raise UsageError(f"workers must be at least 1, not {self.workers}")
        if self.quality is not None and not 0 <= self.quality <= 100:
            raise UsageError(f"--quality must lie in 0..100, not {self.quality}")
        if self.limit is not None and not self.limit > 0:
            raise UsageError(f"--limit must be more than 0 s, not {self.limit}")


@dataclass(frozen=True)
class VideoReport:
    """What was done to one film.

    looked: frames that the detector saw. faces: that were followed, one however many frames it is
    in; where one was lost from sight for longer than `bridge`, it counts anew. covers: summed over
    all frames, those of given boxes included. seconds: of film. size: height, width of the upright
    picture. dropped: streams that are not in the output, and why. notes: what else differs from the
    source, damage that was tolerated among it.
    """

    frames: int
    looked: int
    faces: int
    covers: int
    seconds: float
    size: tuple[int, int]
    encoder: str
    dropped: tuple[str, ...]
    notes: tuple[str, ...]
