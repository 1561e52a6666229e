"""The commands `anonymize` and `detect`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from dartblur.batch.hiding import Hiding, beside, record_of
from dartblur.batch.inputs import Inputs, Job, check_places
from dartblur.batch.ledger import Ledger, Record, failed, stamp
from dartblur.batch.options import FilmOptions, FindOptions, HideOptions, RunOptions
from dartblur.batch.progress import Bar, printable, progress_bar
from dartblur.batch.side_by_side import side_by_side
from dartblur.coco import PictureBoxes, read_coco, write_coco
from dartblur.errors import BoxesError, InputError, PictureError, UsageError
from dartblur.faces import Faces
from dartblur.files import atomic_path, remove_parts
from dartblur.images import PICTURE_SUFFIXES, read_picture
from dartblur.onnx_runtime import providers
from dartblur.pipeline import Pipeline, make_pipeline
from dartblur.video import VIDEO_SUFFIXES, is_video
from dartblur.video.source import PIPE, is_live

STANDARD_INPUT = Path("/dev/stdin")
STATE_FOLDER = ".dartblur"
REPORT_NAME = "dartblur-report.jsonl"


def anonymize(
    inputs: list[Path],
    /,
    *,
    out: Annotated[Path, Parameter(alias="-o")],
    hide: HideOptions = HideOptions(),  # noqa: B008 - frozen
    films: FilmOptions = FilmOptions(),  # noqa: B008 - frozen
    run: RunOptions = RunOptions(),  # noqa: B008 - frozen
    boxes_out: Path | None = None,
    report: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Hides every face in pictures and films, and in folders with all that is below them.

    A second run does only what is missing, failed or changed, or was made with other settings.
    Metadata goes, thumbnails always; the colour profile stays; pictures come out upright.

    Parameters
    ----------
    inputs
        Pictures, films and folders; `-` is a film from standard input, /dev/video0 a camera.
    out
        A folder, in which the inputs' tree is mirrored; for a single input also a file.
    boxes_out
        Writes the boxes hidden in pictures there, as COCO JSON.
    report
        Writes a line of JSON for each file there. Default: dartblur-report.jsonl in the output
        folder; none for a single file.
    overwrite
        Does all files again, and replaces files that no earlier run made.

    Returns
    -------
        0 when all is done, 1 when inputs failed: each is named, and nothing is written for it.
    """
    # Wrong options are told before anything is touched.
    hide.pipeline(1)
    films.options(keep_metadata=hide.keep_metadata, workers=run.count())
    beside_them = [path for path in (boxes_out, report) if path]
    if _is_file_target(inputs, out):
        _make_folder(out.parent)
        _check_files(beside_them)
        jobs = [_to_file(inputs[0], out)]
        task = _Anonymize(out.parent, out.parent, jobs, (), hide, films, run, overwrite)
        return task(Ledger(":memory:"), boxes_out, report)
    check_places(inputs, out)
    _check_files(beside_them)
    state = out / STATE_FOLDER
    _make_folder(state)
    roots = tuple(path.resolve() for path in inputs if path.is_dir())
    ledger = Ledger(state / "ledger.sqlite")
    remove_parts(state)
    task = _Anonymize(out, state, Inputs(inputs), roots, hide, films, run, overwrite)
    return task(ledger, boxes_out, report or out / REPORT_NAME)


