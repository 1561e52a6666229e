"""One film as a job: from its source to a safe file and the record of what was done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dartblur.records import Record
from dartblur.video.film import Progress, Task, anonymize_video


def hide_film(
    task: Task,
    target: Path,
    *,
    progress: Progress | None = None,
    parts: Path | None = None,
    before_naming: Callable[[], None] | None = None,
) -> Record:
    """Hides every face of a film; arguments and errors are those of `anonymize_video`.

    It knows of no ledger and no other film: any process may call it.
    """
    report = anonymize_video(
        task, target, progress=progress, parts=parts, before_naming=before_naming
    )
    return Record(
        target.name,
        task.source,
        "done",
        report.faces,
        width=report.size[1],
        height=report.size[0],
        frames=report.frames,
        notes=(*report.dropped, *report.notes),
    )
