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
    assert [(p.person, p.path, p.gallery) for p in found if p.group == "judged"] == [
        ("ann", "ann/0.jpg", True), ("ann", "ann/1.jpg", False),
        ("bob", "bob/0.jpg", True), ("bob", "bob/1.jpg", False),
    ]  # fmt: skip
    assert [p.path for p in found if p.group == "others"] == [f"cy/{i}.jpg" for i in range(4)]
    assert {p.group for p in read_people(tmp_path)} == {"judged"}


def test_nobody_is_in_two_groups(tmp_path: Path) -> None:
    make(tmp_path, **dict.fromkeys("abcdefg", 2))
    groups = {p.person: p.group for p in read_people(tmp_path, people=3, validation=2)}
    assert list(groups.values()) == ["judged"] * 3 + ["validation"] * 2 + ["others"] * 2
    groups = {p.person: p.group for p in read_people(tmp_path, validation=2)}
    assert list(groups.values()) == ["judged"] * 5 + ["validation"] * 2
    with pytest.raises(InputError, match=r"photos of 7 people; .*besides them, 3 on whom"):
        read_people(tmp_path, people=5, validation=3)


def test_too_few_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nobody: there is no such folder"):
        read_people(tmp_path / "nobody")
    with pytest.raises(InputError, match="photos of 1 people"):
        read_people(make(tmp_path / "one", ann=3))
    with pytest.raises(InputError, match="bob: one photo only"):
        read_people(make(tmp_path / "single", ann=3, bob=1))
    # Of people who only train nothing is asked.
    assert len(read_people(make(tmp_path / "others", ann=2, bob=2, cy=1), people=2)) == 5
