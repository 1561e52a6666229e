"""Hide every face in photos, videos and data sets.

    >>> import dartblur
    >>> safe = dartblur.anonymize(image)  # (H, W, 3) uint8 RGB in and out

For many pictures keep a pipeline: ``hide = dartblur.make_pipeline("pixelate")``, then
``hide(image)``, or ``hide.faces(image)`` for the boxes alone.
"""

from importlib import import_module

TYPE_CHECKING = False  # as type checkers know it; `typing` takes a moment to load
if TYPE_CHECKING:
    from dartblur.errors import DartblurError
    from dartblur.faces import Faces, Sample
    from dartblur.pipeline import Pipeline, anonymize, make_pipeline

    __version__: str

__all__ = [
    "DartblurError",
    "Faces",
    "Pipeline",
    "Sample",
    "__version__",
    "anonymize",
    "make_pipeline",
]

# Loaded when asked for: the command, which has this package in its way, must start at once.
_HOMES = {
    "DartblurError": "errors",
    "Faces": "faces",
    "Sample": "faces",
    "Pipeline": "pipeline",
    "anonymize": "pipeline",
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
