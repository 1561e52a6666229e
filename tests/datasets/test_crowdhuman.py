"""CrowdHuman in its official layout, made small."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dartblur.datasets import FORMATS
from dartblur.errors import BoxesError


def entry(hbox: Any, tag: str = "person", **marks: dict[str, int]) -> dict[str, Any]:
    return {"tag": tag, "hbox": hbox, "vbox": [0, 0, 9, 9], "fbox": [0, 0, 9, 9], **marks}


ENTRIES = [
    entry([10, 20, 30, 40], head_attr={"ignore": 0, "occ": 1, "unsure": 0}, extra={"occ": 1}),
    entry([50, 20, 30, 40], head_attr={"ignore": 1, "occ": 0, "unsure": 1}),
    entry([90, 20, 30, 40], extra={"box_id": 2, "ignore": 1}),
    entry([0, 100, 300, 80], tag="mask", extra={"ignore": 1}),
    entry([5, 5, 0, 10]),
    entry([-4, -2, 20, 12]),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Images").mkdir()
    records = [{"ID": "273271,1a", "gtboxes": ENTRIES}, {"ID": "273271,2b", "gtboxes": []}]
    for record in records:
        (tmp_path / "Images" / f"{record['ID']}.jpg").touch()
    text = "\n".join(json.dumps(r) for r in records)
    (tmp_path / "annotation_val.odgt").write_text(text + "\n\n")
    return tmp_path


def test_head_boxes_and_what_is_ignored(root: Path) -> None:
    first, second = FORMATS["crowdhuman"].read(root, "val")
    assert first.image == root / "Images/273271,1a.jpg"
    np.testing.assert_array_equal(first.faces.boxes[0], [10, 20, 40, 60])
    np.testing.assert_array_equal(first.faces.boxes[5], [-4, -2, 16, 10])
    assert first.faces.ignore.tolist() == [False, True, True, True, True, False]
    assert len(second.faces) == 0


WRONG = {
    "no JSON": "{",
    "binary": "\x00\x01",
    "a list": "[]",
    "no ID": json.dumps({"gtboxes": []}),
    "no gtboxes": json.dumps({"ID": "273271,1a"}),
    "an entry that is none": json.dumps({"ID": "273271,1a", "gtboxes": [3]}),
    "three numbers": json.dumps({"ID": "273271,1a", "gtboxes": [entry([1, 2, 3])]}),
    "a word": json.dumps({"ID": "273271,1a", "gtboxes": [entry([1, 2, 3, "4"])]}),
    "NaN": json.dumps({"ID": "273271,1a", "gtboxes": [entry([1, 2, float("nan"), 4])]}),
    "too large": json.dumps({"ID": "273271,1a", "gtboxes": [entry([1, 2, 3, 1e300])]}),
    "nested without end": "[" * 100_000,
    "a picture that is not there": json.dumps({"ID": "none", "gtboxes": []}),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_line_is_named(root: Path, kind: str) -> None:
    path = root / "annotation_val.odgt"
    good = path.read_text().splitlines()[0]
    path.write_text(f"{good}\n{WRONG[kind]}\n")
    with pytest.raises(BoxesError, match=re.escape(f"{path}:2")):
        list(FORMATS["crowdhuman"].read(root, "val"))


def test_a_missing_split_is_named(root: Path) -> None:
    with pytest.raises(BoxesError, match=re.escape(str(root / "annotation_train.odgt"))):
        list(FORMATS["crowdhuman"].read(root, "train"))
