"""The command `dataset`: a copy of a data set with its faces hidden and its labels kept."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dartblur.anonymizers import WEIGHTS
from dartblur.batch.copier import Copier, CopyJob, Hidden
from dartblur.batch.data_card import CARD_NAME, CardFacts, write_card
from dartblur.batch.dataset_places import check_folders, distinct
from dartblur.batch.inputs import Job
from dartblur.batch.label_index import LabelIndex, index_labels
from dartblur.batch.ledger import Ledger
from dartblur.batch.manifest import (
    LINES_NAME,
    Row,
    is_sound,
    merge_manifests,
    read_manifest,
    rows_of,
    write_manifest,
)
from dartblur.batch.options import AnonymizationOptions, RunOptions
from dartblur.batch.parallel import parallel_map
from dartblur.batch.remote import (
    is_remote,
    jobs_of,
    place_of,
)
from dartblur.batch.runner import make_folder, progress_of, summarize, tell
from dartblur.batch.shares import Share, shard_folders, share_of
from dartblur.batch.state import LEDGER_NAME, parts_of, state_of
from dartblur.batch.verification import verify_copy
from dartblur.cluster import ray_map
from dartblur.datasets import FACE_CLASSES
from dartblur.datasets.shards import is_shard
from dartblur.errors import UsageError
from dartblur.files import remove_parts
from dartblur.formatting import printable
from dartblur.pipeline import cores
from dartblur.records import Record
from dartblur.video import VideoOptions


def dataset(
    src: Path | None = None,
    dst: Path | None = None,
    /,
    *,
    format: str | None = None,  # noqa: A002 - the option's name
    hidden: Hidden = "both",
    classes: tuple[str, ...] = FACE_CLASSES,
    keep: tuple[str, ...] = (),
    hide: AnonymizationOptions = AnonymizationOptions(),  # noqa: B008 - frozen
    films: Annotated[VideoOptions, Parameter(name="*")] = VideoOptions(),  # noqa: B008 - frozen
    run: RunOptions = RunOptions(),  # noqa: B008 - frozen
    state: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    shard: str | None = None,
    merge: Annotated[bool, Parameter(negative="")] = False,
    ray: str | None = None,
    verify: Path | None = None,
    source: Path | None = None,
) -> int:
    """Makes a copy of a data set in which every face is hidden, and its labels are as they were.

    Pictures and films keep their names, pictures their encodings, all other files are copied byte
    for byte; a file that is neither might show somebody unless it is plain text, and is refused
    unless --keep says so.
    DST holds the files of SRC and nothing else; the manifest (what was done to each file, with its
    sha256), the data card and the memory between runs lie in DST.dartblur beside it. Run again, it
    does only what is missing, failed or changed.

    Parameters
    ----------
    src
        The root of the data set, or of a folder of several; a URL too, s3://bucket/name say.
    dst
        The folder of the copy, or a URL.
    format
        `widerface`, `fddb`, `crowdhuman`, `coco`, `yolo`, `voc`, `imagefolder`, `webdataset`,
        `huggingface` or `folder`. Default: found by the layout; shards are copied in each.
    hidden
        `labelled` faces, `detected` ones, or `both`. Labels never change.
    classes
        Names of classes that are faces, where the labels tell several classes: `head,face`.
    keep
        A pattern of files that are copied as they are though they are no text, `*.mat`; may be
        given several times.
    state
        The folder for manifest, card and memory. Default: DST.dartblur beside DST; none for a URL.
    overwrite
        Does all files again.
    shard
        `i/n`, 1/8 to 8/8 say: does this share of the files alone, for a scheduler that starts n
        such commands. They share nothing but the folders; --merge ends the work.
    merge
        Joins the manifests of all shards.
    ray
        The address of a cluster of Ray's, "auto" say, on which --workers actors do the work; all
        machines must see SRC and DST under the same names. `local` begins one on this machine.
    verify
        Checks a copy in place of making one: all files there and as they were written, none
        clear, nothing besides, no metadata, the manifest untouched.
    source
        The data set that the copy to be verified was made of; labels and pictures are compared.

    Returns
    -------
        0 when all is done or the copy is in order, 1 when files failed or something is wrong:
        each is named with the reason.
    """
    if verify is not None:
        if src is not None:
            raise UsageError("--verify takes no other folder: dartblur dataset --verify DST")
        return verify_copy(verify, state, source, run.count())
    if src is None or dst is None:
        raise UsageError("name the data set and the folder of its copy: dartblur dataset SRC DST")
    if source is not None:
        raise UsageError("--source goes with --verify")
    if hide.boxes or hide.keep_metadata:
        raise UsageError("--boxes and --keep-metadata are of dartblur anonymize; see --hidden")
    hide.pipeline(1)
    run.count()
    src, dst = place_of(src), place_of(dst)
    check_folders(src, dst, state)
    if ray:
        # Actors stand in other folders.
        src, dst, state = src.absolute(), dst.absolute(), state and state.absolute()
    named = tuple(name.strip().lower() for each in classes for name in each.split(","))
    labels = index_labels(src, format, named)
    if hidden == "labelled" and not labels.by_name and not _has_shards(src):
        raise UsageError(f"{src}: has no labels of faces; --hidden detected searches its pictures")
    for told in labels.leading_elsewhere(src):
        print(printable(f"NOTE {told}: a loader of the copy reads the source"), file=sys.stderr)
    share = share_of(shard)
    if not is_remote(dst):
        make_folder(dst)
    state = state_of(dst, state, [] if is_remote(src) else [src.resolve()])
    task = _Run(
        src, dst, state, labels, named, hidden, keep, hide, films, run, overwrite, share, ray
    )
    if merge:
        return task.merge()
    if share:
        task = replace(task, state=state / share.folder)
        make_folder(task.state)
    with _opened(task.state, dst) as ledger:
        return task(ledger)


@dataclass(frozen=True)
class _Run:
    """One run of `dataset`, once its places are settled."""

    src: Path
    dst: Path
    state: Path
    labels: LabelIndex
    classes: tuple[str, ...]
    hidden: Hidden
    keep: tuple[str, ...]
    hide: AnonymizationOptions
    films: VideoOptions
    run: RunOptions
    overwrite: bool
    share: Share | None = None
    ray: str | None = None

    def __call__(self, ledger: Ledger) -> int:
        parts = self.state if is_remote(self.dst) else parts_of(self.dst, self.state)
        remove_parts(parts)
        there: set[str] = set()
        ledger.plan(self._settled(there), again=self.overwrite)
        left_over = list(ledger.left_over())
        if left_over or ledger.count_pending():
            # Until this run has ended, no manifest tells the truth.
            (self.state / LINES_NAME).unlink(missing_ok=True)
        for path in left_over:
            path.unlink()
        missing = self._tell_labels(there)
        self._copy(ledger, parts)
        if not is_sound(self.state):
            self._write(rows_of(ledger.report()))
        return self._summarize(ledger, len(left_over), missing)

    def merge(self) -> int:
        """Joins the manifests of all shards; returns the exit status.

        Raises:
            UsageError: not all of one number of shards are there.
        """
        folders = shard_folders(self.state)
        self._write(merge_manifests(folders))
        rows = list(read_manifest(self.state / LINES_NAME))
        failed = sum(row.status == "failed" for row in rows)
        told = f"{len(folders)} shards merged: {len(rows)} files, {failed} of them FAILED"
        print(told, file=sys.stderr)
        self._tell_places()
        return 1 if failed else 0

    def _write(self, rows: Iterable[Row]) -> None:
        write_manifest(self.state, rows)
        write_card(self.state / CARD_NAME, self._told(), read_manifest(self.state / LINES_NAME))

    def _settled(self, there: set[str]) -> Iterator[tuple[Job, str]]:
        """Every file, with a hash of all that decides what becomes of it."""
        plain = self.hide.digest(self.hidden, self.keep)
        of_shards = self.hide.digest(self.hidden, self.keep, self.classes)
        of_films = self.hide.digest(self.hidden, asdict(self.films), film=True)
        for job in distinct(jobs_of(self.src), self.dst):
            name = job.relative.as_posix()
            if self.share and name not in self.share:
                continue
            if name in self.labels.by_name:
                there.add(name)
            if job.is_film:
                yield job, of_films
            elif is_shard(name):
                yield job, of_shards
            elif self.labels.of(name) and not job.problem:
                yield job, f"{plain} {self.labels.digest(name)}"
            else:
                yield job, plain

    def _tell_labels(self, there: set[str]) -> int:
        """Names the pictures that labels name and that are not there."""
        named = (n for n in self.labels.by_name if not self.share or n in self.share)
        missing = [name for name in named if name not in there]
        for name in missing:
            where = self.labels.by_name[name][0].where
            told = f"FAILED {self.src / name}: named in {where} but not there"
            print(printable(told), file=sys.stderr)
        return len(missing)

    def _copy(self, ledger: Ledger, parts: Path) -> None:
        workers = self.run.count()
        spare = min(workers, cores()) // max(1, ledger.count_pending())
        threads = 1 if self.ray else max(1, spare)
        copier = Copier(
            self.dst,
            parts.absolute() if self.ray else parts,
            self.hide,
            self.hidden,
            (*self.labels.keeps(), *self.keep),
            self.labels.masks(),
            self.run.max_megapixels,
            threads,
            {"method": self.hide.method_name, "settings": self.hide.described()},
            self.classes,
            self.films,
        )
        with progress_of(ledger, self.run, self.hide.find.device) as bar:
            for record in self._mapped(copier, self._tasks(ledger), workers):
                self._enter(ledger, record)
                tell(record, bar)
            # As `anonymize` does them: one at a time on all cores, and in this thread.
            filming = replace(copier, threads=workers)
            for task in self._tasks(ledger, films=True):
                with bar.film(task.job.relative.name) as progress:
                    record = filming(task, progress)
                    self._enter(ledger, record)
                    tell(record, bar)
        # Of an actor that was killed.
        remove_parts(parts)

    def _mapped(self, copier: Copier, tasks: Iterable[CopyJob], workers: int) -> Iterator[Record]:
        if self.ray:
            gpus = 1 if self.hide.find.device == "cuda" else 0
            return ray_map(copier, tasks, workers, self.ray, gpus=gpus)
        return parallel_map(copier, tasks, workers)

    def _tasks(self, ledger: Ledger, *, films: bool = False) -> Iterator[CopyJob]:
        for job in ledger.pending():
            # Actors do films like any other file.
            if job.is_film and not (films or self.ray):
                continue
            if not (self.overwrite or ledger.may_replace(job.relative, self.dst / job.relative)):
                told = f"{self.dst / job.relative} is there and is none of ours; move it away"
                yield CopyJob(replace(job, problem=told))
                continue
            # Whatever a killed run leaves there is ours to replace.
            ledger.writing(job.relative)
            job = replace(job, source=place_of(job.source))
            yield CopyJob(job, self.labels.of(job.relative.as_posix()))

    def _enter(self, ledger: Ledger, record: Record) -> None:
        relative, target = Path(record.file), self.dst / record.file
        if not record.error:
            ledger.done(relative, target, record)
            return
        # What an earlier run made with other settings is not what this one was asked for.
        if ledger.may_replace(relative, target):
            with suppress(OSError):
                target.unlink()
        ledger.failed(relative, record)

    def _told(self) -> CardFacts:
        formats = sorted({each.name for each in self.labels.parts.values()})
        settings = self.hide.described()
        own = self.hide.settings.generator_file != WEIGHTS
        return CardFacts(self.dst.absolute().name, formats, self.hidden, settings, own)

    def _summarize(self, ledger: Ledger, removed: int, missing: int) -> int:
        status = summarize(ledger, "done", None)
        if removed:
            print(f"{removed} files removed from the copy: gone from the source", file=sys.stderr)
        if missing:
            print(f"{missing} labelled pictures are not there: named above", file=sys.stderr)
        self._tell_places()
        return 1 if missing else status

    def _tell_places(self) -> None:
        for what, name in (("manifest", LINES_NAME), ("card", CARD_NAME)):
            print(printable(f"{what}: {self.state / name}"), file=sys.stderr)


def _has_shards(src: Path) -> bool:
    """Whether there are files that may hold labels beside their pictures."""
    return any(is_shard(job.relative.as_posix()) for job in jobs_of(src))


@contextmanager
def _opened(state: Path, dst: Path) -> Iterator[Ledger]:
    ledger = Ledger(state / LEDGER_NAME, dst)
    try:
        if ledger.set_aside:
            print(printable(f"NOTE {ledger.set_aside}"), file=sys.stderr)
        yield ledger
    finally:
        ledger.close()
