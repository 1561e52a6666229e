"""The command `anonymize`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dartblur.batch.inputs import Inputs, Job, check_places
from dartblur.batch.ledger import Ledger
from dartblur.batch.options import AnonymizationOptions, FilmOptions, RunOptions
from dartblur.batch.report import add_to_report, check_report, write_report
from dartblur.batch.runner import (
    check_json_targets,
    make_folder,
    naming,
    progress_of,
    run_parallel,
    summarize,
    tell,
    write_boxes,
)
from dartblur.batch.stamps import stamp_of
from dartblur.batch.state import (
    DECISIONS_NAME,
    LEDGER_NAME,
    MENDED_NAME,
    REPORT_NAME,
    ledger_of_file,
    parts_of,
    state_of,
)
from dartblur.batch.worker import BoxesOf, Worker, boxes_file_of
from dartblur.coco import read_coco
from dartblur.errors import BoxesError, UsageError
from dartblur.files import remove_parts
from dartblur.formatting import printable
from dartblur.images import PICTURE_SUFFIXES
from dartblur.pipeline import cores
from dartblur.video import VIDEO_SUFFIXES, is_video
from dartblur.video.places import PIPE, STANDARD_INPUT, is_live


def anonymize(
    inputs: list[Path],
    /,
    *,
    out: Annotated[Path, Parameter(alias="-o")],
    hide: AnonymizationOptions = AnonymizationOptions(),  # noqa: B008 - frozen
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
    run.count()
    boxes_of = _given_boxes(hide.boxes)
    check_json_targets([path for path in (boxes_out, report) if path])
    if report:
        check_report(report)
    if _is_file_target(inputs, out):
        make_folder(out.parent)
        job = _to_file(inputs[0], out)
        # Of what a camera shows, nothing was done before.
        memory = ":memory:" if is_live(str(job.source)) else ledger_of_file(out, state)
        task = _AnonymizeRun(
            out.parent, out.parent, [job], (), hide, films, run, boxes_of, overwrite
        )
        return task(Ledger(memory, out.parent), boxes_out, report)
    check_places(inputs, out)
    roots = tuple(path.resolve() for path in inputs if path.is_dir())
    make_folder(out)
    state = state_of(out, state, roots)
    ledger = Ledger(state / LEDGER_NAME, out)
    parts = parts_of(out, state)
    remove_parts(parts)
    task = _AnonymizeRun(out, parts, Inputs(inputs), roots, hide, films, run, boxes_of, overwrite)
    return task(ledger, boxes_out, report, state / REPORT_NAME)


@dataclass(frozen=True)
class _AnonymizeRun:
    """One run of `anonymize`, once its places are settled."""

    out: Path
    parts: Path
    jobs: Iterable[Job]
    roots: tuple[Path, ...]
    hide: AnonymizationOptions
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
            self._tell_of_review(ledger, own_report)
            self._process(ledger)
            if boxes_out:
                write_boxes(ledger, boxes_out)
            if chosen_report:
                with naming(chosen_report):
                    add_to_report(ledger, chosen_report)
            elif own_report:
                with naming(own_report):
                    write_report(ledger, own_report)
            return summarize(ledger, "done", chosen_report or own_report)
        finally:
            ledger.close()

    def _tell_of_review(self, ledger: Ledger, own_report: Path | None) -> None:
        """Says what becomes of the boxes that people drew in the review of an earlier run."""
        state = own_report and own_report.parent
        if not state or self.hide.boxes or not (state / DECISIONS_NAME).exists():
            return
        if ledger.count_pending():
            note = (
                f"NOTE {self.out}: was reviewed; boxes that people drew are hidden in what is made "
                "anew now when dartblur review applies them again, or with --boxes "
                f"{state / MENDED_NAME}"
            )
            print(printable(note), file=sys.stderr)

    def _process(self, ledger: Ledger) -> None:
        work = self._worker(ledger)
        with progress_of(ledger, self.run, self.hide.find.device) as bar:
            pictures = (job for job in ledger.pending() if not job.is_film)
            run_parallel(work, pictures, bar, self.run.count())
            # One film at a time: each uses all cores by itself. In this thread: an interrupt
            # ends it at once, not with the film.
            filming = replace(work, pipeline=self.hide.pipeline(1, film=True))
            for job in ledger.pending():
                with bar.film(job.relative.name) as progress:
                    tell(replace(filming, progress=progress)(job), bar)

    def _settled(self) -> Iterator[tuple[Job, str]]:
        """Every job, with a hash of all that decides what becomes of it."""
        plain = self.hide.digest()
        for job in self.jobs:
            if job.is_film:
                boxes = boxes_file_of(self.films.film_boxes, job)
                yield (
                    job,
                    self.hide.digest(asdict(self.films), boxes and stamp_of(boxes), film=True),
                )
            elif self.boxes_of and (given := self.boxes_of(job.listed)):
                yield job, self.hide.digest_with(plain, given)
            else:
                yield job, plain

    def _worker(self, ledger: Ledger) -> Worker:
        # A lone picture gets all cores for its networks; of many, each gets one.
        workers = self.run.count()
        threads = max(1, min(workers, cores()) // max(1, ledger.count_pending()))
        return Worker(
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


def _given_boxes(path: Path | None) -> BoxesOf | None:
    try:
        return read_coco(path).get if path else None
    except BoxesError as error:
        raise UsageError(f"--boxes: {error}") from error


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
