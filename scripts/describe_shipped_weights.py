"""Writes what the runtime must know, and what is known of its origin, into the shipped generator.

    pip install onnx
    python scripts/describe_shipped_weights.py [--check]

The weights are older than the record that `dartblur export` writes. What stands here was noted
while they were trained (`dartblur-compact.md`); what nobody noted is null. SHA256SUMS and the card
get the file's new sum. `--check` writes nothing and fails where the file does not say this.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import onnx

from dartblur.anonymizers.blur import Blur
from dartblur.anonymizers.dartblur import WEIGHTS
from dartblur.anonymizers.generator_file import GeneratorMetadata
from dartblur.anonymizers.windows import WindowGeometry
from dartblur.files import write_atomically

CONFIGS = Path(__file__).resolve().parents[1] / "configs" / "shipped-weights"
# Each began with the nets of the one before: rounds, commit.
TRAININGS = {
    "compact-1": (436, "35acb5c35b0b6981f33d33901c8d0e3ebccf0499"),
    "compact-2": (750, "8c430eff2d4b5c1bd101fa8c1722b73a59d99ec3"),
    "compact-3": (900, "618b744d0c059a2e7f932f3cc249e728c48a83b3"),
    "compact-4": (700, "c07d6a1b3a8a8a904b6a07d141ffee8826edc9fd"),
    "compact-5": (550, "0effe498ecfffb7d348bed8c861f2cabc59f1579"),
    "compact-6": (450, "328358175695a845be1bf48bb5c5c5db3ae9b8cf"),
}
NOTES = (
    "Written afterwards by scripts/describe_shipped_weights.py; null: nobody noted it.",
    "config: the TOML file as it is kept today, in today's names; a field that it leaves out had "
    "the default of its commit. start: the authors' f and their ImageNet backbone.",
    "compact-1 was stopped by hand at round 436 of 1600. compact-6 ran on a copy of the tree "
    "shortly before its commit, with the edges of boxes of odd sides blended slightly otherwise, "
    "and the same smoothing for all faces from 64 pixels on; in the file it doubles between 91 and "
    "181 pixels. Exported by the code of commit 36b81198019b81bccddf19deb725bdfc0d6bd871.",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    model = onnx.load(WEIGHTS)
    before = {p.key: p.value for p in model.metadata_props}
    told = metadata().properties()
    if check:
        sys.exit(f"{WEIGHTS}: says something else" if before != told else 0)
    model.ClearField("metadata_props")
    for key, value in told.items():
        model.metadata_props.add(key=key, value=value)
    content = model.SerializeToString(deterministic=True)
    digest = hashlib.sha256(content).hexdigest()
    write_atomically(WEIGHTS, content)
    (WEIGHTS.parent / "SHA256SUMS").write_text(f"{digest}  {WEIGHTS.name}\n")
    card = WEIGHTS.with_suffix(".md")
    text = re.sub(r"(\*\*sha256\*\* `)[0-9a-f]{64}", rf"\g<1>{digest}", card.read_text("utf-8"))
    card.write_text(text, encoding="utf-8")


def metadata() -> GeneratorMetadata:
    """What the file says."""
    training: dict[str, Any] = {}
    for name, (rounds, commit) in TRAININGS.items():
        config = tomllib.loads((CONFIGS / f"{name}.toml").read_text("utf-8"))
        begun_from = {"begun_from": training} if training else {}
        training = {
            "config": config,
            "rounds": rounds,
            "version": None,
            "commits": [commit],
            "data": {"photos": 4596, "faces": 13616, "digest": None},
            **begun_from,
        }
    return GeneratorMetadata(
        Blur(blended=True), WindowGeometry(), {**training, "notes": list(NOTES)}
    )


if __name__ == "__main__":
    main()
