"""Labels where people left them out: what a slower detector sees."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dartblur import boxes as boxlib
from dartblur.datasets.labelled import LabelledImage, read_labelled
from dartblur.detectors import Detector
from dartblur.faces import Faces, Sample

FILE = "teacher.jsonl"
_SAME_FACE = 0.3


def found_by(
    teacher: Detector, samples: Sequence[Sample], side: int, out: Path, root: Path
) -> Iterator[Faces]:
    """What the teacher sees in each sample's image, whose longer side is `side`.

    out: a folder that keeps what was seen, so that a later run goes on from there. root: of the
    data set.
    """
    file = out / FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    known = {row["image"]: row["faces"] for row in map(json.loads, lines)}
    with file.open("a", encoding="utf-8") as log:
        for sample in samples:
            name = sample.image.relative_to(root).as_posix()
            if name not in known:
                [seen] = teacher([read_labelled(sample, side).image])
                known[name] = np.column_stack([seen.boxes, seen.scores]).round(3).tolist()
                log.write(json.dumps({"image": name, "faces": known[name]}) + "\n")
                log.flush()
            rows = np.array(known[name], np.float32).reshape(-1, 5)
            yield Faces(rows[:, :4], rows[:, 4].clip(0, 1))


def completed(image: LabelledImage, found: Faces, sure: float) -> LabelledImage:
    """The image with the teacher's faces where labels are missing.

    Those of score `sure` and more become labels, also where a label is marked as ignored; all
    others are neither faces nor background.
    """
    labels = image.faces
    certain = found.scores >= sure
    overlap = boxlib.iou(labels.boxes, found.boxes)
    seen = (overlap[:, certain] > _SAME_FACE).any(axis=1)
    labels = Faces(labels.boxes, labels.scores, labels.ignore & ~seen)
    new = ~(overlap > _SAME_FACE).any(axis=0)
    more = Faces(found.boxes[new], ignore=~certain[new])
    return LabelledImage(image.name, image.image, Faces.concatenate([labels, more]), image.found)
