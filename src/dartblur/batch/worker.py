"""The worker: calls the pure job of one file, names what it made, and enters it in the ledger."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dartblur import video
from dartblur.batch.findings import Finding
from dartblur.batch.inputs import Job
from dartblur.batch.ledger import Ledger, failed_record
from dartblur.batch.options import AnonymizationOptions, FilmOptions
from dartblur.coco import PictureBoxes
from dartblur.errors import BoxesError, InputError, PictureError, UsageError
from dartblur.files import write_atomically
from dartblur.images.reading import MAX_MEGAPIXELS
from dartblur.pipeline import Pipeline, hide_picture
from dartblur.records import Record

if TYPE_CHECKING:
    from dartblur.video import ProgressCallback

BoxesOf = Callable[[str], PictureBoxes | None]
"""The given boxes of a file, by its path below the inputs; None where there are none."""
_log = logging.getLogger("dartblur.batch")


@dataclass(frozen=True)
class Worker:
    """Does one job at a time, by any thread.

    out: the output folder. parts: where files lie until they are whole, on the same file system.
    roots: the real input folders, into which nothing is ever written. given: boxes, if any.
    film_workers: frames searched side by side. progress: of a film, see `anonymize_video`.
    """

    pipeline: Pipeline
    options: AnonymizationOptions
    ledger: Ledger
    out: Path
    parts: Path
    roots: Sequence[Path] = ()
    given: BoxesOf | None = None
    max_megapixels: float = MAX_MEGAPIXELS
    overwrite: bool = False
    films: FilmOptions = field(default_factory=FilmOptions)
    film_workers: int = 1
    progress: ProgressCallback | None = None

    def __call__(self, job: Job) -> Record:
        """Makes the output of one job and enters it in the ledger; never raises for a failure."""
        started = time.monotonic()
        target = self.out / job.relative
        try:
            self._check_target(job, target)
            make = self._film if job.is_film else self._picture
            record, finding = make(job, target)
        except (InputError, UsageError) as error:
            return self._failed(job, target, str(error))
        except OSError as error:
            reason = f"{target}: cannot be written: {error.strerror or error}"
            return self._failed(job, target, reason)
        except MemoryError:
            return self._failed(job, target, f"{job.source}: too large for the memory there is")
        # A fault of ours in one picture must not leave the other 99,999 undone; it is told as such.
        except Exception as error:  # noqa: BLE001
            _log.debug("%s: internal error", job.source, exc_info=True)
            reason = f"{job.source}: internal error, please report: {type(error).__name__}: {error}"
            return self._failed(job, target, reason)
        record = replace(
            record,
            file=job.relative.as_posix(),
            source=str(job.source),
            method=self.options.method_name,
            settings=self.options.described(film=job.is_film),
            seconds=round(time.monotonic() - started, 3),
        )
        _log.info("%s: %d faces, %.2f s", job.source, record.faces, record.seconds)
        self.ledger.done(job.relative, target, record, finding)
        return record

    def _picture(self, job: Job, target: Path) -> tuple[Record, str | None]:
        data, record, evidence = hide_picture(
            job.source,
            self.pipeline,
            given=self._given(job),
            besides=self.options.boxes_mode == "besides",
            keep_metadata=self.options.keep_metadata,
            max_megapixels=self.max_megapixels,
            tolerant=self.options.tolerant,
        )
        self.ledger.writing(job.relative)
        write_atomically(target, data, self.parts)
        return record, None if evidence is None else Finding.of(evidence).to_json()

    def _given(self, job: Job) -> PictureBoxes | None:
        if self.given is None:
            return None
        listed = self.given(job.listed)
        if listed is None and self.options.boxes_mode == "instead":
            raise BoxesError(f"{job.source}: {self.options.boxes} does not list it")
        return listed

    def _film(self, job: Job, target: Path) -> tuple[Record, bytes]:
        given = boxes_file_of(self.films.film_boxes, job)
        if given and not given.exists():
            raise BoxesError(f"{job.source}: {given} with its boxes is missing")
        alone = given is not None and self.options.boxes_mode == "instead"
        boxes_out = boxes_file_of(self.films.film_boxes_out, job)
        if boxes_out:
            boxes_out.parent.mkdir(parents=True, exist_ok=True)
        task = video.VideoTask(
            str(job.source),
            self.pipeline.anonymizer,
            None if alone else self.pipeline.detector,
            self.pipeline.margin,
            self.films.video,
            given,
            boxes_out,
            self.options.keep_metadata,
            self.options.tolerant,
            self.film_workers,
        )
        tracks = video.TrackLog()
        record = video.hide_film(
            task,
            target,
            progress=self.progress,
            parts=self.parts,
            before_naming=lambda: self.ledger.writing(job.relative),
            tracks=tracks,
        )
        return record, tracks.pack()

    def _check_target(self, job: Job, target: Path) -> None:
        real = target.parent.resolve()
        if any(real.is_relative_to(root) for root in self.roots):
            raise PictureError(f"{job.source}: its output {target} would lie in the input folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and target.samefile(job.source):
            raise PictureError(f"{job.source}: its output would replace it; choose another folder")
        if not self.overwrite and not self.ledger.may_replace(job.relative, target):
            raise PictureError(
                f"{target}: exists and is not known as an earlier run's; --overwrite replaces it"
            )

    def _failed(self, job: Job, target: Path, reason: str) -> Record:
        # What an earlier run made with other settings is not what this one was asked for.
        if self.ledger.may_replace(job.relative, target):
            with suppress(OSError):
                target.unlink()
        record = failed_record(job, reason)
        self.ledger.failed(job.relative, record)
        return record


def boxes_file_of(folder: Path | None, job: Job) -> Path | None:
    """The file of one film's boxes in a folder of such files."""
    return folder and folder / f"{job.listed}.jsonl"
