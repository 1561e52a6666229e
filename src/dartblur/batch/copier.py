"""The worker of a data set: makes one file of the copy from one of the source."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatch
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dartblur import boxes as boxlib
from dartblur import video
from dartblur.batch.inputs import Job
from dartblur.batch.ledger import failed_record
from dartblur.batch.options import AnonymizationOptions
from dartblur.batch.remote import is_remote, write, writing
from dartblur.coco import PictureBoxes
from dartblur.datasets import FACE_CLASSES, Labelled
from dartblur.datasets.base import given
from dartblur.datasets.contents import why_not_plain
from dartblur.datasets.shards import copy_shard, is_shard
from dartblur.errors import BoxesError, InputError, PictureError, UsageError, VideoError
from dartblur.faces import Faces
from dartblur.images import PICTURE_SUFFIXES, Picture, encode_picture
from dartblur.images.orientation import boxes_upright
from dartblur.images.reading import MAX_MEGAPIXELS, decode_picture, read_file
from dartblur.pipeline import Pipeline, usable_boxes
from dartblur.records import Record, picture_record

if TYPE_CHECKING:
    from dartblur.video import ProgressCallback

Hidden = Literal["both", "labelled", "detected"]
PICTURE, FILM, SHARD, MEMBER, OTHER = "picture", "film", "shard", "member", "other"
SIZES = (0, 8, 16, 32, 64)
"""Heights of faces in pixels at which a new class of sizes begins."""
# Of a label's box, what must be hidden for its face to be found, and how much of that.
_MIDDLE, _COVERED = -0.15, 0.9
_log = logging.getLogger("dartblur.batch")


@dataclass(frozen=True)
class CopyRecord(Record):
    """What became of one file of a data set.

    kind: picture, film, shard or other. sha256_in, sha256_out: of the file's bytes before and
    after. members: the records of a shard's pictures. recall: for each class of `SIZES`, labelled
    faces and those of them that the detector found.
    """

    kind: str = ""
    sha256_in: str = ""
    sha256_out: str = ""
    members: tuple[dict[str, Any], ...] = ()
    recall: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class CopyJob:
    """One file and the labels that name it."""

    job: Job
    labels: tuple[Labelled, ...] = ()


@dataclass
class Copier:
    """Copies one file at a time; any thread or process may call it.

    out: the folder of the copy. parts: where files lie until they are whole. hidden: labelled
    faces, detected ones or both. keeps: patterns of files that may be copied though they are no
    text. masks: folders of pictures whose pixels are labels. settings: what records tell of how
    faces were hidden. classes: of a shard's boxes, those that are faces. films: how films are done.
    """

    out: Path
    parts: Path
    options: AnonymizationOptions
    hidden: Hidden = "both"
    keeps: Sequence[str] = ()
    masks: Sequence[str] = ()
    max_megapixels: float = MAX_MEGAPIXELS
    threads: int = 1
    settings: dict[str, Any] = field(default_factory=dict)
    classes: Sequence[str] = FACE_CLASSES
    films: video.VideoOptions = field(default_factory=video.VideoOptions)

    @cached_property
    def pipeline(self) -> Pipeline:
        """What finds and hides; made where the work is done, since networks do not travel."""
        return self.options.pipeline(self.threads)

    @cached_property
    def film_pipeline(self) -> Pipeline:
        """The same for films."""
        return self.options.pipeline(1, film=True)

    def __call__(self, task: CopyJob, progress: ProgressCallback | None = None) -> Record:
        """Makes one file of the copy; never raises for a failure. progress: of a film."""
        started = time.monotonic()
        job, target = task.job, self.out / task.job.relative
        if job.problem:
            return failed_record(job, job.problem)
        try:
            record = self._copied(task, target, progress)
        except (InputError, UsageError) as error:
            return failed_record(job, str(error))
        except OSError as error:
            return failed_record(job, f"{target}: cannot be written: {error.strerror or error}")
        except MemoryError:
            return failed_record(job, f"{job.source}: too large for the memory there is")
        # As in `Worker`: a fault of ours in one file is told as such, and the others go on.
        except Exception as error:  # noqa: BLE001
            _log.debug("%s: internal error", job.source, exc_info=True)
            told = f"internal error, please report: {type(error).__name__}: {error}"
            return failed_record(job, f"{job.source}: {told}")
        seconds = round(time.monotonic() - started, 3)
        name = job.relative.as_posix()
        return replace(record, file=name, source=str(job.source), seconds=seconds)

    def _copied(self, task: CopyJob, target: Path, progress: ProgressCallback | None) -> CopyRecord:
        source, name = task.job.source, task.job.relative.as_posix()
        if task.job.is_film:
            return self._film(source, target, progress)
        if is_shard(name):
            return self._shard(source, target, name)
        is_picture = is_picture_name(name)
        data = read_file(source) if is_picture else source.read_bytes()
        if is_picture and not self._is_mask(name, data):
            safe, record = self._picture(data, source, task.labels)
        else:
            safe, record = data, CopyRecord(source.name, str(source), "done", kind=OTHER)
            if not (is_picture or self.may_keep(name)) and (reason := why_not_plain(data)):
                raise BoxesError(
                    f"{source}: {reason}, and might show somebody; --keep {name!r} copies it"
                )
        write(target, safe, self.parts)
        return replace(record, sha256_in=_sha256(data), sha256_out=_sha256(safe))

    def may_keep(self, name: str) -> bool:
        """True where the format or the user says that the file shows nobody."""
        return any(fnmatch(name, pattern) for pattern in self.keeps)

    def _may_keep_member(self, name: str, member: str) -> bool:
        return self.may_keep(f"{name}/{member}")

    def _is_mask(self, name: str, data: bytes) -> bool:
        """A picture of labels: the colours of a palette, and nothing beside the pixels."""
        if not any(f"/{folder}/" in f"/{name}" for folder in self.masks):
            return False
        return _is_bare_palette(data)

    def _picture(
        self, data: bytes, source: Path, labels: Sequence[Labelled]
    ) -> tuple[bytes, CopyRecord]:
        picture = decode_picture(data, source, self.max_megapixels, tolerant=self.options.tolerant)
        labelled, notes = self._labelled(picture, source, labels)
        detects = self.hidden != "labelled"
        found = self.pipeline.detect(picture) if detects else Faces.empty()
        faces = Faces.concatenate([labelled if self.hidden != "detected" else Faces.empty(), found])
        safe = encode_picture(self.pipeline.hide(picture, faces), source, turned_back=True)
        plain = picture_record(source, faces, picture.size, [*picture.warnings, *notes])
        recall = recall_of(labelled, found) if detects and len(labelled) else ()
        record = CopyRecord(**{**asdict(plain), **self.settings}, kind=PICTURE, recall=recall)
        return safe, record

    def _labelled(
        self, picture: Picture, source: Path, labels: Sequence[Labelled]
    ) -> tuple[Faces, list[str]]:
        """The labelled faces that lie in the picture, and notes of those that do not."""
        if self.hidden == "labelled" and not labels:
            raise PictureError(
                f"{source}: no label file lists it; --hide both or detected searches it"
            )
        faces = Faces.concatenate([each.faces() for each in labels])
        # Several lists may name a picture, with the same labels.
        _, first = np.unique(faces.boxes, axis=0, return_index=True)
        faces = faces[np.sort(first)]
        faces = faces[boxlib.area(faces.boxes) > 0]
        if not len(faces):
            return faces, []
        if picture.orientation != 1:
            # Some label the picture as it is stored, some as it is shown: both are hidden.
            turned = boxes_upright(faces.boxes, picture.orientation, *picture.size)
            both = Faces.concatenate([faces, faces.with_boxes(turned)])
            return both[boxlib.area(boxlib.clip(both.boxes, *picture.size)) > 0], []
        return usable_boxes(PictureBoxes("", None, faces), source, picture.size)

    def _film(self, source: Path, target: Path, progress: ProgressCallback | None) -> CopyRecord:
        if self.hidden == "labelled":
            raise VideoError(f"{source}: no label tells of films; --hidden both searches it")
        if is_remote(source) or is_remote(target):
            raise VideoError(f"{source}: films are read and written on disk alone; copy it there")
        target.parent.mkdir(parents=True, exist_ok=True)
        hiding = self.film_pipeline
        film = video.VideoTask(
            str(source),
            hiding.anonymizer,
            hiding.detector,
            hiding.margin,
            self.films,
            tolerant=self.options.tolerant,
            workers=self.threads,
        )
        record = video.hide_film(film, target, progress=progress, parts=self.parts)
        return CopyRecord(
            **{
                **asdict(record),
                "method": self.options.method_name,
                "settings": self.options.described(film=True),
            },
            kind=FILM,
            sha256_in=_sha256_of(source),
            sha256_out=_sha256_of(target),
        )

    def _shard(self, source: Path, target: Path, name: str) -> CopyRecord:
        members: list[CopyRecord] = []

        def hide(member: str, data: bytes, faces: Faces | None) -> bytes:
            path = Path(f"{source}/{member}")
            labels = () if faces is None else (Labelled(path, name, given(faces)),)
            safe, record = self._picture(data, path, labels)
            record = replace(record, sha256_in=_sha256(data), sha256_out=_sha256(safe))
            members.append(replace(record, file=f"{name}/{member}", source=member))
            return safe

        with writing(target, self.parts) as part:
            keep = partial(self._may_keep_member, name)
            notes = copy_shard(source, part, hide, keep, self.classes)
            before, after = _sha256_of(source), _sha256_of(part)
        return replace(
            CopyRecord(source.name, str(source), "done", kind=SHARD),
            faces=sum(member.faces for member in members),
            members=tuple(asdict(member) for member in members),
            notes=tuple(f"{name}: {note}" for note in notes),
            sha256_in=before,
            sha256_out=after,
        )


def is_picture_name(name: str) -> bool:
    """True for the name of a picture's file."""
    return Path(name).suffix.lower() in PICTURE_SUFFIXES


def recall_of(labelled: Faces, found: Faces) -> tuple[tuple[int, int], ...]:
    """Labelled faces, and those found, of each class of `SIZES`.

    A face is found when 90 % of the middle 70 % × 70 % of its box lies in found boxes; ignored
    labels do not count.
    """
    faces = labelled[~labelled.ignore]
    shares = boxlib.hidden_share(boxlib.grow(faces.boxes, _MIDDLE), found.boxes)
    heights = faces.boxes[:, 3] - faces.boxes[:, 1]
    size = np.digitize(heights, SIZES) - 1
    return tuple(
        (int((size == n).sum()), int(((size == n) & (shares >= _COVERED)).sum()))
        for n in range(len(SIZES))
    )


def _is_bare_palette(data: bytes) -> bool:
    """A PNG of indices into a palette, with none but the chunks that draw it."""
    at, kinds = 8, []
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        kinds.append(data[at + 4 : at + 8])
        at += 12 + length
    drawn = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
    is_palette = data[:8] == b"\x89PNG\r\n\x1a\n" and data[25:26] == b"\x03"
    return is_palette and at == len(data) and kinds[-1:] == [b"IEND"] and set(kinds) <= drawn


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
