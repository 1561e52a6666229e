"""Files that hold many pictures: tar shards (WebDataset), Parquet and Arrow tables (Hugging Face).

Each is written anew in the same order, with its pictures hidden and all else as it was.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from dartblur.datasets.base import FACE_CLASSES
from dartblur.datasets.contents import is_picture, why_not_plain
from dartblur.datasets.objects import KEYS, category_names, faces_of_row
from dartblur.datasets.tar_members import (
    TAR_SUFFIXES,
    ShardError,
    is_zipped,
    labelled_members,
    members,
    naming_breaks,
)
from dartblur.errors import UsageError
from dartblur.faces import Faces

Hide = Callable[[str, bytes, Faces | None], bytes]
"""(name of the member, a clear picture's file, its labels where some tell) → the safe one's."""
Keep = Callable[[str], bool]
"""Whether the user says of a member that it may be copied as it is."""

TABLE_SUFFIXES = (".parquet", ".arrow")
IMAGE = "image"
"""The column whose pictures a table's boxes are of."""


def is_shard(name: str) -> bool:
    """True for the name of a file that holds many pictures."""
    return name.lower().endswith(TAR_SUFFIXES + TABLE_SUFFIXES)


def is_table(name: str) -> bool:
    """True for the name of a Parquet or Arrow file."""
    return name.lower().endswith(TABLE_SUFFIXES)


def copy_shard(
    source: Path, target: Path, hide: Hide, keep: Keep, classes: Sequence[str] = FACE_CLASSES
) -> list[str]:
    """Writes the shard anew, its pictures hidden by `hide`; returns what is to be noted of it.

    classes: of its boxes, those that are faces. A table's are of the pictures in its column
    `image`, see `faces_of_row`; a tar's in JSON of the pictures' keys, see `tar_members`.

    Raises:
        ShardError: it is broken or cut off, or a member is neither a picture nor plain text, has
            the name of another, or leads out of the shard. BoxesError: its boxes are malformed.
            UsageError: an extra is missing.
    """
    name = source.name.lower()
    if name.endswith(".parquet"):
        _copy_parquet(source, target, _Cells(source, hide, keep, classes))
        return []
    if name.endswith(".arrow"):
        _copy_arrow(source, target, _Cells(source, hide, keep, classes))
        return []
    with naming_breaks(source):
        return _copy_tar(source, target, hide, keep, classes)


def _copy_tar(
    source: Path, target: Path, hide: Hide, keep: Keep, classes: Sequence[str]
) -> list[str]:
    # A picture's boxes may come after it.
    labelled, without = labelled_members(source, classes)
    told = {each.name: each.faces for each in labelled}
    with (
        _opened(target, zipped=is_zipped(source)) as out,
        tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as copy,
    ):
        for name, member, file in members(source):
            if file is None:
                copy.addfile(member)
                continue
            data = file.read()
            if is_picture(data):
                data = hide(name, data, told.get(name))
            elif not keep(name) and (reason := why_not_plain(data)):
                raise ShardError(f"{source}: {name} {reason}; --keep copies it as it is")
            member.size = len(data)
            copy.addfile(member, io.BytesIO(data))
    return [f"{name} tells of a picture that is not there" for name in without]


@contextmanager
def _opened(target: Path, *, zipped: bool) -> Iterator[IO[bytes]]:
    with target.open("wb") as file:
        if not zipped:
            yield file
            return
        # Without name and time, so that the same shard gives the same bytes.
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
            yield packed  # type: ignore[misc]


def _copy_parquet(source: Path, target: Path, cells: _Cells) -> None:
    import_arrow(source)
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with source.open("rb") as file, target.open("wb") as out:
            table = parquet.ParquetFile(file)
            with parquet.ParquetWriter(
                out, table.schema_arrow, compression=_codec(table.metadata)
            ) as writer:
                row = 0
                for group in range(table.num_row_groups):
                    part = table.read_row_group(group)
                    writer.write_table(cells.hidden(part, row), max(part.num_rows, 1))
                    row += part.num_rows
    except (pa.ArrowException, OSError) as error:
        raise ShardError(f"{source}: broken or cut off ({error}); restore it") from error


def _codec(metadata: Any) -> str:
    if not metadata.num_row_groups or not metadata.num_columns:
        return "snappy"
    codec = metadata.row_group(0).column(0).compression
    return "none" if codec == "UNCOMPRESSED" else str(codec)


def _copy_arrow(source: Path, target: Path, cells: _Cells) -> None:
    import_arrow(source)
    import pyarrow as pa

    try:
        with source.open("rb") as file, target.open("wb") as out:
            stream = pa.ipc.open_stream(file)
            with pa.ipc.new_stream(out, stream.schema) as writer:
                row = 0
                for batch in stream:
                    part = cells.hidden(pa.Table.from_batches([batch]), row)
                    writer.write_table(part, max(batch.num_rows, 1))
                    row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise ShardError(
            f"{source}: broken, cut off or no stream of Arrow ({error}); restore it"
        ) from error


def import_arrow(source: Path) -> None:
    """Says which extra is missing.

    Raises:
        UsageError: pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"{source}: tables need an extra: pip install 'dartblur[dataset]'"
        ) from error


class _Cells:
    """Hides what cells of a table hold, however deep in lists and structs."""

    def __init__(self, source: Path, hide: Hide, keep: Keep, classes: Sequence[str]) -> None:
        self.source, self.hide, self.keep, self.classes = source, hide, keep, classes

    def hidden(self, table: Any, first: int) -> Any:
        """The table, with the pictures hidden; first: the number of its first row."""
        import pyarrow as pa

        labels = self._labels(table, first)
        for number, field in enumerate(table.schema):
            if not _may_show(field.type):
                continue
            told = labels if field.name == IMAGE else [None] * table.num_rows
            cells = [
                self._hidden(cell, field.name, f"{first + i}/{field.name}", told[i])
                for i, cell in enumerate(table.column(number).to_pylist())
            ]
            table = table.set_column(number, field, pa.array(cells, field.type))
        return table

    def _labels(self, table: Any, first: int) -> list[Faces | None]:
        """The labelled faces of each row."""
        told = [name for name in table.column_names if name in KEYS]
        if not told:
            return [None] * table.num_rows
        names = category_names((table.schema.metadata or {}).get(b"huggingface"))
        rows = table.select(told).to_pylist()
        return [
            faces_of_row(row, self.classes, f"{self.source}: row {first + i}", names)
            for i, row in enumerate(rows)
        ]

    def _hidden(self, value: Any, column: str, name: str, faces: Faces | None = None) -> Any:
        if isinstance(value, dict):
            if value.get("bytes", b"") is None and value.get("path"):
                raise ShardError(
                    f"{self.source}: row {name}: the picture is not in the table but at "
                    f"{value['path']}; put it in"
                )
            return {k: self._hidden(v, column, f"{name}.{k}", faces) for k, v in value.items()}
        if isinstance(value, list):
            return [self._hidden(v, column, f"{name}.{i}") for i, v in enumerate(value)]
        if not isinstance(value, bytes | str):
            return value
        data = value.encode() if isinstance(value, str) else value
        if isinstance(value, bytes) and is_picture(data):
            return self.hide(name.removesuffix(".bytes"), data, faces)
        if not self.keep(column) and (reason := why_not_plain(data)):
            raise ShardError(f"{self.source}: row {name} {reason}; --keep copies it as it is")
        return value


def _may_show(kind: Any) -> bool:
    """True for a column in which bytes or text lie, at any depth."""
    spelled = str(kind)
    return "binary" in spelled or "string" in spelled
