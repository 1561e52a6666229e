"""Pictures made anew with other boxes, by the same job as `anonymize`."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Any

from PIL import Image as Pillow

from dartblur.anonymizers import Anonymizer, MethodSettings, make_anonymizer
from dartblur.anonymizers.dartblur import GENERATORS
from dartblur.batch.stamps import content_hash
from dartblur.coco import PictureBoxes
from dartblur.errors import PictureError
from dartblur.faces import Faces, Image
from dartblur.images import read_picture
from dartblur.images.reading import MAX_MEGAPIXELS, decode_picture
from dartblur.onnx_runtime import DEFAULT_DEVICE
from dartblur.pipeline import Pipeline, cores, hide_picture
from dartblur.records import Record
from dartblur.review.run import FinishedRun, Row

METHODS = ("dartblur", "gaussian", "pixelate", "block")
# What browsers show as it is.
_SHOWN = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".jpe": "image/jpeg", ".jfif": "image/jpeg",
    ".png": "image/png", ".webp": "image/webp", ".gif": "image/gif", ".avif": "image/avif",
}  # fmt: skip
_QUALITY = 80  # of thumbnails


@dataclass(frozen=True)
class Shown:
    """A picture as a browser shows it."""

    data: bytes
    media_type: str


class Memory:
    """What was made last, up to a number of bytes; nothing of it ever lies on a disk."""

    def __init__(self, limit: int) -> None:
        self._limit, self._size = limit, 0
        self._kept: OrderedDict[Any, Shown] = OrderedDict()
        self._lock = Lock()

    def of(self, key: Any, make: Callable[[], Shown]) -> Shown:
        """What is kept under a key, made where it is not."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            if key not in self._kept and len(made.data) <= self._limit:
                self._kept[key] = made
                self._size += len(made.data)
            while self._size > self._limit:
                _, gone = self._kept.popitem(last=False)
                self._size -= len(gone.data)
        return made


class Renderer:
    """Makes pictures of a run anew; for any thread, a few at a time.

    weights: a generator's file, for a run that was made with one.
    """

    def __init__(
        self, run: FinishedRun, weights: Path | None = None, device: str = DEFAULT_DEVICE
    ) -> None:
        self._run, self._weights, self._device = run, weights, device
        self._at_work = BoundedSemaphore(max(1, cores() - 1))
        self._pipelines: dict[Any, Pipeline] = {}
        self._lock = Lock()
        self.results = Memory(96_000_000)
        self.thumbnails = Memory(64_000_000)

    def render(self, row: Row, faces: Faces, method: str | None = None) -> tuple[bytes, Record]:
        """A picture's file with these faces hidden, and its record.

        method: another than the run's, for a look.

        Raises:
            PictureError: it cannot be made; the message says why.
        """
        assert row.record is not None
        settings = row.record.settings or {}
        source = self._run.checked_source(row)
        pipeline = self._pipeline(row, settings, method or row.record.method)
        given = PictureBoxes(row.file, (row.record.height, row.record.width), faces)
        with self._at_work:
            data, record, _ = hide_picture(
                source,
                pipeline,
                given=given,
                keep_metadata=bool(settings.get("keep_metadata")),
                max_megapixels=max(MAX_MEGAPIXELS, row.record.width * row.record.height / 1e6 + 1),
                tolerant=bool(settings.get("tolerant")),
            )
        return data, replace(
            record,
            file=row.file,
            source=str(source),
            method=row.record.method,
            settings=row.record.settings,
        )

    def anonymizer(self, row: Row) -> Anonymizer:
        """What hides the faces of a film, as the run did.

        Raises:
            PictureError: its generator is not at hand.
        """
        assert row.record is not None
        return self._pipeline(row, row.record.settings or {}, row.record.method).anonymizer

    def shown(self, row: Row, faces: Faces, method: str | None = None) -> Shown:
        """A picture with these faces hidden, as a browser shows it."""
        digest = hashlib.sha256(faces.boxes.tobytes()).digest()

        def make() -> Shown:
            return displayable(self.render(row, faces, method)[0], Path(row.file))

        return self.results.of((row.file, row.source_stamp, digest, method), make)

    def output(self, row: Row) -> Shown:
        """The picture as it lies in the output folder."""
        path = self._run.checked_output(row)
        return self.results.of(
            (row.file, row.output_stamp), lambda: displayable(path.read_bytes(), path)
        )

    def original(self, row: Row) -> Shown:
        """The clear picture, upright and without metadata; never kept."""
        with self._at_work:
            return _as_png(read_picture(self._run.checked_source(row)).rgb)

    def thumbnail(self, row: Row, side: int) -> Shown:
        """The output, its longer side at most `side` pixels."""
        path = self._run.checked_output(row)

        def make() -> Shown:
            with self._at_work:
                return _thumbnail(path, side)

        return self.thumbnails.of((row.file, row.output_stamp, side), make)

    def _pipeline(self, row: Row, settings: dict[str, Any], method: str) -> Pipeline:
        names = {each.name for each in dataclasses.fields(MethodSettings)} - {"weights", "blended"}
        chosen = {name: settings[name] for name in names & settings.keys()}
        if "colour" in chosen:
            chosen["colour"] = tuple(chosen["colour"])
        if row.record is not None and method != row.record.method:
            chosen = {"shape": chosen.get("shape", "box")}
        elif method == "dartblur":
            chosen["weights"] = self._generator(row, settings)
        key = (method, *sorted(chosen.items()))
        with self._lock:
            if key not in self._pipelines:
                made = MethodSettings(**chosen)
                anonymizer = make_anonymizer(method, made, self._device)
                self._pipelines[key] = Pipeline(_nobody, anonymizer, 0.0, made.shape)
            return self._pipelines[key]

    def _generator(self, row: Row, settings: dict[str, Any]) -> Path:
        """The file of the generator that the run used.

        Raises:
            PictureError: it is not at hand.
        """
        used = settings.get("weights")
        for file in filter(None, (self._weights, *GENERATORS.values())):
            if content_hash(file) == used:
                return file
        raise PictureError(
            f"{row.name}: was made with another generator than is at hand: name its file by "
            "--weights"
        )


def displayable(data: bytes, path: Path) -> Shown:
    """A picture file as a browser shows it: as it is, or as PNG with the same pixels."""
    media_type = _SHOWN.get(path.suffix.lower())
    if media_type:
        return Shown(data, media_type)
    return _as_png(decode_picture(data, path).rgb)


def _as_png(rgb: Image) -> Shown:
    buffer = io.BytesIO()
    Pillow.fromarray(rgb).save(buffer, "PNG", compress_level=1)
    return Shown(buffer.getvalue(), "image/png")


def _thumbnail(path: Path, side: int) -> Shown:
    try:
        with Pillow.open(path) as image:
            # A JPEG is decoded at an eighth of its size where that is enough: many times faster.
            image.draft("RGB", (side, side))
            small = image if image.mode in ("RGB", "L") else _colours(path)
            small.thumbnail((side, side), reducing_gap=2.0)
            buffer = io.BytesIO()
            small.save(buffer, "JPEG", quality=_QUALITY)
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        raise PictureError(f"{path.name}: cannot be shown: {error}") from error
    return Shown(buffer.getvalue(), "image/jpeg")


def _colours(path: Path) -> Pillow.Image:
    return Pillow.fromarray(read_picture(path, float("inf")).rgb)


def _nobody(images: Sequence[Image]) -> list[Faces]:
    raise AssertionError("boxes are given: nothing is searched")
