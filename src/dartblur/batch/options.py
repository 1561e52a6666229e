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
from dartblur.anonymizers.protection import PROTECTIONS, ProtectionName
from dartblur.batch.stamps import content_hash
from dartblur.coco import PictureBoxes
from dartblur.detectors import DEFAULT as DEFAULT_DETECTOR
from dartblur.detectors import FILM
from dartblur.errors import UsageError
from dartblur.images.reading import MAX_MEGAPIXELS
from dartblur.onnx_runtime import DEFAULT_DEVICE, Device
from dartblur.pipeline import DEFAULT_MARGIN, Pipeline, cores, make_pipeline
from dartblur.video import VideoOptions

# What a machine of few cores still bears; more is for more cores.
_MOST_WORKERS = 64


@Parameter(name="*")
@dataclass(frozen=True)
class DetectionOptions:
    """How faces are found.

    Parameters
    ----------
    detector
        `thorough` finds most (the default for pictures), `fast` takes a third of the time, `film`
        is the default for films; or one network alone: `centerface`, `retinaface`.
    threshold
        The least score of a face, 0 to 1; lower finds more. Default: the detector's own.
    device
        What networks run on: `cpu`, `cuda`, `openvino`, `coreml` or `directml`, as far as ONNX
        Runtime offers it here; `auto` takes a GPU of NVIDIA's where there is one.
    """

    detector: str | None = None
    threshold: float | None = None
    device: Device = DEFAULT_DEVICE

    def name(self, *, film: bool = False) -> str:
        """The detector to be used."""
        return self.detector or (FILM if film else DEFAULT_DETECTOR)


@Parameter(name="*")
@dataclass(frozen=True)
class AnonymizationOptions:
    """How faces are found and hidden.

    Parameters
    ----------
    protect
        How well people are hidden, in place of --method and its settings: `photos` looks best (the
        default), `data` is for pictures that detectors learn from, `strict`, a block over the whole
        head, for people who must not be recognized. Of 100 faces the strongest attacker of one
        measurement recognized 31, 30 and 7, by chance 1; docs/privacy.md tells more.
    method
        `dartblur`, the default, blurs faces and paints the blur so that detectors can learn from
        it; `gaussian`, `pixelate`, `block`.
    margin
        How far each detected box is grown on every side, as a share of its width and height;
        --protect strict grows it by 0.5 at least.
    boxes
        A COCO JSON file of boxes to hide, as --boxes-out writes it; they are hidden as they are.
    boxes_mode
        `instead` of detected boxes (a picture that the file does not list then fails), or
        `besides` them.
    keep_metadata
        Keeps EXIF (GPS too), XMP, IPTC and comments. Thumbnails go in any case.
    tolerant
        Does damaged files too, as far as they can be decoded, with a note in the report, rather
        than refuse them.

    Raises:
        UsageError: protect is given together with what it stands for.
    """

    find: DetectionOptions = DetectionOptions()
    protect: ProtectionName | None = None
    method: str | None = None
    settings: Annotated[MethodSettings, Parameter(name="*")] = MethodSettings()  # noqa: RUF009 - frozen
    margin: float = DEFAULT_MARGIN
    boxes: Path | None = None
    boxes_mode: Literal["instead", "besides"] = "instead"
    keep_metadata: Annotated[bool, Parameter(negative="")] = False
    tolerant: Annotated[bool, Parameter(negative="")] = False

    def __post_init__(self) -> None:
        if self.protect is None:
            return
        if self.method is not None or self.settings != MethodSettings():
            raise UsageError(
                f"protect ({self.protect}) chooses the method and its settings, as they were "
                "measured: leave out method, strength, cells, noise, colour, generator, weights "
                "and shape, or leave out protect"
            )
        chosen = PROTECTIONS[self.protect]
        # The same as if they were given: a run goes on, whichever way it was told.
        object.__setattr__(self, "method", chosen.method)
        object.__setattr__(self, "settings", chosen.settings)
        object.__setattr__(self, "margin", max(self.margin, chosen.margin))
        object.__setattr__(self, "protect", None)

    @property
    def method_name(self) -> str:
        """The method to be used."""
        return self.method or DEFAULT_METHOD

    def pipeline(self, threads: int, *, film: bool = False) -> Pipeline:
        """What does it.

        Raises:
            UsageError: a name is unknown or a value out of range.
        """
        return make_pipeline(
            self.method_name,
            self.find.name(film=film),
            settings=self.settings,
            threshold=self.find.threshold,
            margin=self.margin,
            threads=threads,
            device=self.find.device,
        )

    def described(self, *, film: bool = False) -> dict[str, object]:
        """All that decides what a picture becomes, but for given boxes, which differ by file."""
        described = asdict(self) | {"method": self.method_name}
        del described["protect"]  # told by the method and its settings
        described["boxes"] = None if self.boxes is None else self.boxes_mode
        del described["boxes_mode"]
        own = self.settings
        weights = own.generator_file if self.method_name == "dartblur" else own.weights
        settings = described.pop("settings")
        del settings["blended"], settings["generator"]  # always; told by its file
        # Trained further, the same file paints other faces.
        settings["weights"] = weights and content_hash(weights)
        found = {**described.pop("find"), "detector": self.find.name(film=film)}
        del found["device"]  # where it runs decides nothing
        return {**found, **settings, **described, "version": version("dartblur")}

    def digest(self, *more: object, film: bool = False) -> str:
        """A hash of these settings and of `more` that decides what one file becomes."""
        content = json.dumps([self.described(film=film), *more], sort_keys=True, default=str)
        return hashlib.sha256(content.encode()).hexdigest()[:24]

    @staticmethod
    def digest_with(digest: str, given: PictureBoxes) -> str:
        """A `digest` with the boxes given for one picture; cheap: asked for every picture."""
        faces = given.faces
        content = f"{digest} {given.size} ".encode() + faces.boxes.tobytes()
        return hashlib.sha256(content).hexdigest()[:24]


@Parameter(name="*")
@dataclass(frozen=True)
class FilmOptions:
    """How films are done, and boxes for them.

    Parameters
    ----------
    film_boxes
        A folder of boxes as `--film-boxes-out` writes it; they are hidden as they are.
    film_boxes_out
        Writes the boxes of each frame there: a file of JSON lines for each film.
    """

    video: Annotated[VideoOptions, Parameter(name="*")] = VideoOptions()  # noqa: RUF009 - frozen
    film_boxes: Path | None = None
    film_boxes_out: Path | None = None


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
        most = max(_MOST_WORKERS, 4 * cores())
        if not 0 <= self.workers <= most:
            raise UsageError(
                f"workers must lie in 0..{most}, not {self.workers}: more would only wait for the "
                f"{cores()} cores, and take memory"
            )
        if not self.max_megapixels > 0:
            raise UsageError(f"max-megapixels must be more than 0, not {self.max_megapixels}")
        return self.workers or cores()
