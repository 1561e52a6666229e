"""What the commands can be told."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from dartblur.anonymizers import DEFAULT_METHOD, MethodSettings
from dartblur.coco import PictureBoxes
from dartblur.detectors import DEFAULT as DEFAULT_DETECTOR
from dartblur.errors import UsageError
from dartblur.images.reading import MAX_MEGAPIXELS
from dartblur.pipeline import DEFAULT_MARGIN, Pipeline, cores, make_pipeline


@Parameter(name="*")
@dataclass(frozen=True)
class FindOptions:
    """How faces are found.

    Parameters
    ----------
    detector
        `thorough` finds most, `fast` is several times faster; or one network alone: `centerface`,
        `retinaface`.
    threshold
        The least score of a face, 0 to 1; lower finds more. Default: the detector's own.
    """

    detector: str = DEFAULT_DETECTOR
    threshold: float | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class HideOptions:
    """How faces are found and hidden.

    Parameters
    ----------
    method
        `gaussian`, `pixelate` or `block`.
    strength
        Scales the blur's kernel (gaussian).
    cells
        Cells of the mosaic across a face (pixelate).
    colour
        Red, green and blue, 0 to 255 (block).
    margin
        How far each detected box is grown on every side, as a share of its width and height.
    boxes
        A COCO JSON file of boxes to hide, as --boxes-out writes it; they are hidden as they are.
    boxes_mode
        `instead` of detected boxes (a picture that the file does not list then fails), or
        `besides` them.
    keep_metadata
        Keeps EXIF (GPS too), XMP, IPTC and comments. Thumbnails go in any case.
    """

    find: FindOptions = FindOptions()
    method: str = DEFAULT_METHOD
    strength: float = 1.0
    cells: int = 8
    colour: tuple[int, int, int] = (0, 0, 0)
    margin: float = DEFAULT_MARGIN
    boxes: Path | None = None
    boxes_mode: Literal["instead", "besides"] = "instead"
    keep_metadata: Annotated[bool, Parameter(negative="")] = False

    def pipeline(self, threads: int) -> Pipeline:
        """What does it.

        Raises:
            UsageError: a name is unknown or a value out of range.
        """
        if any(not 0 <= value <= 255 for value in self.colour):
            raise UsageError(f"colour must be three numbers in 0..255, not {self.colour}")
        return make_pipeline(
            self.method,
            self.find.detector,
            settings=MethodSettings(self.strength, self.cells, self.colour),
            threshold=self.find.threshold,
            margin=self.margin,
            threads=threads,
        )

    def described(self) -> dict[str, object]:
        """All that decides what a picture becomes, but for given boxes, which differ by file."""
        described = asdict(self)
        described["boxes"] = None if self.boxes is None else self.boxes_mode
        del described["boxes_mode"]
        return {**described.pop("find"), **described, "version": version("dartblur")}

    def digest(self, given: PictureBoxes | None) -> str:
        """A hash of all that decides what one picture becomes."""
        boxes = None if given is None else (given.size, given.faces.boxes.tolist())
        content = json.dumps([self.described(), boxes], sort_keys=True, default=str)
        return hashlib.sha256(content.encode()).hexdigest()[:24]


@Parameter(name="*")
@dataclass(frozen=True)
class RunOptions:
    """How the work is done.

    Parameters
    ----------
    workers
        Pictures worked on side by side; 0 is one a core.
    max_megapixels
        Larger pictures are refused: they may be decompression bombs.
    quiet
        No progress bar; failures and the summary are told all the same.
    """

    workers: int = 0
    max_megapixels: float = MAX_MEGAPIXELS
    quiet: Annotated[bool, Parameter(negative="")] = False

    def count(self) -> int:
        """The number of workers.

        Raises:
            UsageError: a value is out of range.
        """
        if self.workers < 0:
            raise UsageError(f"workers must be 0 or more, not {self.workers}")
        if not self.max_megapixels > 0:
            raise UsageError(f"max-megapixels must be more than 0, not {self.max_megapixels}")
        return self.workers or cores()
