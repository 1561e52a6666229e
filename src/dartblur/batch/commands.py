"""The commands `anonymize` and `detect`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from dartblur.batch.hiding import Hiding, record_of
from dartblur.batch.inputs import VIDEO_SUFFIXES, Inputs, Job, check_places
from dartblur.batch.ledger import Ledger, Record, failed
from dartblur.batch.options import FindOptions, HideOptions, RunOptions
from dartblur.batch.progress import printable, progress_bar
from dartblur.batch.side_by_side import side_by_side
from dartblur.coco import PictureBoxes, read_coco, write_coco
from dartblur.errors import InputError, UsageError
from dartblur.faces import Faces
from dartblur.files import atomic_path, remove_parts
from dartblur.images import PICTURE_SUFFIXES, read_picture
from dartblur.pipeline import Pipeline, make_pipeline

STATE_FOLDER = ".dartblur"
REPORT_NAME = "dartblur-report.jsonl"


def anonymize(
    inputs: list[Path],
    /,
    *,
    out: Annotated[Path, Parameter(alias="-o")],
    hide: HideOptions = HideOptions(),  # noqa: B008 - frozen
    run: RunOptions = RunOptions(),  # noqa: B008 - frozen
    boxes_out: Path | None = None,
    report: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Hides every face in pictures, and in folders with all that is below them.

    A second run does only what is missing, failed or changed, or was made with other settings.
    Metadata goes, thumbnails always; the colour profile stays; pictures come out upright.

    Parameters
    ----------
    inputs
        Pictures and folders.
    out
        A folder, in which the inputs' tree is mirrored; for a single picture also a file.
    boxes_out
        Writes the hidden boxes there, as COCO JSON.
    report
        Writes a line of JSON for each file there. Default: dartblur-report.jsonl in the output
        folder; none for a single file.
    overwrite
        Does all files again, and replaces files that no earlier run made.

    Returns
    -------
        0 when all is done, 1 when inputs failed: each is named, and nothing is written for it.
    """
    hide.pipeline(1)  # wrong options are told before anything is touched
    run.count()
    if _is_file_target(inputs, out):
        _make_folder(out.parent)
        jobs: Inputs | list[Job] = [
            Job(j.source, Path(out.name), j.problem) for j in Inputs(inputs)
        ]
        task = _Anonymize(out.parent, out.parent, jobs, (), hide, run, overwrite)
        return task(Ledger(":memory:"), boxes_out, report)
    check_places(inputs, out)
    state = out / STATE_FOLDER
    _make_folder(state)
    roots = tuple(path.resolve() for path in inputs if path.is_dir())
    ledger = Ledger(state / "ledger.sqlite")
    remove_parts(state)
    task = _Anonymize(out, state, Inputs(inputs), roots, hide, run, overwrite)
    return task(ledger, boxes_out, report or out / REPORT_NAME)


