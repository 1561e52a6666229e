"""Photos of people whom the attacks try to tell apart: a folder a person, as LFW has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dartblur.errors import InputError
from dartblur.images import PICTURE_SUFFIXES

Group = Literal["judged", "validation", "others"]
"""Whom a photo is used for: the figures, the choice of the attackers, or the training of them."""


@dataclass(frozen=True)
class Photo:
    """One photo of one person. path: below the root of the data, with forward slashes.

    gallery: the attacker knows whom it shows; the others are what is attacked.
    """

    person: str
    path: str
    gallery: bool
    group: Group = "judged"


def read_people(root: Path, people: int = 0, photos: int = 0, validation: int = 0) -> list[Photo]:
    """Photos by person in the order of their names, every other one for the gallery.

    people: so many are judged, the first; 0 for all but the validation people. validation: so many
    after those choose the attackers; all that are left are the others. photos: no more than so many
    of each, but all of the others; 0 for all.

    Raises:
        InputError: there is no such folder, there are not two people of a group, or one of them has
            a single photo.
    """
    if not root.is_dir():
        raise InputError(f"{root}: there is no such folder; give one with a folder per person")
    folders = [f for f in sorted(root.iterdir()) if f.is_dir() and not f.name.startswith(".")]
    found = [(f, files) for f in folders if (files := _pictures(f))]
    judged = people or len(found) - validation
    if min(judged, len(found)) < 2 or (validation and len(found) - judged < max(validation, 2)):
        wanted = "two people at least"
        if validation:
            wanted += f" and, besides them, {max(validation, 2)} on whom attackers are chosen"
        raise InputError(
            f"{root}: photos of {len(found)} people; who is who can be asked of {wanted}: give a "
            "folder per person"
        )
    read: list[Photo] = []
    for i, (folder, files) in enumerate(found):
        group: Group = "judged" if i < judged else "validation"
        if i >= judged + validation:
            group = "others"
        elif len(files) == 1:
            raise InputError(
                f"{folder}: one photo only; one is known to the attacker and another is attacked: "
                "give two at least, or leave this person out"
            )
        for k, file in enumerate(files if group == "others" else files[: photos or None]):
            read.append(Photo(folder.name, file.relative_to(root).as_posix(), k % 2 == 0, group))
    return read


def _pictures(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in PICTURE_SUFFIXES)
