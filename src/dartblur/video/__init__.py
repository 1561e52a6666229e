"""Films: no frame in which a face shows; sound, timing and all else as they came.

`anonymize_video(Task(source, anonymizer, detector, ...), target)` does one film, with constant
memory, and gives a `VideoReport`. `is_video(path)` tells a film by its name.
"""

from dartblur.video.film import Task, anonymize_video
from dartblur.video.job import hide_film
from dartblur.video.options import VIDEO_SUFFIXES, VideoOptions, VideoReport, is_video

__all__ = [
    "VIDEO_SUFFIXES",
    "Task",
    "VideoOptions",
    "VideoReport",
    "anonymize_video",
    "hide_film",
    "is_video",
]
