"""Hugging Face `datasets`: Parquet, or Arrow as `save_to_disk` writes it, with boxes beside images.

A row's picture is in its column `image`, its boxes in `objects` or `faces`; see `objects`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from dartblur.datasets.base import Format, Labelled, files_of_splits, given
from dartblur.datasets.contents import is_picture
from dartblur.datasets.objects import KEYS, category_names, faces_of_row
from dartblur.datasets.shards import IMAGE, TABLE_SUFFIXES, import_arrow
from dartblur.datasets.tar_members import ShardError
from dartblur.errors import UsageError


def splits(root: Path) -> list[str]:
    """The splits that the names of tables with boxes tell, or those of their folders."""
    found = _files(root)
    return [split for split, paths in found.items() if any(map(_tells_boxes, paths))]


def labels(root: Path, split: str, classes: Sequence[str]) -> Iterator[Labelled]:
    """The rows of every table of `split` that tell of boxes; see `faces_of_row`.

    Raises:
        BoxesError: boxes are malformed. ShardError: a table is broken.
        UsageError: there is no such split, or an extra is missing.
    """
    found = _files(root)
    if split not in found:
        known = ", ".join(found) or "none"
        raise UsageError(f"{root}: no tables of split {split!r}; there are {known}")
    for path in found[split]:
        with _opened(path) as table:
            names = category_names((table.schema.metadata or {}).get(b"huggingface"))
            number = 0
            for group, first, rows in table.parts(_told(table.schema)):
                for index, row in enumerate(rows, first):
                    where = f"{path}: row {number}"
                    faces = faces_of_row(row, classes, where, names)
                    content = partial(_picture, path, where, group, index)
                    number += 1
                    if faces is not None:
                        name = path / str(number - 1)
                        yield Labelled(name, where, given(faces), packed=content)


def _files(root: Path) -> dict[str, list[Path]]:
    # `datasets` keeps what it worked out beside what it saved.
    return files_of_splits(root, TABLE_SUFFIXES, without="cache-")


def _tells_boxes(path: Path) -> bool:
    with _opened(path) as table:
        return bool(_told(table.schema)) and IMAGE in table.schema.names


def _told(schema: Any) -> list[str]:
    return [name for name in schema.names if name in KEYS]


class _Parquet:
    """Read by groups of rows."""

    def __init__(self, path: Path) -> None:
        from pyarrow import parquet

        self._file = parquet.ParquetFile(path)
        self.schema = self._file.schema_arrow

    def parts(self, columns: list[str]) -> Iterator[tuple[int, int, list[dict[str, Any]]]]:
        """Of each part its group, the number of its first row in there, and its rows."""
        for group in range(self._file.num_row_groups):
            yield group, 0, self._file.read_row_group(group, columns=columns).to_pylist()

    def column(self, group: int) -> Any:
        """The images of a group."""
        return self._file.read_row_group(group, columns=[IMAGE]).column(IMAGE)


class _Arrow:
    """Mapped into memory, of which the system keeps as much as it likes; one group."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self._file = pa.memory_map(str(path))
        self._stream = pa.ipc.open_stream(self._file)
        self.schema = self._stream.schema

    def parts(self, columns: list[str]) -> Iterator[tuple[int, int, list[dict[str, Any]]]]:
        """See `_Parquet.parts`."""
        first = 0
        for batch in self._stream:
            yield 0, first, batch.select(columns).to_pylist()
            first += batch.num_rows

    def column(self, group: int) -> Any:
        """See `_Parquet.column`."""
        return self._stream.read_all().column(IMAGE)


@contextmanager
def _opened(path: Path) -> Iterator[_Parquet | _Arrow]:
    import_arrow(path)
    import pyarrow as pa

    try:
        yield (_Parquet if path.suffix.lower() == ".parquet" else _Arrow)(path)
    except (pa.ArrowException, OSError) as error:
        raise ShardError(f"{path}: broken or cut off ({error}); restore it") from error


def _picture(path: Path, where: str, group: int, index: int) -> bytes:
    """The bytes of one row's picture.

    Raises:
        ShardError: there are none. OSError: the file cannot be read.
    """
    cell = _images(path, path.stat().st_mtime_ns, group)[index].as_py()
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    if not isinstance(data, bytes) or not is_picture(data):
        raise ShardError(f"{where} tells of faces, and holds no picture; restore it")
    return data


@lru_cache(maxsize=1)
def _images(path: Path, changed: int, group: int) -> Any:
    """The images of one group, for the rows that are read one after the other."""
    with _opened(path) as table:
        return table.column(group)


FORMAT = Format("huggingface", splits, labels, packed=True)
