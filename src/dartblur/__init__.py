"""Hide every face in photos, videos and data sets.

    >>> import dartblur
    >>> safe = dartblur.anonymize(image)  # an array, a Pillow picture or a path
    >>> report = dartblur.anonymize_video("film.mp4", "safe.mp4")

For many pictures keep a pipeline: ``hide = dartblur.make_pipeline("pixelate")``, then
``hide(image)``, or ``hide.faces(image)`` for the boxes alone. What it does is told to the loggers
below ``dartblur``, which say nothing unless asked: ``logging.basicConfig(level="INFO")``.
"""

import logging
from importlib.metadata import version

from dartblur.anonymizers import MethodSettings
from dartblur.api import anonymize, anonymize_video
from dartblur.errors import DartblurError
from dartblur.faces import Faces, Sample
from dartblur.pipeline import Pipeline, make_pipeline
from dartblur.video import VideoOptions, VideoReport

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
    "anonymize_video",
    "make_pipeline",
]

__version__ = version("dartblur")

# A library is silent until its user asks.
logging.getLogger("dartblur").addHandler(logging.NullHandler())
