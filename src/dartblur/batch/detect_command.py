"""The command `detect`."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dartblur.batch.inputs import Inputs, Job
from dartblur.batch.ledger import Ledger, failed_record
from dartblur.batch.options import DetectionOptions, RunOptions
from dartblur.batch.runner import (
    check_json_targets,
    progress_of,
    run_parallel,
    summarize,
    write_boxes,
)
from dartblur.errors import InputError, PictureError, UsageError
from dartblur.images import read_picture
from dartblur.pipeline import DEFAULT_MARGIN, Pipeline, make_pipeline
from dartblur.records import Record, picture_record


def detect(
    inputs: list[Path],
    /,
    *,
    out: Annotated[Path, Parameter(alias="-o")],
    find: DetectionOptions = DetectionOptions(),  # noqa: B008 - frozen
    run: RunOptions = RunOptions(),  # noqa: B008 - frozen
    margin: float = DEFAULT_MARGIN,
) -> int:
    """Finds faces and writes their boxes as COCO JSON; `anonymize --boxes` takes the file.

    The boxes are those that `anonymize` hides with the same detector and margin, so that a file
    of them, mended or not, covers no less.

    Parameters
    ----------
    inputs
        Pictures and folders.
    out
        The COCO JSON file to write.
    margin
        How far each box is grown on every side, as a share of its width and height; 0: as found.

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
    check_json_targets([out])
    ledger = Ledger(":memory:")
    try:
        ledger.plan(((job, "") for job in Inputs(inputs)), again=True)
        with progress_of(ledger, run, find.device) as bar:
            detection = _Detection(pipeline, ledger, run.max_megapixels)
            run_parallel(detection, ledger.pending(), bar, run.count())
        write_boxes(ledger, out)
        return summarize(ledger, "searched", None)
    finally:
        ledger.close()


@dataclass(frozen=True)
class _Detection:
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
            record = failed_record(job, str(error))
            self.ledger.failed(job.relative, record)
            return record
        faces = self.pipeline.detect(picture)
        record = picture_record(job.source, faces, picture.size)
        seconds = round(time.monotonic() - started, 3)
        record = replace(record, file=job.relative.as_posix(), seconds=seconds)
        self.ledger.done(job.relative, job.source, record)
        return record
