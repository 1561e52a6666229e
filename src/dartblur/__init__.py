"""Hide every face in photos, videos and data sets.

    >>> import dartblur
    >>> safe = dartblur.anonymize(image)  # an array, a Pillow picture or a path
    >>> report = dartblur.anonymize_video("film.mp4", "safe.mp4")

For many pictures keep a pipeline: ``hide = dartblur.make_pipeline("pixelate")``, then
``hide(image)``, or ``hide.faces(image)`` for the boxes alone. What it does is told to the loggers
below ``dartblur``, which say nothing unless asked: ``logging.basicConfig(level="INFO")``.
"""

import logging
import os
from importlib import import_module

TYPE_CHECKING = False  # as type checkers know it; `typing` takes a moment to load
if TYPE_CHECKING:
    from dartblur.anonymizers import MethodSettings
    from dartblur.api import anonymize
    from dartblur.errors import DartblurError
    from dartblur.faces import Faces, Sample
    from dartblur.pipeline import Pipeline, make_pipeline
    from dartblur.video import VideoOptions, VideoReport
    from dartblur.video.api import anonymize_frames, anonymize_video

    __version__: str

__all__ = [
    "DartblurError",
    "Faces",
    "MethodSettings",
    "Pipeline",
    "Sample",
    "VideoOptions",
    "VideoReport",
    "__version__",
    "anonymize",
    "anonymize_frames",
    "anonymize_video",
    "make_pipeline",
]

# Before they are loaded, here and in every process that is begun from here: since 1.29 ONNX Runtime
# otherwise keeps an identity of the machine and a file of what ran, and sends them to its maker; a
# cluster of Ray's reports to its own.
os.environ |= {"ORT_DISABLE_TELEMETRY": "1", "RAY_USAGE_STATS_ENABLED": "0"}

# Loaded when asked for: the command, which has this package in its way, must start at once.
_HOMES = {
    "DartblurError": "errors",
    "Faces": "faces",
    "Sample": "faces",
    "MethodSettings": "anonymizers",
    "Pipeline": "pipeline",
    "VideoOptions": "video",
    "VideoReport": "video",
    "anonymize": "api",
    "anonymize_frames": "video.api",
    "anonymize_video": "video.api",
    "make_pipeline": "pipeline",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        value: object = import_module("importlib.metadata").version("dartblur")
    elif name in _HOMES:
        value = getattr(import_module(f"dartblur.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'dartblur' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# A library is silent until its user asks.
logging.getLogger("dartblur").addHandler(logging.NullHandler())
