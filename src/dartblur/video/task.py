"""One film that is to be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dartblur.anonymizers.base import Anonymizer
from dartblur.detectors.base import Detector
from dartblur.errors import UsageError
from dartblur.pipeline import DEFAULT_MARGIN
from dartblur.video.options import VideoOptions

ProgressCallback = Callable[[float, float | None], None]
"""Called with the seconds of film that are done, and how many there are, if known."""


@dataclass(frozen=True)
class VideoTask:
    """One film to be done.

    source: a file, a device, or `-`. detector: None where only given boxes are hidden. given: a
    file of boxes that are hidden as they are, besides what the detector finds. boxes_out: gets the
    boxes that were hidden. margin: how far detected boxes are grown on every side, as a share of
    their sides. keep_metadata: keeps tags and data tracks: with them go place and camera. tolerant:
    a damaged film is written as far as it can be decoded, with a note in the report, rather than
    refused. workers: frames searched at the same time.

    Raises:
        UsageError: there is no worker.
    """

    source: str
    anonymizer: Anonymizer
    detector: Detector | None
    margin: float = DEFAULT_MARGIN
    options: VideoOptions = field(default_factory=VideoOptions)
    given: Path | None = None
    boxes_out: Path | None = None
    keep_metadata: bool = False
    tolerant: bool = False
    workers: int = 1

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"workers must be at least 1, not {self.workers}")
