"""Films for those who write Python: one call for a file, one iterator for frames of any source."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from os import PathLike
from pathlib import Path

import cv2
import numpy as np

from dartblur.anonymizers import DEFAULT_METHOD
from dartblur.detectors import FILM
from dartblur.errors import UsageError
from dartblur.faces import Image
from dartblur.pipeline import Pipeline, grown, make_pipeline
from dartblur.tracking import Tracked, Tracker
from dartblur.video import job, processor
from dartblur.video.looks import Looks
from dartblur.video.options import MUXERS, VideoOptions, VideoReport
from dartblur.video.scene_cuts import SceneCutDetector, downscaled
from dartblur.video.task import ProgressCallback, VideoTask


def anonymize_video(
    source: str | PathLike[str],
    target: str | PathLike[str],
    method: str = DEFAULT_METHOD,
    detector: str = FILM,
    *,
    pipeline: Pipeline | None = None,
    options: VideoOptions | None = None,
    boxes: Path | None = None,
    boxes_out: Path | None = None,
    keep_metadata: bool = False,
    tolerant: bool = False,
    workers: int = 1,
    progress: ProgressCallback | None = None,
) -> VideoReport:
    """Hides every face of a film; `target` appears whole and checked, or not at all.

    method, detector: names; `pipeline` goes before them. boxes: a file of boxes that are hidden
    too. boxes_out: gets the boxes that were hidden. keep_metadata: keeps tags and data tracks: with
    them go place and camera. tolerant: a damaged film is written as far as it can be decoded, with
    a note in the report, rather than refused. workers: frames searched at the same time. progress:
    called with the seconds of film that are done, and how many there are, if known.

    Example:
        >>> report = dartblur.anonymize_video("film.mp4", "safe.mp4")

    Raises:
        VideoError: the film cannot be read, hidden or written. BoxesError: the boxes do not fit.
        UsageError: a name or the target is wrong.
    """
    place = Path(target)
    if place.suffix.lower() not in MUXERS:
        raise UsageError(f"{place}: its name must end in one of {', '.join(MUXERS)}")
    if place.exists() and Path(source).exists() and place.samefile(source):
        raise UsageError(f"{place}: would replace its source; choose another name")
    pipeline = pipeline or make_pipeline(method, detector)
    task = VideoTask(
        str(source),
        pipeline.anonymizer,
        pipeline.detector,
        pipeline.margin,
        options or VideoOptions(),
        boxes,
        boxes_out,
        keep_metadata,
        tolerant,
        workers,
    )
    return job.anonymize_video(task, place, progress=progress)


def anonymize_frames(
    frames: Iterable[Image],
    *,
    fps: float | None = None,
    times: Iterable[float] | None = None,
    method: str = DEFAULT_METHOD,
    detector: str = FILM,
    pipeline: Pipeline | None = None,
    options: VideoOptions | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Image]:
    """The frames of a film with every face hidden, in order, each some seconds after it came in.

    Faces are followed as in films: what the detector misses between two sightings is hidden too.
    For that a frame waits until `max(options.lookaround, options.bridge)` seconds after it are
    known, or until 300 MB wait; memory does not grow with the number of frames.

    frames: (H, W, 3) uint8 RGB, upright, all of one size; copied, so that their memory may be used
    again. fps: frames a second; or times: of each frame, in seconds, growing. method, detector:
    names; `pipeline` goes before them. options: of which `every`, `lookaround` and `bridge` count.
    progress: called with the number of frames that are done.

    Example:
        >>> for safe in dartblur.anonymize_frames(camera, fps=25):
        ...     show(safe)

    Raises:
        UsageError: a name or value is wrong. ValueError: a frame is of another kind or size than
            the first, or times do not grow.
    """
    if (fps is None) == (times is None):
        raise UsageError("say either fps or times")
    if fps is not None and not 0 < fps < float("inf"):
        raise UsageError(f"fps must be more than 0, not {fps}")
    options = options or VideoOptions()
    if options.every < 1:
        raise UsageError("every must be 1 or more for frames: 0 is for cameras")
    shown_at = times if times is not None else (number / (fps or 1) for number in count())
    anonymizer = _FrameAnonymizer(pipeline or make_pipeline(method, detector), options)
    return _counted(anonymizer.anonymize(frames, shown_at), progress)


def _counted(frames: Iterable[Image], progress: Callable[[int], None] | None) -> Iterator[Image]:
    for done, safe in enumerate(frames, 1):
        if progress is not None:
            progress(done)
        yield safe


class _FrameAnonymizer:
    """Holds the frames that wait between the detector and the anonymizer."""

    def __init__(self, pipeline: Pipeline, options: VideoOptions) -> None:
        self._pipeline, self._looks = pipeline, Looks(pipeline.detector, options.every)
        self._tracker = Tracker(options.lookaround, options.bridge)
        self._cut_detector = SceneCutDetector()
        self._waiting: deque[Image] = deque()
        self._shape: tuple[int, ...] | None = None

    def anonymize(self, frames: Iterable[Image], times: Iterable[float]) -> Iterator[Image]:
        shown_at = iter(times)
        for number, frame in enumerate(frames):
            time = next(shown_at, None)
            if time is None:
                raise ValueError(f"there is no time for frame {number}")
            yield from self._take(number, time, frame)
        for tracked in self._tracker.flush():
            yield self._hide(tracked)

    def _take(self, number: int, time: float, frame: Image) -> Iterator[Image]:
        frame = self._checked(number, frame)
        self._waiting.append(frame)
        cut = self._cut_detector.step(downscaled(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), 255))
        look = self._looks(time, cut=cut)
        faces = None if look is None else look([frame])[0]
        for tracked in self._tracker.push(time, faces, cut=cut):
            yield self._hide(tracked)
        while len(self._waiting) * frame.nbytes > processor.HELD_BYTES:
            yield self._hide(self._tracker.oldest())

    def _checked(self, number: int, frame: Image) -> Image:
        if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[2] != 3:
            raise ValueError(f"frame {number} must have shape (H, W, 3), not {np.shape(frame)}")
        if frame.dtype != np.uint8:
            raise ValueError(f"frame {number} must be uint8 in 0..255, not {frame.dtype}")
        self._shape = self._shape or frame.shape
        if frame.shape != self._shape:
            raise ValueError(f"frame {number} is {frame.shape}, but those before {self._shape}")
        return frame.copy(order="C")

    def _hide(self, tracked: Tracked) -> Image:
        frame = self._waiting.popleft()
        faces = grown(tracked.faces, self._pipeline.margin, *frame.shape[:2])
        return self._pipeline.anonymizer(frame, faces)
