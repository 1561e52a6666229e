"""Photos of people whom the attacks try to tell apart: a folder a person, as LFW has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dartblur.errors import InputError
from dartblur.images import PICTURE_SUFFIXES


@dataclass(frozen=True)
class Photo:
    """One photo of one person. path: below the root of the data, with forward slashes.

    gallery: the attacker knows whom it shows; the others are what is attacked.
    """

    person: str
    path: str
    gallery: bool


def read_people(root: Path, people: int = 0, photos: int = 0) -> list[Photo]:
    """Photos by person in the order of their names, every other one for the gallery.

    people, photos: no more than so many people and photos of each; 0 for all.

    Raises:
        InputError: there is no such folder, there are not two people, or one has a single photo.
    """
    if not root.is_dir():
        raise InputError(f"{root}: there is no such folder; give one with a folder per person")
    found: list[Photo] = []
    folders = sorted(f for f in root.iterdir() if f.is_dir() and not f.name.startswith("."))
    names = 0
    for folder in folders[: people or None]:
        files = sorted(f for f in folder.iterdir() if f.suffix.lower() in PICTURE_SUFFIXES)
        if not files:
            continue
        names += 1
        if len(files) == 1:
            raise InputError(
                f"{folder}: one photo only; one is known to the attacker and another is attacked: "
                "give two at least, or leave this person out"
            )
        for i, file in enumerate(files[: photos or None]):
            found.append(Photo(folder.name, file.relative_to(root).as_posix(), i % 2 == 0))
    if names < 2:
        raise InputError(
            f"{root}: photos of {names} people; who is who can be asked of two at least: give a "
            "folder per person"
        )
    return found
