"""What tar shards (WebDataset) hold: members, and the boxes that JSON of a picture's key tells.

Members are of one sample where their names agree up to the first dot of the last step:
`sub/0001.jpg` and `sub/0001.json` have the key `sub/0001`. That JSON is a row as of Hugging Face's
data sets (see `objects`), or the list of COCO's annotations of that picture.
"""

from __future__ import annotations

import gzip
import io
import json
import posixpath
import tarfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import IO, Any

from dartblur.datasets.contents import is_picture
from dartblur.datasets.objects import faces_of_row
from dartblur.errors import BoxesError, InputError
from dartblur.faces import Faces

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_BLOCK = 512
_LOOKED_AT = 100
_PICTURE_START = 32
_unpacking = Lock()


class ShardError(InputError):
    """A shard is broken, or holds what cannot be made safe; nothing is written for it."""


@dataclass(frozen=True)
class LabelledMember:
    """A picture of a tar whose faces are told. offset, size: of its bytes in the unpacked tar."""

    name: str
    faces: Faces
    offset: int
    size: int


def is_zipped(source: Path) -> bool:
    """True for a tar that is packed as a whole."""
    return not source.name.lower().endswith(".tar")


def members(source: Path) -> Iterator[tuple[str, tarfile.TarInfo, IO[bytes] | None]]:
    """The name, the description and the bytes of each member, in order; a folder has no bytes.

    Raises:
        ShardError: the tar is cut off, or a member has the name of another, leads out of the shard,
            or is a link or a device.
    """
    zipped = is_zipped(source)
    if not zipped:
        _check_end(source)
    seen: set[str] = set()
    with (
        source.open("rb") as file,
        tarfile.open(fileobj=file, mode="r:gz" if zipped else "r:") as archive,
    ):
        for member in archive:
            name = _checked(source, member, seen)
            yield name, member, archive.extractfile(member)


@contextmanager
def naming_breaks(source: Path) -> Iterator[None]:
    """Makes a ShardError of what a broken tar raises within."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ShardError(f"{source}: broken or cut off ({error}); restore it") from error


def tells_boxes(source: Path) -> bool:
    """Whether JSON among the first members tells of faces or anything else in boxes."""
    with naming_breaks(source):
        for number, (name, _, file) in enumerate(members(source)):
            if file and _is_json(name) and _row(file.read(), f"{source}: {name}", ()) is not None:
                return True
            if number == _LOOKED_AT:
                break
    return False


def labelled_members(
    source: Path, classes: Sequence[str]
) -> tuple[list[LabelledMember], list[str]]:
    """The pictures whose faces are told, in order; and the names of JSON without its picture.

    Of several pictures of one key those are meant that have one suffix: `0001.jpg`, not
    `0001.left.jpg`.

    Raises:
        ShardError: see `members`. BoxesError: JSON is malformed.
    """
    told: dict[str, list[Faces]] = defaultdict(list)
    files: dict[str, str] = {}
    pictures: list[tuple[str, tarfile.TarInfo]] = []
    with naming_breaks(source):
        for name, member, file in members(source):
            key, kind = _key_of(name)
            if file and _is_json(name):
                faces = _row(file.read(), f"{source}: {name}", classes)
                if faces is not None:
                    told[key].append(faces)
                    files[key] = name
            elif file and "." not in kind and is_picture(file.read(_PICTURE_START)):
                pictures.append((name, member))
    found = [
        LabelledMember(name, Faces.concatenate(told[key]), member.offset_data, member.size)
        for name, member in pictures
        if (key := _key_of(name)[0]) in told
    ]
    there = {_key_of(each.name)[0] for each in found}
    return found, [name for key, name in files.items() if key not in there]


def read_member(source: Path, name: str, offset: int, size: int) -> bytes:
    """The bytes of a member; of a packed tar in its order, or else it is unpacked anew.

    Raises:
        ShardError: they are not there. OSError: the tar cannot be read.
    """
    with naming_breaks(source):
        if is_zipped(source):
            with _unpacking:
                file = _unpacked(source, source.stat().st_mtime_ns)
                file.seek(offset)
                data = file.read(size)
        else:
            with source.open("rb") as plain:
                plain.seek(offset)
                data = plain.read(size)
    if len(data) < size:
        raise ShardError(f"{source}: {name} is cut off; restore the shard")
    return data


@lru_cache(maxsize=1)
def _unpacked(source: Path, changed: int) -> gzip.GzipFile:
    """One open file for the members that are read one after the other. changed: when it was."""
    return gzip.open(source)


def _row(data: bytes, where: str, classes: Sequence[str]) -> Faces | None:
    try:
        content: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BoxesError(f"{where}: is no JSON ({error}); restore the file") from error
    if isinstance(content, list):
        content = {"annotations": content}
    return faces_of_row(content, classes, where) if isinstance(content, dict) else None


def _is_json(name: str) -> bool:
    return name.lower().endswith(".json")


def _key_of(name: str) -> tuple[str, str]:
    """What members of one sample share, and what tells them apart."""
    folder, slash, last = name.rpartition("/")
    stem, _, kind = last.partition(".")
    return f"{folder}{slash}{stem}", kind


def _check_end(source: Path) -> None:
    """A tar ends in two blocks of zeros; the library reads one that was cut between members."""
    with source.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - 2 * _BLOCK))
        if size < 2 * _BLOCK or any(file.read()):
            raise ShardError(f"{source}: cut off: a tar ends in two empty blocks; restore it")


def _checked(source: Path, member: tarfile.TarInfo, seen: set[str]) -> str:
    """The member's name, which tells of a file in the shard, once."""
    name = posixpath.normpath(member.name)
    if name.startswith(("/", "../")) or name == ".." or "\\" in name:
        raise ShardError(f"{source}: {member.name!r} leads out of the shard; leave it out")
    if not (member.isreg() or member.isdir()):
        raise ShardError(f"{source}: {member.name!r} is a link or a device; leave it out")
    if name in seen and member.isreg():
        raise ShardError(f"{source}: {member.name!r} is there twice; leave one out")
    seen.add(name)
    return name