@dataclass(frozen=True)
class _Anonymize:
    """One run of `anonymize`, once its places are settled."""

    out: Path
    parts: Path
    jobs: Inputs | list[Job]
    roots: tuple[Path, ...]
    hide: HideOptions
    films: FilmOptions
    run: RunOptions
    overwrite: bool

    def __call__(self, ledger: Ledger, boxes_out: Path | None, report: Path | None) -> int:
        given = _given_boxes(self.hide.boxes)
        try:
            ledger.plan(self._settled(given), self.out, again=self.overwrite)
            work = self._worker(ledger, given)
            with _work(ledger, self.run) as bar:
                pictures = (job for job in ledger.pending() if not job.is_film)
                _do(work, pictures, bar, self.run.count())
                # One film at a time: each uses all cores by itself. In this thread: an interrupt
                # ends it at once, not with the film.
                filming = replace(work, pipeline=self.hide.pipeline(1, film=True))
                for job in ledger.pending():
                    with bar.film(job.relative.name) as progress:
                        _tell(replace(filming, progress=progress)(job), bar)
            if report:
                _write_report(ledger, report)
            if boxes_out:
                _write_boxes(ledger, boxes_out)
            return _summary(ledger, self.jobs, "done")
        finally:
            ledger.close()

    def _settled(self, given: dict[str, PictureBoxes] | None) -> Iterator[tuple[Job, str]]:
        """Every job, with a hash of all that decides what becomes of it."""
        plain = self.hide.digest()
        for job in self.jobs:
            listed = given.get(job.relative.as_posix()) if given else None
            if job.is_film:
                boxes = beside(self.films.film_boxes, job)
                yield job, self.hide.digest(asdict(self.films), boxes and stamp(boxes), film=True)
            elif listed:
                yield job, self.hide.digest(listed.size, listed.faces.boxes.tolist())
            else:
                yield job, plain

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
            self.films,
            workers,
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
        "block", find.name(), threshold=find.threshold, margin=margin, threads=1
    )
    run.count()
    if not inputs:
        raise UsageError("there is no input: name pictures or folders")
    _check_files([out])
    jobs = Inputs(inputs)
    ledger = Ledger(":memory:")
    try:
        ledger.plan(((job, "") for job in jobs), out, again=True)
        with _work(ledger, run) as bar:
            search = _Search(pipeline, ledger, run.max_megapixels)
            _do(search, ledger.pending(), bar, run.count())
        _write_boxes(ledger, out)
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
            if job.is_film:
                raise PictureError(f"{job.source}: films are searched by anonymize only")
            picture = read_picture(job.source, self.max_megapixels)
        except InputError as error:
            record = failed(job, str(error))
            self.ledger.failed(job.relative, record)
            return record
        faces = self.pipeline.faces_of(picture)
        record = record_of(job, faces, picture.size, None)
        record = replace(record, seconds=round(time.monotonic() - started, 3))
        self.ledger.done(job.relative, job.source, record)
        return record


@contextmanager
def _work(ledger: Ledger, run: RunOptions) -> Iterator[Bar]:
    """A bar for all pending jobs; what cannot be done at all is told first."""
    for record in ledger.records():
        if record.status == "failed":
            print(_failure(record), file=sys.stderr)
    with progress_bar(ledger.count("pending"), quiet=run.quiet) as bar:
        if ledger.count("pending"):
            device = providers()[0].removesuffix("ExecutionProvider")
            bar.say(f"networks run on {device}, {run.count()} workers")
        yield bar


def _do(work: Callable[[Job], Record], jobs: Iterable[Job], bar: Bar, workers: int) -> None:
    """Jobs side by side; failures are told as they come."""
    for record in side_by_side(work, jobs, workers):
        _tell(record, bar)


def _tell(record: Record, bar: Bar) -> None:
    bar.advance()
    if record.status == "failed":
        bar.say(_failure(record))


def _given_boxes(path: Path | None) -> dict[str, PictureBoxes] | None:
    try:
        return read_coco(path) if path else None
    except BoxesError as error:
        raise UsageError(f"--boxes: {error}") from error


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
    with _named(report), atomic_path(report) as part, part.open("w", encoding="utf-8") as file:
        for record in ledger.records():
            file.write(record.to_json() + "\n")


def _write_boxes(ledger: Ledger, target: Path) -> None:
    with _named(target):
        write_coco(target, lambda: _coco_rows(ledger))


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(f"{path}: cannot be written: {error.strerror or error}") from error


def _coco_rows(ledger: Ledger) -> Iterable[PictureBoxes]:
    for record in ledger.records():
        if record.status == "done" and not record.frames:
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
    if suffix in PICTURE_SUFFIXES and suffix != inputs[0].suffix.lower():
        raise UsageError(f"{out}: formats stay as they are; let it end in {inputs[0].suffix}")
    return True


def _to_file(source: Path, out: Path) -> Job:
    if is_video(out) and source.exists() and is_live(str(source)):
        return Job(Path(PIPE) if source == STANDARD_INPUT else source, Path(out.name))
    [job] = Inputs([source])
    return Job(source, Path(out.name), job.problem)


def _check_files(paths: Iterable[Path]) -> None:
    """Files of JSON to be written at the end: what is wrong with them is told before the work."""
    for path in paths:
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; name the JSON file to write")
        if path.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES:
            raise UsageError(f"{path}: JSON goes there, but it is named like a picture or film")
        _make_folder(path.parent)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: the folder cannot be made: {error.strerror}") from error
