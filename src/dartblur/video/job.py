"""One film as a job: from its source to a safe file and the record of what was done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import av
from av.container import InputContainer

from dartblur.errors import DartblurError, VideoError
from dartblur.files import atomic_path
from dartblur.formatting import timecode
from dartblur.records import Record
from dartblur.video.container import open_container
from dartblur.video.options import MUXERS, VideoReport
from dartblur.video.processor import VideoProcessor
from dartblur.video.task import ProgressCallback, VideoTask
from dartblur.video.track_log import TrackLog


def hide_film(
    task: VideoTask,
    target: Path,
    *,
    progress: ProgressCallback | None = None,
    parts: Path | None = None,
    before_naming: Callable[[], None] | None = None,
    tracks: TrackLog | None = None,
) -> Record:
    """Hides every face of a film; arguments and errors are those of `anonymize_video`.

    It knows of no ledger and no other film: any process may call it.
    """
    report = anonymize_video(
        task,
        target,
        progress=progress,
        parts=parts,
        before_naming=before_naming,
        tracks=tracks,
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


def anonymize_video(
    task: VideoTask,
    target: Path,
    *,
    progress: ProgressCallback | None = None,
    parts: Path | None = None,
    before_naming: Callable[[], None] | None = None,
    tracks: TrackLog | None = None,
) -> VideoReport:
    """Hides every face of a film; `target` appears whole and checked, or not at all.

    progress: called with the seconds of film that are done, and how many there are, if known.
    parts: folder for the unfinished film, on the target's file system. before_naming: called when
    the film is whole, right before it gets its name. tracks: is told what is hidden in each frame.

    Raises:
        VideoError: the film cannot be read, hidden or written; the message says when in it.
        BoxesError: the given boxes do not fit. UsageError: there is no such encoder.
    """
    with ExitStack() as stack:
        part = stack.enter_context(atomic_path(target, parts))
        boxes_out: TextIO | None = None
        if task.boxes_out is not None:
            lines = stack.enter_context(atomic_path(task.boxes_out))
            boxes_out = stack.enter_context(lines.open("w", encoding="utf-8"))
        muxer = MUXERS.get(target.suffix.lower(), "mp4")
        container = stack.enter_context(open_container(task.source, tolerant=task.tolerant))
        report = _process(task, container, part, muxer, boxes_out, progress, tracks)
        if before_naming is not None:
            before_naming()
    return report


def _process(
    task: VideoTask,
    container: InputContainer,
    part: Path,
    muxer: str,
    boxes_out: TextIO | None,
    progress: ProgressCallback | None,
    tracks: TrackLog | None,
) -> VideoReport:
    processor = VideoProcessor(task, container, part, muxer, boxes_out, progress, tracks)
    try:
        processor.run()
        return processor.report()
    except DartblurError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        where = timecode(processor.time)
        raise VideoError(
            f"{task.source}: failed at {where}: {error}; nothing was written for it"
        ) from error
    finally:
        processor.close()
