"""The manifest of a data set's copy: what was done to each file, signed by its own hash."""

from __future__ import annotations

import hashlib
import heapq
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dartblur.batch.copier import MEMBER, SHARD
from dartblur.errors import InputError, UsageError
from dartblur.files import atomic_path

LINES_NAME, TABLE_NAME = "manifest.jsonl", "manifest.parquet"
_SIGNED = "manifest_sha256"
_ROWS = 10_000  # of Parquet, written together


class ManifestError(InputError):
    """A manifest is missing, malformed or not what was written."""


@dataclass(frozen=True)
class Row:
    """One file of the copy, or one picture of a shard.

    file: below the root of the copy; of a picture in a shard, below the shard's name. kind:
    picture, film, shard, member or other. status: done or failed. boxes: x1, y1, x2, y2, score of
    what was hidden, in pixels of the upright picture; of a film none. recall: see `CopyRecord`.
    """

    file: str
    kind: str
    status: str
    sha256_in: str = ""
    sha256_out: str = ""
    width: int = 0
    height: int = 0
    boxes: tuple[tuple[float, ...], ...] = ()
    method: str = ""
    detector: str = ""
    weights: str = ""
    version: str = ""
    recall: tuple[tuple[int, ...], ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Row:
        """A row of JSON or of Parquet.

        Raises:
            TypeError: it is none.
        """
        boxes, recall = (tuple(map(tuple, content[name])) for name in ("boxes", "recall"))
        notes = tuple(content["notes"])
        return cls(**{**content, "boxes": boxes, "recall": recall, "notes": notes})


def rows_of(lines: Iterable[str]) -> Iterator[Row]:
    """The rows of a ledger's report, in its order; of a shard its pictures come behind it."""
    for line in lines:
        record = json.loads(line)
        yield _row(record, record.get("kind", ""))
        if record.get("kind") == SHARD:
            for member in record["members"]:
                yield _row(member, MEMBER)


def _row(record: dict[str, Any], kind: str) -> Row:
    settings = record["settings"] or {}
    return Row(
        record["file"],
        kind,
        record["status"],
        record.get("sha256_in", ""),
        record.get("sha256_out", ""),
        record["width"],
        record["height"],
        tuple(map(tuple, record["boxes"])),
        record["method"],
        settings.get("detector") or "",
        settings.get("weights") or "",
        settings.get("version") or "",
        tuple(map(tuple, record.get("recall", ()))),
        tuple(record["notes"]),
        record["error"] or "",
    )


def write_manifest(folder: Path, rows: Iterable[Row]) -> None:
    """Writes the manifest as JSON lines, the last of which is the others' sha256, and as Parquet.

    Raises:
        OSError: it cannot be written; what was there stays. UsageError: an extra is missing.
    """
    lines = folder / LINES_NAME
    digest = hashlib.sha256()
    with atomic_path(lines) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            line = json.dumps({each.name: getattr(row, each.name) for each in fields(row)}) + "\n"
            digest.update(line.encode())
            file.write(line)
        file.write(json.dumps({_SIGNED: digest.hexdigest()}) + "\n")
    _write_table(folder / TABLE_NAME, read_manifest(lines), digest.hexdigest())


def is_sound(folder: Path) -> bool:
    """True where a manifest lies that is as it was written."""
    try:
        content = (folder / LINES_NAME).read_bytes()
        body, _, signed = content.removesuffix(b"\n").rpartition(b"\n")
        told = json.loads(signed)[_SIGNED]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    digest = hashlib.sha256(body + b"\n" if body else b"").hexdigest()
    return bool(told == digest) and (folder / TABLE_NAME).is_file()


def read_manifest(path: Path) -> Iterator[Row]:
    """The rows of a manifest of JSON lines.

    Raises:
        ManifestError: it cannot be read, or is not what was written.
    """
    digest, signed = hashlib.sha256(), None
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            for line in file:
                content = json.loads(line)
                if _SIGNED in content:
                    signed = content[_SIGNED]
                    continue
                digest.update(line.encode())
                yield Row.from_dict(content)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ManifestError(f"{path}: cannot be read as a manifest ({error})") from error
    if signed != digest.hexdigest():
        raise ManifestError(f"{path}: is not as it was written: its lines have another sha256")


def _write_table(path: Path, rows: Iterable[Row], digest: str) -> None:
    pa, parquet = _arrow()
    schema = _schema().with_metadata({_SIGNED: digest})
    with atomic_path(path) as part, parquet.ParquetWriter(part, schema, compression="zstd") as out:
        for some in _batched(rows):
            columns = [[getattr(row, name) for row in some] for name in schema.names]
            arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
            out.write_table(pa.Table.from_arrays(arrays, schema=schema))


def merge_manifests(folders: Sequence[Path]) -> Iterator[Row]:
    """The rows of several manifests, in the order of one that was written at once.

    Raises:
        ManifestError: one cannot be read, or two tell of the same file.
    """
    parts = [_by_file(read_manifest(folder / LINES_NAME)) for folder in folders]
    last = ""
    for rows in heapq.merge(*parts, key=lambda rows: os.fsencode(rows[0].file)):
        if rows[0].file == last:
            raise ManifestError(f"{last}: is in two of the manifests that are merged")
        last = rows[0].file
        yield from rows


def _by_file(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Each file's row with those of its members."""
    some: list[Row] = []
    for row in rows:
        if some and row.kind != MEMBER:
            yield some
            some = []
        some.append(row)
    if some:
        yield some


def read_table(path: Path) -> Iterator[Row]:
    """The rows of the manifest as Parquet.

    Raises:
        ManifestError: it cannot be read.
    """
    pa, parquet = _arrow()
    try:
        for batch in parquet.ParquetFile(path).iter_batches(_ROWS):
            for content in batch.to_pylist():
                yield Row.from_dict(content)
    except (OSError, pa.ArrowException, TypeError, KeyError) as error:
        raise ManifestError(f"{path}: cannot be read as a manifest ({error})") from error


def _batched(rows: Iterable[Row]) -> Iterator[list[Row]]:
    some: list[Row] = []
    for row in rows:
        some.append(row)
        if len(some) == _ROWS:
            yield some
            some = []
    if some:
        yield some


def _schema() -> Any:
    pa, _ = _arrow()
    kinds = {"int": pa.int32(), "str": pa.string()}
    special = {
        "boxes": pa.list_(pa.list_(pa.float64())),
        "recall": pa.list_(pa.list_(pa.int32())),
        "notes": pa.list_(pa.string()),
    }
    named = [(f.name, special.get(f.name) or kinds[str(f.type)]) for f in fields(Row)]
    return pa.schema(named)


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(
            "dataset writes its manifest as Parquet: pip install 'dartblur[dataset]'"
        ) from error
    return pyarrow, parquet