@dataclass(frozen=True)
class _Anonymize:
    """One run of `anonymize`, once its places are settled."""

    out: Path
    parts: Path
    jobs: Inputs | list[Job]
    roots: tuple[Path, ...]
    hide: HideOptions
    run: RunOptions
    overwrite: bool

    def __call__(self, ledger: Ledger, boxes_out: Path | None, report: Path | None) -> int:
        given = read_coco(self.hide.boxes) if self.hide.boxes else None
        try:
            ledger.plan(self._settled(given), self.out, again=self.overwrite)
            _work(ledger, self._worker(ledger, given), self.run)
            if report:
                _write_report(ledger, report)
            if boxes_out:
                write_coco(boxes_out, lambda: _coco_rows(ledger))
            return _summary(ledger, self.jobs, "done")
        finally:
            ledger.close()

    def _settled(self, given: dict[str, PictureBoxes] | None) -> Iterator[tuple[Job, str]]:
        plain = self.hide.digest(None)
        for job in self.jobs:
            listed = given.get(job.relative.as_posix()) if given else None
            yield job, self.hide.digest(listed) if listed else plain

    def _worker(self, ledger: Ledger, given: dict[str, PictureBoxes] | None) -> Hiding:
        # A lone picture gets all cores for its networks; of many, each gets one.
        workers = self.run.count()
        threads = max(1, workers // max(1, ledger.count("pending")))
        return Hiding(
            self.hide.pipeline(threads),
            self.hide,
            ledger,
            self.out,
            self.parts,
            self.roots,
            given,
            self.run.max_megapixels,
            self.overwrite,
        )


def detect(
    inputs: list[Path],
    /,
    *,
    out: Annotated[Path, Parameter(alias="-o")],
    find: FindOptions = FindOptions(),  # noqa: B008 - frozen
    run: RunOptions = RunOptions(),  # noqa: B008 - frozen
    margin: float = 0.0,
) -> int:
    """Finds faces and writes their boxes as COCO JSON; `anonymize --boxes` takes the file.

    Parameters
    ----------
    inputs
        Pictures and folders.
    out
        The COCO JSON file to write.
    margin
        How far each box is grown on every side, as a share of its width and height.

    Returns
    -------
        0 when all is done, 1 when inputs failed: each is named, and is not in the file.
    """
    pipeline = make_pipeline(
        "block", find.detector, threshold=find.threshold, margin=margin, threads=1
    )
    run.count()
    if not inputs:
        raise UsageError("there is no input: name pictures or folders")
    if out.is_dir():
        raise UsageError(f"{out}: is a folder; name the JSON file to write")
    jobs = Inputs(inputs)
    ledger = Ledger(":memory:")
    try:
        ledger.plan(((job, "") for job in jobs), out, again=True)
        _work(ledger, _Search(pipeline, ledger, run.max_megapixels), run)
        write_coco(out, lambda: _coco_rows(ledger))
        return _summary(ledger, jobs, "searched")
    finally:
        ledger.close()


@dataclass(frozen=True)
class _Search:
    """Finds the faces of one file."""

    pipeline: Pipeline
    ledger: Ledger
    max_megapixels: float

    def __call__(self, job: Job) -> Record:
        started = time.monotonic()
        try:
            picture = read_picture(job.source, self.max_megapixels)
        except InputError as error:
            record = failed(job, str(error))
            self.ledger.failed(job.relative, record)
            return record
        faces = self.pipeline.faces(picture.rgb)
        record = record_of(job, faces, picture.size, None, time.monotonic() - started)
        self.ledger.done(job.relative, job.source, record)
        return record


def _work(ledger: Ledger, work: Callable[[Job], Record], run: RunOptions) -> None:
    """All pending jobs, with a bar; failures are told as they come."""
    for record in ledger.records():
        if record.status == "failed":
            print(_failure(record), file=sys.stderr)
    with progress_bar(ledger.count("pending"), quiet=run.quiet) as bar:
        for record in side_by_side(work, ledger.pending(), run.count()):
            bar.advance()
            if record.status == "failed":
                bar.say(_failure(record))


def _failure(record: Record) -> str:
    error = str(record.error)
    return printable(
        "FAILED " + (error if error.startswith(record.source) else f"{record.source}: {error}")
    )


def _summary(ledger: Ledger, jobs: Inputs | list[Job], verb: str) -> int:
    done, failures = ledger.count("done"), ledger.count("failed")
    faces = sum(record.faces for record in ledger.records())
    parts = [f"{done} {verb} ({faces} faces)"]
    if failures:
        parts.append(f"{failures} FAILED (named above; nothing written for them)")
    if isinstance(jobs, Inputs) and jobs.others:
        parts.append(f"{jobs.others} other files passed over")
    print(", ".join(parts), file=sys.stderr)
    return 1 if failures else 0


def _write_report(ledger: Ledger, report: Path) -> None:
    with atomic_path(report) as part, part.open("w", encoding="utf-8") as file:
        for record in ledger.records():
            file.write(record.to_json() + "\n")


def _coco_rows(ledger: Ledger) -> Iterable[PictureBoxes]:
    for record in ledger.records():
        if record.status == "done":
            rows = np.array(record.boxes, np.float32).reshape(-1, 5)
            faces = Faces(rows[:, :4], np.clip(rows[:, 4], 0, 1))
            yield PictureBoxes(record.file, (record.height, record.width), faces)


def _is_file_target(inputs: list[Path], out: Path) -> bool:
    """True where one file goes to one file: `photo.jpg -o safe.jpg`."""
    suffix = out.suffix.lower()
    if len(inputs) != 1 or inputs[0].is_dir() or out.is_dir():
        return False
    if suffix not in PICTURE_SUFFIXES | VIDEO_SUFFIXES:
        return False
    if suffix != inputs[0].suffix.lower():
        raise UsageError(f"{out}: formats stay as they are; let it end in {inputs[0].suffix}")
    return True


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: the folder cannot be made: {error.strerror}") from error
