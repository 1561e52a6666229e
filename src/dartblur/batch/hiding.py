"""One file from clear to safe; nothing is written where that fails."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from dartblur.batch.inputs import Job
from dartblur.batch.ledger import Ledger, Record, failed
from dartblur.batch.options import FilmOptions, HideOptions
from dartblur.coco import PictureBoxes
from dartblur.errors import BoxesError, InputError, PictureError, UsageError
from dartblur.faces import Faces
from dartblur.files import write_atomically
from dartblur.images import Picture, encode_picture, read_picture
from dartblur.images.reading import MAX_MEGAPIXELS
from dartblur.pipeline import Pipeline
from dartblur.video import Task, anonymize_video
from dartblur.video.film import Progress


@dataclass(frozen=True)
class Hiding:
    """Does one job at a time, by any thread.

    out: the output folder. parts: where files lie until they are whole, on the same file system.
    roots: the real input folders, into which nothing is ever written. given: boxes by file, if any.
    film_workers: frames searched side by side. progress: of a film, see `anonymize_video`.
    """

    pipeline: Pipeline
    options: HideOptions
    ledger: Ledger
    out: Path
    parts: Path
    roots: Sequence[Path] = ()
    given: Mapping[str, PictureBoxes] | None = None
    max_megapixels: float = MAX_MEGAPIXELS
    overwrite: bool = False
    films: FilmOptions = field(default_factory=FilmOptions)
    film_workers: int = 1
    progress: Progress | None = None

    def __call__(self, job: Job) -> Record:
        """Makes the output of one job and enters it in the ledger; never raises for a failure."""
        started = time.monotonic()
        target = self.out / job.relative
        try:
            self._check_target(job, target)
            record = self._film(job, target) if job.is_film else self._picture(job, target)
        except (InputError, UsageError) as error:
            return self._failed(job, target, str(error))
        except OSError as error:
            reason = f"{target}: cannot be written: {error.strerror or error}"
            return self._failed(job, target, reason)
        except MemoryError:
            return self._failed(job, target, f"{job.source}: too large for the memory there is")
        # A fault of ours in one picture must not leave the other 99,999 undone; it is told as such.
        except Exception as error:  # noqa: BLE001
            reason = f"{job.source}: internal error, please report: {type(error).__name__}: {error}"
            return self._failed(job, target, reason)
        record = replace(record, seconds=round(time.monotonic() - started, 3))
        self.ledger.done(job.relative, target, record)
        return record

    def _picture(self, job: Job, target: Path) -> Record:
        picture = read_picture(job.source, self.max_megapixels)
        faces = self._faces(job, picture)
        rgb = self.pipeline.anonymizer(picture.rgb, faces)
        safe = picture.hidden(rgb, faces, self.pipeline.shape)
        data = encode_picture(safe, job.source, keep_metadata=self.options.keep_metadata)
        self.ledger.writing(job.relative)
        write_atomically(target, data, self.parts)
        return record_of(job, faces, picture.size, self.options)

    def _film(self, job: Job, target: Path) -> Record:
        options = self.films.options(
            keep_metadata=self.options.keep_metadata, workers=self.film_workers
        )
        given = beside(self.films.film_boxes, job)
        if given and not given.exists():
            raise BoxesError(f"{job.source}: {given} with its boxes is missing")
        alone = given is not None and self.options.boxes_mode == "instead"
        boxes_out = beside(self.films.film_boxes_out, job)
        if boxes_out:
            boxes_out.parent.mkdir(parents=True, exist_ok=True)
        report = anonymize_video(
            Task(
                str(job.source),
                self.pipeline.anonymizer,
                None if alone else self.pipeline.detector,
                self.pipeline.margin,
                options,
                given,
                boxes_out,
            ),
            target,
            progress=self.progress,
            parts=self.parts,
            before_naming=lambda: self.ledger.writing(job.relative),
        )
        record = record_of(job, Faces.empty(), report.size, self.options)
        notes = (*report.dropped, *report.notes)
        return replace(record, faces=report.faces, frames=report.frames, notes=notes)

    def _check_target(self, job: Job, target: Path) -> None:
        real = target.parent.resolve()
        if any(root == real or root in real.parents for root in self.roots):
            raise PictureError(f"{job.source}: its output {target} would lie in the input folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and target.samefile(job.source):
            raise PictureError(f"{job.source}: its output would replace it; choose another folder")
        if not self.overwrite and not self.ledger.may_replace(job.relative, target):
            raise PictureError(
                f"{target}: exists and is not what an earlier run left; --overwrite replaces it"
            )

    def _faces(self, job: Job, picture: Picture) -> Faces:
        if self.given is None:
            return self.pipeline.faces_of(picture)
        listed = self.given.get(job.relative.as_posix())
        if listed is None:
            if self.options.boxes_mode == "instead":
                raise BoxesError(f"{job.source}: {self.options.boxes} does not list it")
            return self.pipeline.faces_of(picture)
        if listed.size is not None and listed.size != picture.size:
            raise BoxesError(
                f"{job.source}: is {picture.size[1]} × {picture.size[0]} pixels when upright, "
                f"but its boxes are for {listed.size[1]} × {listed.size[0]}"
            )
        if self.options.boxes_mode == "instead":
            return listed.faces
        return Faces.concatenate([listed.faces, self.pipeline.faces_of(picture)])

    def _failed(self, job: Job, target: Path, reason: str) -> Record:
        # What an earlier run made with other settings is not what this one was asked for.
        if self.ledger.may_replace(job.relative, target):
            with suppress(OSError):
                target.unlink()
        record = failed(job, reason)
        self.ledger.failed(job.relative, record)
        return record


def beside(folder: Path | None, job: Job) -> Path | None:
    """The file of one film's boxes in a folder of such files."""
    return folder and folder / job.relative.with_name(job.relative.name + ".jsonl")


def record_of(job: Job, faces: Faces, size: tuple[int, int], options: HideOptions | None) -> Record:
    """The report's line for a job that is done."""
    rows = zip(faces.boxes.tolist(), faces.scores.tolist(), strict=True)
    return Record(
        job.relative.as_posix(),
        str(job.source),
        "done",
        len(faces),
        tuple((*(round(v, 2) for v in box), round(score, 4)) for box, score in rows),
        width=size[1],
        height=size[0],
        method=options.method if options else "",
        settings=options.described(film=job.is_film) if options else None,
    )
