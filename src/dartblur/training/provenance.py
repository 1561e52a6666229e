"""Where a generator comes from: code and data, as JSON holds it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dartblur.faces import Sample

Provenance = dict[str, Any]
"""version, commits (of all code that took part; empty where nobody knows) and data."""

_FILES = (("start", "reference"), ("start", "backbone"))
"""Fields of the configuration that name a file, by table."""


def provenance(root: Path, samples: Sequence[Sample]) -> Provenance:
    """What is known as a training begins. root: of the data; samples: those it trains on."""
    return {"version": version("dartblur"), "commits": commits(), "data": data_of(root, samples)}


def record(config: dict[str, Any], rounds: int, origin: Provenance) -> dict[str, Any]:
    """What a generator's file tells of its training. config: as in its TOML file.

    Of files only the names: where somebody keeps them is nobody else's.
    """
    told = {table: dict(fields) for table, fields in config.items()}
    for table, name in _FILES:
        told[table][name] = Path(told[table][name]).name
    return {"config": told, "rounds": rounds, **origin}


def commits() -> list[str]:
    """The commit of this package's code, marked where it was changed since; [] where not known."""
    folder = Path(__file__).parents[1]
    # In somebody else's repository, as a virtual environment may lie in, the package is no file.
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return []
    commit, changes = _git(folder, "rev-parse", "HEAD"), _git(folder, "status", "--porcelain", ".")
    if not commit:
        return []
    return [f"{commit} with changes" if changes else commit]


def data_of(root: Path, samples: Sequence[Sample]) -> dict[str, Any]:
    """How many photos and labelled faces, and a digest of the photos' names and their labels."""
    digest = hashlib.sha256()
    for sample in samples:
        boxes, ignore = sample.faces.boxes.tolist(), sample.faces.ignore.tolist()
        name = sample.image.relative_to(root).as_posix()
        digest.update((json.dumps([name, boxes, ignore]) + "\n").encode())
    faces = sum(int((~sample.faces.ignore).sum()) for sample in samples)
    return {"photos": len(samples), "faces": faces, "digest": f"sha256:{digest.hexdigest()}"}


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
