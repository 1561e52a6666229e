"""Hide every face in photos, videos and data sets.

    >>> import dartblur
    >>> safe = dartblur.anonymize(image)  # (H, W, 3) uint8 RGB in and out

For many pictures keep a pipeline: ``hide = dartblur.make_pipeline("pixelate")``, then
``hide(image)``, or ``hide.faces(image)`` for the boxes alone.
"""

from importlib.metadata import version

from dartblur.errors import DartblurError
from dartblur.faces import Faces, Sample
from dartblur.pipeline import Pipeline, anonymize, make_pipeline

__all__ = [
    "DartblurError",
    "Faces",
    "Pipeline",
    "Sample",
    "__version__",
    "anonymize",
    "make_pipeline",
]

__version__ = version("dartblur")
