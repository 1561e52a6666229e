"""From a clear picture to a safe one."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from dartblur import boxes as boxlib
from dartblur.anonymizers import DEFAULT_METHOD, Anonymizer, MethodSettings, make_anonymizer
from dartblur.boxes import Shape
from dartblur.coco import PictureBoxes
from dartblur.detectors import DEFAULT as DEFAULT_DETECTOR
from dartblur.detectors import Detector, Evidence, make_detector, search
from dartblur.detectors.fusion import unite
from dartblur.errors import BoxesError, UsageError
from dartblur.faces import BoolArray, Faces
from dartblur.images import Picture, encode_picture, read_picture
from dartblur.images.arrays import InMemory, as_given, picture_of
from dartblur.images.reading import MAX_MEGAPIXELS
from dartblur.onnx_runtime import DEFAULT_DEVICE
from dartblur.records import Record, picture_record

# Measured (docs/detectors.md): it makes the detectors' boxes cover what labels call a face.
DEFAULT_MARGIN = 0.15
MAX_MARGIN = 10.0
# Boxes of two views that share more than this, as intersection over union, are of one face.
SAME_FACE = 0.4
# Of a faint box, the share from which hidden ones cover it, so that there is nothing to tell of it.
HIDDEN = 0.9
# Of one picture's, the best that are told of: what it takes to remember them is bounded.
MOST_FAINT = 200
MAX_BOXES = 20_000
"""That a file may give for one picture: ten times the faces of the fullest photo of WIDER FACE."""
_log = logging.getLogger("dartblur.pipeline")


@dataclass(frozen=True)
class Pipeline:
    """Finds every face and hides it; the object to keep for many pictures, by any thread.

    margin: how far each detected box is grown on every side, as a share of its width and height.
    shape: what the anonymizer changes of each box.
    """

    detector: Detector
    anonymizer: Anonymizer
    margin: float = DEFAULT_MARGIN
    shape: Shape = "box"

    def __call__(self, image: InMemory, boxes: Faces | npt.ArrayLike | None = None) -> InMemory:
        """A new picture with every face hidden, of the kind that went in; see `anonymize`."""
        return as_given(self.anonymize(picture_of(image), boxes), image)

    def anonymize(self, picture: Picture, boxes: Faces | npt.ArrayLike | None = None) -> Picture:
        """The picture with its faces hidden, or with what lies in the given boxes.

        Raises:
            ValueError: a given box covers no pixel.
        """
        faces = self.detect(picture) if boxes is None else _checked(boxes, *picture.size)
        return self.hide(picture, faces)

    def hide(self, picture: Picture, faces: Faces) -> Picture:
        """The picture with these faces hidden, whoever found them."""
        _log.debug("%d × %d pixels: %d boxes", *picture.size[::-1], len(faces))
        return picture.hidden(self.anonymizer(picture.rgb, faces), faces, self.shape)

    def faces(self, image: npt.NDArray[Any] | Pillow.Image) -> Faces:
        """The boxes to hide in a picture: the detected ones, grown by the margin and clipped to it.

        Raises:
            ValueError: image is of a kind that `anonymize` does not take.
        """
        return self.detect(picture_of(image))

    def detect(self, picture: Picture) -> Faces:
        """The boxes to hide in a picture, in whichever of its views they are seen."""
        return self.search(picture)[0]

    def search(self, picture: Picture) -> tuple[Faces, Evidence | None]:
        """The boxes to hide, and what else the detector saw in the picture, if it tells.

        Faint boxes are grown as the others are, and touch none of them by more than `SAME_FACE`.
        """
        views = [search(self.detector, view) for view in picture.views]
        faces = views[0][0]
        # United before they grow, lest neighbours become one.
        for more, _ in views[1:]:
            faces = unite(faces, more, SAME_FACE)
        hidden = grown(faces, self.margin, *picture.size)
        told = [(found, evidence) for found, evidence in views if evidence is not None]
        return hidden, _joined(told, hidden, self.margin, picture.size) if told else None


def _joined(
    views: Sequence[tuple[Faces, Evidence]], hidden: Faces, margin: float, size: tuple[int, int]
) -> Evidence:
    """The evidence of all views of a picture, for the boxes that are hidden in it."""
    told = [evidence for _, evidence in views]
    found = np.concatenate([faces.boxes for faces, _ in views])
    found = boxlib.clip(boxlib.grow(found, margin), *size)
    seen = np.concatenate([[0], *(evidence.seen for evidence in told)])
    # None of them, if it comes to that, was seen by nobody.
    nearest = boxlib.iou(hidden.boxes, np.concatenate([np.zeros((1, 4)), found])).argmax(axis=1)
    faint = Faces.concatenate(evidence.faint for evidence in told)
    faint_seen = np.concatenate([evidence.faint_seen for evidence in told])
    kept = boxlib.nms(faint.boxes, faint.scores, SAME_FACE) if len(told) > 1 else slice(None)
    faint, faint_seen = faint[kept], faint_seen[kept]
    covers, open_ = faint_covers(faint, hidden, margin, *size, most=MOST_FAINT)
    return replace(told[0], seen=seen[nearest], faint=covers[open_], faint_seen=faint_seen[open_])


def faint_covers(
    faint: Faces, hidden: Faces, margin: float, height: int, width: int, most: int
) -> tuple[Faces, BoolArray]:
    """Faint boxes as they would be hidden, and (N,) which of them, the best `most`, are open.

    Open is what the hidden boxes neither cover nor share a face with.
    """
    covers = boxlib.clip(boxlib.grow(faint.boxes, margin), height, width)
    open_ = boxlib.iou(covers, hidden.boxes).max(axis=1, initial=0) <= SAME_FACE
    open_ &= boxlib.hidden_share(faint.boxes, hidden.boxes) < HIDDEN
    open_ &= np.cumsum(open_) <= most
    return faint.with_boxes(covers), open_


def grown(faces: Faces, margin: float, height: int, width: int) -> Faces:
    """The faces in boxes grown by `margin` and clipped to the picture; those outside it go."""
    boxes = boxlib.clip(boxlib.grow(faces.boxes, margin), height, width)
    return faces.with_boxes(boxes)[boxlib.area(boxes) > 0]


def hide_picture(
    source: Path,
    pipeline: Pipeline,
    *,
    given: PictureBoxes | None = None,
    besides: bool = False,
    keep_metadata: bool = False,
    max_megapixels: float = MAX_MEGAPIXELS,
    tolerant: bool = False,
) -> tuple[bytes, Record, Evidence | None]:
    """One picture file from clear to safe: the file's new bytes, what was done, what was seen.

    It knows of no ledger, no output and no other picture: any thread or process may call it.
    The evidence is None where no detector looked, or where it does not tell; a given box was seen
    by no pass.

    given: boxes to hide as they are, instead of the detector's or `besides` them. tolerant: a
    damaged picture is decoded as far as it goes; the record's notes say so.

    Raises:
        InputError: the picture cannot be read, hidden or written, or its boxes do not fit it.
    """
    picture = read_picture(source, max_megapixels, tolerant=tolerant)
    faces, notes, evidence = Faces.empty(), list[str](), None
    if given is not None:
        faces, notes = usable_boxes(given, source, picture.size)
    if given is None or besides:
        found, evidence = pipeline.search(picture)
        if evidence is not None:
            unseen = np.zeros(len(faces), np.int64)
            evidence = replace(evidence, seen=np.concatenate([unseen, evidence.seen]))
        faces = Faces.concatenate([faces, found])
    safe = pipeline.hide(picture, faces)
    data = encode_picture(safe, source, keep_metadata=keep_metadata)
    record = picture_record(source, faces, picture.size, [*picture.warnings, *notes])
    return data, record, evidence


def _checked(boxes: Faces | npt.ArrayLike, height: int, width: int) -> Faces:
    """Boxes that a caller gives, each of which covers a pixel of the picture.

    Raises:
        ValueError: one does not, or all lie within 0..1, as shares of the picture's sides do.
    """
    faces = boxes if isinstance(boxes, Faces) else Faces(np.asarray(boxes, np.float32))
    if len(faces) and (faces.boxes >= 0).all() and (faces.boxes <= 1).all():
        raise ValueError("boxes must be in pixels; these lie within 0..1, as shares of a side do")
    covering = _cover_pixels(faces, height, width)
    if not covering.all():
        raise ValueError(
            f"box {faces.boxes[~covering][0].tolist()} covers no pixel of the {width} × {height} "
            "picture"
        )
    return faces


def usable_boxes(
    given: PictureBoxes, source: Path, size: tuple[int, int]
) -> tuple[Faces, list[str]]:
    """The faces given by a file that cover a pixel of the picture, and a note of the others.

    Raises:
        BoxesError: none does, they are more than `MAX_BOXES`, or for a picture of another size.
    """
    height, width = size
    if len(given.faces) > MAX_BOXES:
        raise BoxesError(
            f"{source}: is given {len(given.faces):,} boxes, and may have {MAX_BOXES:,}: they are "
            "blended into each other one by one"
        )
    if given.size is not None and given.size != size:
        raise BoxesError(
            f"{source}: is {width} × {height} pixels when upright, "
            f"but its boxes are for {given.size[1]} × {given.size[0]}"
        )
    covering = _cover_pixels(given.faces, *size)
    missing = given.faces.boxes[~covering]
    if not len(missing):
        return given.faces, []
    first = ", ".join(f"({x1:g}, {y1:g}) to ({x2:g}, {y2:g})" for x1, y1, x2, y2 in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    note = f"{len(missing)} of {len(covering)} given boxes cover no pixel of it: {first}{more}"
    if not covering.any():
        raise BoxesError(
            f"{source}: is {width} × {height} pixels; {note}; boxes must be in pixels of the "
            "upright picture"
        )
    return given.faces[covering], [note]


def _cover_pixels(faces: Faces, height: int, width: int) -> BoolArray:
    """(N,) True where a box covers a pixel of the picture."""
    return boxlib.area(boxlib.clip(faces.boxes, height, width)) > 0


def make_pipeline(
    method: str = DEFAULT_METHOD,
    detector: str = DEFAULT_DETECTOR,
    *,
    settings: MethodSettings | None = None,
    threshold: float | None = None,
    margin: float = DEFAULT_MARGIN,
    threads: int = 0,
    device: str = DEFAULT_DEVICE,
) -> Pipeline:
    """A pipeline from the names of its parts.

    settings: of the method. threshold: the least score of a face, in [0, 1]; None is the detector's
    own. threads: that the detector may use for one picture; 0 is one a core. device: that networks
    run on, see `onnx_runtime`.

    Raises:
        UsageError: a name is unknown or a value out of range.
    """
    if not 0 <= margin <= MAX_MARGIN:
        raise UsageError(f"margin must lie in [0, {MAX_MARGIN:g}], not {margin}")
    found = make_detector(detector, threshold, threads or cores(), device)
    settings = settings or MethodSettings()
    return Pipeline(found, make_anonymizer(method, settings, device), margin, settings.shape)


def cores() -> int:
    """How many CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
