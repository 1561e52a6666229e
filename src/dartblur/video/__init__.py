"""Films: no frame in which a face shows; sound, timing and all else as they came.

`anonymize_video(VideoTask(source, anonymizer, detector, ...), target)` does one film, with constant
memory, and gives a `VideoReport`. `is_video(path)` tells a film by its name.
"""

from dartblur.video.job import anonymize_video, hide_film
from dartblur.video.options import VIDEO_SUFFIXES, VideoOptions, VideoReport, is_video
from dartblur.video.task import VideoTask

__all__ = [
    "VIDEO_SUFFIXES",
    "VideoOptions",
    "VideoReport",
    "VideoTask",
    "anonymize_video",
    "hide_film",
    "is_video",
]
