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

from dartblur.batch.hiding import BoxesOf, Hiding, beside
from dartblur.batch.inputs import Inputs, Job, check_places, stamp
from dartblur.batch.ledger import Ledger, failed, failure
from dartblur.batch.options import FilmOptions, FindOptions, HideOptions, RunOptions
from dartblur.batch.progress import Bar, printable, progress_bar
from dartblur.batch.reporting import add_to_report, check_report, write_report
from dartblur.batch.side_by_side import side_by_side
from dartblur.batch.state import LEDGER_NAME, REPORT_NAME, ledger_of_file, parts_of, state_of
from dartblur.coco import PictureBoxes, read_coco, write_coco
from dartblur.errors import BoxesError, InputError, PictureError, UsageError
from dartblur.faces import Faces
from dartblur.files import remove_parts
from dartblur.images import PICTURE_SUFFIXES, read_picture
from dartblur.onnx_runtime import providers
from dartblur.pipeline import Pipeline, cores, make_pipeline
from dartblur.records import Record, picture_record
from dartblur.video import VIDEO_SUFFIXES, is_video
from dartblur.video.source import PIPE, is_live

STANDARD_INPUT = Path("/dev/stdin")
_NAMED = 3  # of the files passed over, in the summary


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
    state: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Hides every face in pictures and films, and in folders with all that is below them.

    A second run does only what is missing, failed or changed, or was made with other settings.
    Metadata goes, thumbnails always; the colour profile stays; pictures come out upright.
    The output holds pictures and films alone. What is private (the report, the memory of what is
    done) lies in OUT.dartblur beside it: do not publish that.

    Parameters
    ----------
    inputs
        Pictures, films and folders; `-` is a film from standard input, /dev/video0 a camera.
    out
        A folder, in which the inputs' tree is mirrored; for a single input also a file.
    boxes_out
        Writes the boxes hidden in pictures there, as COCO JSON.
    report
        Writes a line of JSON for each file there; lines of other files that it holds stay.
        Default: report.jsonl in the state folder; none for a single file.
    state
        The folder for the memory between runs. Default: OUT.dartblur beside the output folder; for
        a single file the user's own folder of states.
    overwrite
        Does all files again, and replaces files that no earlier run made.

    Returns
    -------
        0 when all is done, 1 when inputs failed: each is named, and nothing is written for it.
    """
    # Wrong options are told before anything is touched.
    hide.pipeline(1)
    films.options(keep_metadata=hide.keep_metadata, tolerant=hide.tolerant, workers=run.count())
    boxes_of = _given_boxes(hide.boxes)
    _check_files([path for path in (boxes_out, report) if path])
    if report:
        check_report(report)
    if _is_file_target(inputs, out):
        _make_folder(out.parent)
        job = _to_file(inputs[0], out)
        # Of what a camera shows, nothing was done before.
        memory = ":memory:" if is_live(str(job.source)) else ledger_of_file(out, state)
        task = _Anonymize(out.parent, out.parent, [job], (), hide, films, run, boxes_of, overwrite)
        return task(Ledger(memory, out.parent), boxes_out, report)
    check_places(inputs, out)
    roots = tuple(path.resolve() for path in inputs if path.is_dir())
    _make_folder(out)
    state = state_of(out, state, roots)
    ledger = Ledger(state / LEDGER_NAME, out)
    parts = parts_of(out, state)
    remove_parts(parts)
    task = _Anonymize(out, parts, Inputs(inputs), roots, hide, films, run, boxes_of, overwrite)
    return task(ledger, boxes_out, report, state / REPORT_NAME)


@dataclass(frozen=True)
class _Anonymize:
    """One run of `anonymize`, once its places are settled."""

    out: Path
    parts: Path
    jobs: Iterable[Job]
    roots: tuple[Path, ...]
    hide: HideOptions
    films: FilmOptions
    run: RunOptions
    boxes_of: BoxesOf | None
    overwrite: bool

    def __call__(
        self,
        ledger: Ledger,
        boxes_out: Path | None,
        chosen_report: Path | None,
        own_report: Path | None = None,
    ) -> int:
        try:
            if ledger.set_aside:
                print(printable(f"NOTE {ledger.set_aside}"), file=sys.stderr)
            ledger.plan(self._settled(), again=self.overwrite)
            self._do(ledger)
            if boxes_out:
                _write_boxes(ledger, boxes_out)
            if chosen_report:
                with _named(chosen_report):
                    add_to_report(ledger, chosen_report)
            elif own_report:
                with _named(own_report):
                    write_report(ledger, own_report)
            return _summary(ledger, "done", chosen_report or own_report)
        finally:
            ledger.close()

    def _do(self, ledger: Ledger) -> None:
        work = self._worker(ledger)
        with _work(ledger, self.run, self.hide.find.device) as bar:
            pictures = (job for job in ledger.pending() if not job.is_film)
            _do(work, pictures, bar, self.run.count())
            # One film at a time: each uses all cores by itself. In this thread: an interrupt
            # ends it at once, not with the film.
            filming = replace(work, pipeline=self.hide.pipeline(1, film=True))
            for job in ledger.pending():
                with bar.film(job.relative.name) as progress:
                    _tell(replace(filming, progress=progress)(job), bar)

    def _settled(self) -> Iterator[tuple[Job, str]]:
        """Every job, with a hash of all that decides what becomes of it."""
        plain = self.hide.digest()
        for job in self.jobs:
            if job.is_film:
                boxes = beside(self.films.film_boxes, job)
                yield job, self.hide.digest(asdict(self.films), boxes and stamp(boxes), film=True)
            elif self.boxes_of and (given := self.boxes_of(job.relative.as_posix())):
                yield job, self.hide.digest_with(plain, given)
            else:
                yield job, plain

    def _worker(self, ledger: Ledger) -> Hiding:
        # A lone picture gets all cores for its networks; of many, each gets one.
        workers = self.run.count()
        threads = max(1, min(workers, cores()) // max(1, ledger.count_pending()))
        return Hiding(
            self.hide.pipeline(threads),
            self.hide,
            ledger,
            self.out,
            self.parts,
            self.roots,
            self.boxes_of,
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
        "block",
        find.name(),
        threshold=find.threshold,
        margin=margin,
        threads=1,
        device=find.device,
    )
    run.count()
    if not inputs:
        raise UsageError("there is no input: name pictures or folders")
    _check_files([out])
    ledger = Ledger(":memory:")
    try:
        ledger.plan(((job, "") for job in Inputs(inputs)), again=True)
        with _work(ledger, run, find.device) as bar:
            search = _Search(pipeline, ledger, run.max_megapixels)
            _do(search, ledger.pending(), bar, run.count())
        _write_boxes(ledger, out)
        return _summary(ledger, "searched", None)
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
        record = picture_record(job.source, faces, picture.size)
        seconds = round(time.monotonic() - started, 3)
        record = replace(record, file=job.relative.as_posix(), seconds=seconds)
        self.ledger.done(job.relative, job.source, record)
        return record


@contextmanager
def _work(ledger: Ledger, run: RunOptions, device: str) -> Iterator[Bar]:
    """A bar for all pending jobs; what cannot be done at all is told first."""
    for told in ledger.failures():
        print(told, file=sys.stderr)
    pending = ledger.count_pending()
    with progress_bar(pending, quiet=run.quiet) as bar:
        if pending:
            provider = providers(device)[0].removesuffix("ExecutionProvider")
            bar.say(f"networks run on {provider}, {run.count()} workers")
        yield bar


def _do(work: Callable[[Job], Record], jobs: Iterable[Job], bar: Bar, workers: int) -> None:
    """Jobs side by side; failures are told as they come."""
    for record in side_by_side(work, jobs, workers):
        _tell(record, bar)


def _tell(record: Record, bar: Bar) -> None:
    bar.advance()
    if record.error:
        bar.say(failure(record))
    for note in record.notes:
        bar.say(f"NOTE {record.source}: {note}")


def _given_boxes(path: Path | None) -> BoxesOf | None:
    try:
        return read_coco(path).get if path else None
    except BoxesError as error:
        raise UsageError(f"--boxes: {error}") from error


def _summary(ledger: Ledger, verb: str, report: Path | None) -> int:
    counts = ledger.counts()
    parts = [f"{counts.done - ledger.kept} {verb}"]
    if counts.done > ledger.kept or not ledger.kept:
        parts[0] += f" ({counts.faces - ledger.kept_faces} faces)"
    if ledger.kept:
        parts.append(f"{ledger.kept} already {verb} ({ledger.kept_faces} faces)")
    if counts.failed:
        parts.append(f"{counts.failed} FAILED (named above; nothing written for them)")
    if counts.passed_over:
        names = ledger.passed_over(_NAMED)
        if counts.passed_over > _NAMED:
            names.append("...")
        parts.append(f"{counts.passed_over} other files passed over: {', '.join(names)}")
    print(printable(", ".join(parts)), file=sys.stderr)
    if report:
        print(printable(f"report: {report}"), file=sys.stderr)
    return 1 if counts.failed else 0


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
        if not record.frames:
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
