"""What the commands share: jobs in parallel under a progress bar, failures told, the summary."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

import numpy as np

from dartblur.batch.inputs import Job, listed_name
from dartblur.batch.ledger import Ledger, failure_line
from dartblur.batch.options import RunOptions
from dartblur.batch.parallel import parallel_map
from dartblur.batch.progress import Bar, progress_bar
from dartblur.coco import PictureBoxes, write_coco
from dartblur.errors import UsageError
from dartblur.faces import Faces
from dartblur.formatting import printable
from dartblur.images import PICTURE_SUFFIXES
from dartblur.onnx_runtime import providers
from dartblur.records import Record
from dartblur.video import VIDEO_SUFFIXES

_NAMED = 3  # of the files passed over, in the summary


@contextmanager
def progress_of(ledger: Ledger, run: RunOptions, device: str) -> Iterator[Bar]:
    """A bar for all pending jobs; what cannot be done at all is told first."""
    for told in ledger.failures():
        print(told, file=sys.stderr)
    pending = ledger.count_pending()
    with progress_bar(pending, quiet=run.quiet) as bar:
        if pending:
            provider = providers(device)[0].removesuffix("ExecutionProvider")
            bar.say(f"networks run on {provider}, {run.count()} workers")
        yield bar


def run_parallel(
    work: Callable[[Job], Record], jobs: Iterable[Job], bar: Bar, workers: int
) -> None:
    """Jobs in parallel; failures are told as they come."""
    for record in parallel_map(work, jobs, workers):
        tell(record, bar)


def tell(record: Record, bar: Bar) -> None:
    """Advances the bar by a file, and prints what went wrong with it."""
    bar.advance()
    if record.error:
        bar.say(failure_line(record))
    for note in record.notes:
        bar.say(f"NOTE {record.source}: {note}")


def summarize(ledger: Ledger, verb: str, report: Path | None) -> int:
    """Prints what became of the files of a run; returns the exit status."""
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


def write_boxes(ledger: Ledger, target: Path) -> None:
    """Writes the boxes of all pictures of a run that are done, as COCO JSON."""
    with naming(target):
        write_coco(target, lambda: _coco_rows(ledger))


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Lets an OSError within say which file it was about."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{path}: cannot be written: {error.strerror or error}") from error


def _coco_rows(ledger: Ledger) -> Iterable[PictureBoxes]:
    for record in ledger.records():
        if not record.frames:
            rows = np.array(record.boxes, np.float32).reshape(-1, 5)
            faces = Faces(rows[:, :4], np.clip(rows[:, 4], 0, 1))
            name = listed_name(PurePath(record.file), PurePath(record.source))
            yield PictureBoxes(name, (record.height, record.width), faces)


def check_json_targets(paths: Iterable[Path]) -> None:
    """Files of JSON to be written at the end: what is wrong with them is told before the work."""
    for path in paths:
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; name the JSON file to write")
        if path.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES:
            raise UsageError(f"{path}: JSON goes there, but it is named like a picture or film")
        make_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it where they are not there.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: the folder cannot be made: {error.strerror}") from error
