import os
from pathlib import Path

import pytest
from tests.pictures import tree

from dartblur.files import atomic_path, remove_parts, write_atomically


def test_a_file_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    write_atomically(target, b"newer")
    assert target.read_bytes() == b"newer"
    assert tree(tmp_path) == ["a.bin"]


def test_nothing_appears_before_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    with atomic_path(target) as part:
        part.write_bytes(b"half")
        assert not target.exists()
        assert part.parent == tmp_path
    assert target.read_bytes() == b"half"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_what_was_there(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")

    def fail() -> None:
        with atomic_path(target) as part:
            part.write_bytes(b"half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert target.read_bytes() == b"old"
    assert tree(tmp_path) == ["a.bin"]


def test_parts_lie_in_the_folder_that_is_named_for_them(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    with atomic_path(tmp_path / "a.bin", parts) as part:
        assert part.parent == parts
    assert tree(tmp_path) == ["a.bin"]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "no" / "a.bin", b"")


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_finished_file_has_the_users_permissions(tmp_path: Path, mask: int, mode: int) -> None:
    old = os.umask(mask)
    try:
        write_atomically(tmp_path / "a.bin", b"")
        assert os.umask(mask) == mask  # as it was
    finally:
        os.umask(old)
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == mode


def test_only_parts_are_swept_away(tmp_path: Path) -> None:
    for name in (".dartblur-x.part", ".dartblur-yz.part", "photo.part", ".dartblur-x", "a.jpg"):
        (tmp_path / name).write_bytes(b"")
    remove_parts(tmp_path)
    assert tree(tmp_path) == [".dartblur-x", "a.jpg", "photo.part"]
