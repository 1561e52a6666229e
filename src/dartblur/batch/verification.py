"""Checks a copy of a data set against its manifest, and against what it was made of."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from dartblur import boxes as boxlib
from dartblur.anonymizers.gaussian import SMALLEST_SIDE
from dartblur.batch.copier import FILM, MEMBER, OTHER, PICTURE
from dartblur.batch.inputs import Job
from dartblur.batch.manifest import (
    LINES_NAME,
    TABLE_NAME,
    ManifestError,
    Row,
    read_manifest,
    read_table,
)
from dartblur.batch.parallel import parallel_map
from dartblur.batch.remote import is_remote, jobs_of, place_of
from dartblur.batch.stamps import sha256_of
from dartblur.errors import InputError, UsageError
from dartblur.formatting import printable
from dartblur.images import read_picture

_ORIENTATION = 0x0112
# Of what Pillow tells of a file, what may hold more than pixels.
_METADATA = ("xmp", "XML:com.adobe.xmp", "photoshop", "comment", "iptc")
_EXIF, _JPEG = b"Exif\0\0", b"\xff\xd8\xff"


def verify_copy(dst: Path, state: Path | None, source: Path | None, workers: int) -> int:
    """Names what is wrong with a copy; returns the exit status.

    Raises:
        UsageError: there is no copy, or no manifest of it.
    """
    dst, source = place_of(dst), source and place_of(source)
    if is_remote(dst) and state is None:
        raise UsageError(f"{dst}: name the folder of its manifest with --state")
    for folder in (dst, source):
        if folder is not None and not folder.is_dir():
            raise UsageError(f"{folder}: there is no such folder")
    state = state or dst.resolve().with_name(f"{dst.resolve().name}.dartblur")
    if not (state / LINES_NAME).is_file():
        raise UsageError(f"{state / LINES_NAME}: there is no manifest; name its folder: --state")
    wrong = 0
    for told in _faults(dst, state, source, workers):
        print(printable(f"WRONG {told}"), file=sys.stderr)
        wrong += 1
    told = f"{wrong} faults" if wrong else "as it was made: nothing clear, missing or besides"
    print(printable(f"{dst}: {told}"), file=sys.stderr)
    return 1 if wrong else 0


def _faults(dst: Path, state: Path, source: Path | None, workers: int) -> Iterator[str]:
    try:
        rows = {row.file: row for row in read_manifest(state / LINES_NAME) if row.kind != MEMBER}
        yield from _table_faults(state)
    except ManifestError as error:
        yield str(error)
        return
    made = {name: row for name, row in rows.items() if row.status == "done"}
    for name, row in rows.items():
        if row.status == "failed":
            yield f"{name}: could not be made, the copy is without it: {row.error}"
    jobs = {job.relative.as_posix(): job for job in _files(dst)}
    yield from (f"{name}: is missing" for name in made if name not in jobs)
    if source is not None:
        sources = {job.relative.as_posix() for job in _files(source)}
        known = (f"{n}: the source has it, the manifest does not" for n in sources - rows.keys())
        yield from sorted(known)
        yield from sorted(f"{n}: is gone from the source" for n in made.keys() - sources)
    check = _Check(made, source)
    for faults in parallel_map(check, jobs.values(), workers):
        yield from faults


def _files(root: Path) -> Iterator[Job]:
    return (job for job in jobs_of(root) if not job.passed_over)


def _table_faults(state: Path) -> Iterator[str]:
    lines, table = read_manifest(state / LINES_NAME), read_table(state / TABLE_NAME)
    try:
        for line, row in zip(lines, table, strict=True):
            if line != row:
                yield f"{state / TABLE_NAME}: tells otherwise of {row.file} than {LINES_NAME}"
    except ValueError:
        yield f"{state / TABLE_NAME}: has not as many rows as {LINES_NAME}"


@dataclass(frozen=True)
class _Check:
    """Checks one file of the copy."""

    made: dict[str, Row]
    source: Path | None

    def __call__(self, job: Job) -> list[str]:
        name = job.relative.as_posix()
        row = self.made.get(name)
        if row is None:
            return [f"{name}: was not made by the run; remove it"]
        if job.problem:
            return [f"{name}: {job.problem}"]
        try:
            return [f"{name}: {fault}" for fault in self._faults(job.source, row)]
        except (OSError, InputError) as error:
            return [f"{name}: {error}"]

    def _faults(self, path: Path, row: Row) -> Iterator[str]:
        found = sha256_of(path)
        if (
            row.kind in (PICTURE, FILM)
            and found == row.sha256_in
            and (row.boxes or found != row.sha256_out)
        ):
            yield f"is the clear {row.kind} of the source"
        elif found != row.sha256_out:
            yield "is not as it was made: it has another sha256"
        if row.kind == PICTURE:
            yield from hidden_content(path)
        if self.source is not None:
            yield from self._against(self.source / row.file, path, row)

    def _against(self, source: Path, path: Path, row: Row) -> Iterator[str]:
        if not source.is_file():
            return
        if sha256_of(source) != row.sha256_in:
            yield "its source is not what it was made of"
        elif row.kind == OTHER and row.sha256_in != row.sha256_out:
            yield "differs from its source"
        elif row.kind == PICTURE and row.boxes:
            yield from _clear_boxes(source, path, row)


def _clear_boxes(source: Path, path: Path, row: Row) -> Iterator[str]:
    """Boxes in which every pixel is that of the source.

    Boxes under `SMALLEST_SIDE` on both sides are passed over: they show nobody, and JPEG may round
    away what hiding changes in so few pixels.
    """
    before, after = read_picture(source).rgb, read_picture(path).rgb
    if before.shape != after.shape:
        yield "has another size than its source"
        return
    boxes = boxlib.to_pixels(np.array(row.boxes, np.float64)[:, :4], *before.shape[:2])
    for x1, y1, x2, y2 in boxes.tolist():
        if max(x2 - x1, y2 - y1) < SMALLEST_SIDE:
            continue
        clear, safe = before[y1:y2, x1:x2], after[y1:y2, x1:x2]
        # One colour stays that colour under any blur.
        if clear.size and (clear != clear[0, 0]).any() and np.array_equal(clear, safe):
            yield f"is clear in the box {x1}, {y1} to {x2}, {y2}"


def hidden_content(path: Path) -> Iterator[str]:
    """What a picture's file holds besides pixels that may show or tell of somebody."""
    data = path.read_bytes()
    with Pillow.open(io.BytesIO(data)) as image:
        told = [key for key in _METADATA if image.info.get(key)]
        if told:
            yield f"holds metadata: {', '.join(told)}"
        packet = image.info.get("exif", b"").removeprefix(_EXIF)
        if packet and packet != _turning(image.getexif().get(_ORIENTATION, 1)):
            yield f"holds EXIF{' with a thumbnail' if _JPEG in packet else ''}"
        if getattr(image, "n_frames", 1) > 1:
            yield "holds a second picture"
        kind = image.format
    end = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}.get(str(kind))
    if end and not data.endswith(end):
        yield "holds something behind its end"


def _turning(orientation: int) -> bytes:
    """EXIF that says how to turn the picture, and nothing else."""
    exif = Pillow.Exif()
    exif[_ORIENTATION] = orientation
    return exif.tobytes().removeprefix(_EXIF)
