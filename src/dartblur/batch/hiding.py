"""One picture file from clear to safe; nothing is written where that fails."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dartblur.batch.inputs import Job
from dartblur.batch.ledger import Ledger, Record, failed
from dartblur.batch.options import HideOptions
from dartblur.coco import PictureBoxes
from dartblur.errors import BoxesError, InputError, PictureError
from dartblur.faces import Faces
from dartblur.files import write_atomically
from dartblur.images import Picture, encode_picture, read_picture
from dartblur.pipeline import Pipeline


@dataclass(frozen=True)
class Hiding:
    """Does one job at a time, by any thread.

    out: the output folder. parts: where files lie until they are whole, on the same file system.
    roots: the real input folders, into which nothing is ever written. given: boxes by file, if any.
    """

    pipeline: Pipeline
    options: HideOptions
    ledger: Ledger
    out: Path
    parts: Path
    roots: Sequence[Path] = ()
    given: Mapping[str, PictureBoxes] | None = None
    max_megapixels: float = 178.0
    overwrite: bool = False

    def __call__(self, job: Job) -> Record:
        """Makes the output of one job and enters it in the ledger; never raises for a failure."""
        started = time.monotonic()
        target = self.out / job.relative
        try:
            self._check_target(job, target)
            picture = read_picture(job.source, self.max_megapixels)
            faces = self._faces(job, picture)
            safe = picture.hidden(self.pipeline.anonymizer(picture.rgb, faces), faces)
            data = encode_picture(safe, job.source, keep_metadata=self.options.keep_metadata)
            self.ledger.writing(job.relative)
            write_atomically(target, data, self.parts)
        except InputError as error:
            return self._failed(job, target, str(error))
        except OSError as error:
            return self._failed(
                job, target, f"{target}: cannot be written: {error.strerror or error}"
            )
        except MemoryError:
            return self._failed(job, target, f"{job.source}: too large for the memory there is")
        # A fault of ours in one picture must not leave the other 99,999 undone; it is told as such.
        except Exception as error:  # noqa: BLE001
            reason = f"{job.source}: internal error, please report: {type(error).__name__}: {error}"
            return self._failed(job, target, reason)
        record = record_of(job, faces, picture.size, self.options, time.monotonic() - started)
        self.ledger.done(job.relative, target, record)
        return record

    def _check_target(self, job: Job, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        real = target.parent.resolve()
        if any(root == real or root in real.parents for root in self.roots):
            raise PictureError(f"{job.source}: its output {target} would lie in the input folder")
        if target.exists() and target.samefile(job.source):
            raise PictureError(f"{job.source}: its output would replace it; choose another folder")
        if not self.overwrite and not self.ledger.may_replace(job.relative, target):
            raise PictureError(
                f"{target}: exists and is not what an earlier run left; --overwrite replaces it"
            )

    def _faces(self, job: Job, picture: Picture) -> Faces:
        if self.given is None:
            return self.pipeline.faces(picture.rgb)
        listed = self.given.get(job.relative.as_posix())
        if listed is None:
            if self.options.boxes_mode == "instead":
                raise BoxesError(f"{job.source}: {self.options.boxes} does not list it")
            return self.pipeline.faces(picture.rgb)
        if listed.size is not None and listed.size != picture.size:
            raise BoxesError(
                f"{job.source}: is {picture.size[1]} × {picture.size[0]} pixels when upright, "
                f"but its boxes are for {listed.size[1]} × {listed.size[0]}"
            )
        if self.options.boxes_mode == "instead":
            return listed.faces
        return Faces.concatenate([listed.faces, self.pipeline.faces(picture.rgb)])

    def _failed(self, job: Job, target: Path, reason: str) -> Record:
        # What an earlier run made with other settings is not what this one was asked for.
        if self.ledger.may_replace(job.relative, target):
            with suppress(OSError):
                target.unlink()
        record = failed(job, reason)
        self.ledger.failed(job.relative, record)
        return record


def record_of(
    job: Job, faces: Faces, size: tuple[int, int], options: HideOptions | None, seconds: float
) -> Record:
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
        settings=options.described() if options else None,
        seconds=round(seconds, 3),
    )
