"""Films: no frame in which a face shows; sound, timing and all else as they came.

`anonymize_video(VideoTask(source, anonymizer, detector, ...), target)` does one film, with constant
memory, and gives a `VideoReport`. `is_video(path)` tells a film by its name.
"""

from importlib import import_module

TYPE_CHECKING = False  # as type checkers know it; `typing` takes a moment to load
if TYPE_CHECKING:
    from dartblur.video.job import anonymize_video, hide_film
    from dartblur.video.options import VIDEO_SUFFIXES, VideoOptions, VideoReport, is_video
    from dartblur.video.task import ProgressCallback, VideoTask
    from dartblur.video.track_log import FilmTracks, TrackLog

__all__ = [
    "VIDEO_SUFFIXES",
    "FilmTracks",
    "ProgressCallback",
    "TrackLog",
    "VideoOptions",
    "VideoReport",
    "VideoTask",
    "anonymize_video",
    "hide_film",
    "is_video",
]

# Loaded when asked for: whoever hides faces in photos needs no FFmpeg.
_HOMES = {
    "VIDEO_SUFFIXES": "options",
    "FilmTracks": "track_log",
    "ProgressCallback": "task",
    "TrackLog": "track_log",
    "VideoOptions": "options",
    "VideoReport": "options",
    "VideoTask": "task",
    "anonymize_video": "job",
    "hide_film": "job",
    "is_video": "options",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'dartblur.video' has no attribute {name!r}")
    value: object = getattr(import_module(f"dartblur.video.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
