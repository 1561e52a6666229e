"""The command `evaluate-photo`: what detectors still find in one photo, however it was hidden."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dartblur.anonymizers import ANONYMIZERS
from dartblur.detectors import DEFAULT, DETECTORS, Detector, make_detector
from dartblur.errors import PictureError, UsageError
from dartblur.evaluation.figures import Panel, detections
from dartblur.evaluation.inference_only import INFERENCE_ONLY
from dartblur.evaluation.results import CLEAR
from dartblur.faces import Image
from dartblur.images import read_picture
from dartblur.pipeline import make_pipeline
from dartblur.stages.report import save_figure


def evaluate_photo(
    photo: Path,
    /,
    *,
    out: Annotated[Path, Parameter(alias="-o")],
    methods: tuple[str, ...] = ("clear", "block", "gaussian", "pixelate", "dartblur"),
    detectors: tuple[str, ...] = ("retinaface", "centerface"),
    hider: str = DEFAULT,
    threshold: float = 0.5,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Draws a photo hidden in several ways, with what several detectors find in each.

    Parameters
    ----------
    photo
        The picture; it is drawn as it is where `clear` is among the methods.
    out
        The figure, written as a .png and as an .svg.
    methods
        `clear` and names of methods: a column each.
    detectors
        Names of detectors, those of the extra `detectors` too: a row each.
    hider
        The detector whose faces are hidden.
    threshold
        The least score of a face that is drawn, 0 to 1.
    overwrite
        Replaces files that are there.

    Returns
    -------
        0
    """
    columns, rows = _names("method", methods), _names("detector", detectors)
    target = out.with_suffix("") if out.suffix.lower() in (".png", ".svg") else out
    for file in (target.with_name(target.name + suffix) for suffix in (".png", ".svg")):
        if file.exists() and (not overwrite or file.resolve() == photo.resolve()):
            raise PictureError(f"{file}: exists already; name another place, or --overwrite")
    makers = {name: _detector(name, threshold) for name in rows}
    pipelines = {m: make_pipeline(m, hider) for m in columns if m != CLEAR}
    image = read_picture(photo).rgb
    hidden = {m: pipelines[m](image) if m in pipelines else image for m in columns}
    target.parent.mkdir(parents=True, exist_ok=True)
    panels = [
        [_panel(m, hidden[m], name, makers[name], threshold) for m in columns] for name in rows
    ]
    for file in save_figure(detections(panels), target):
        print(f"wrote {file}", file=sys.stderr)
    return 0


def _panel(method: str, image: Image, name: str, detector: Detector, threshold: float) -> Panel:
    [faces] = detector([image])
    faces = faces[faces.scores >= threshold]
    count = f"{len(faces)} face{'' if len(faces) == 1 else 's'}"
    return Panel(f"{method}\n{name}: {count}", image, faces)


def _detector(name: str, threshold: float) -> Detector:
    if name in DETECTORS:
        return make_detector(name, threshold)
    if not 0 <= threshold <= 1:
        raise UsageError(f"the detector's threshold must lie in [0, 1], not {threshold}")
    return INFERENCE_ONLY[name]()


def _names(what: str, names: tuple[str, ...]) -> list[str]:
    known = (CLEAR, *ANONYMIZERS) if what == "method" else tuple({**DETECTORS, **INFERENCE_ONLY})
    for name in names:
        if name not in known:
            raise UsageError(f"no {what} is called {name!r}: choose of {', '.join(known)}")
    return list(dict.fromkeys(names))
