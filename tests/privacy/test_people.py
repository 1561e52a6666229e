"""Who is attacked, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartblur.errors import InputError
from dartblur.privacy.people import read_people


def make(root: Path, **photos: int) -> Path:
    for name, count in photos.items():
        (root / name).mkdir(parents=True)
        for i in range(count):
            (root / name / f"{i}.jpg").touch()
    return root


def test_every_other_photo_is_known(tmp_path: Path) -> None:
    make(tmp_path, ann=3, bob=2, cy=4)
    (tmp_path / "ann" / "notes.txt").touch()
    found = read_people(tmp_path, people=2, photos=2)
    assert [(p.person, p.path, p.gallery) for p in found] == [
        ("ann", "ann/0.jpg", True), ("ann", "ann/1.jpg", False),
        ("bob", "bob/0.jpg", True), ("bob", "bob/1.jpg", False),
    ]  # fmt: skip
    assert len(read_people(tmp_path)) == 9


def test_too_few_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nobody: there is no such folder"):
        read_people(tmp_path / "nobody")
    with pytest.raises(InputError, match="photos of 1 people"):
        read_people(make(tmp_path / "one", ann=3))
    with pytest.raises(InputError, match="bob: one photo only"):
        read_people(make(tmp_path / "single", ann=3, bob=1))
