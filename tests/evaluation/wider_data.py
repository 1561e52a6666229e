"""Small data sets in WIDER FACE's own layout, and its protocol once more: slowly, word by word."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import savemat

from dartblur.evaluation.wider_files import SETTINGS, Table, WiderPicture


@dataclass(frozen=True)
class Layout:
    predictions: Path
    gt: Path


def random_truth(rng: np.random.Generator, pictures: int) -> list[WiderPicture]:
    truth = []
    for i in range(pictures):
        n = int(rng.integers(0, 8)) if i else 0
        boxes = np.concatenate([rng.integers(0, 200, (n, 2)), rng.integers(0, 60, (n, 2))], 1)
        counted = tuple(np.flatnonzero(rng.random(n) < share) for share in (0.3, 0.6, 0.9))
        truth.append(WiderPicture(f"{i % 3}--Event", f"{i % 3}_Event_{i}", boxes + 0.0, counted))
    return sorted(truth, key=lambda p: p.event)


def jittered(rng: np.random.Generator, truth: list[WiderPicture], shift: float) -> list[Table]:
    """Each face some times, moved by up to `shift` sides, and boxes at random; best first."""
    tables = []
    for picture in truth:
        faces = picture.boxes[rng.random(len(picture.boxes)) < 0.85]
        faces = np.repeat(faces, rng.integers(1, 3, len(faces)), 0)
        moved = faces + rng.normal(0, shift, faces.shape) * (np.tile(faces[:, 2:], 2) + 1)
        noise = np.concatenate([rng.uniform(0, 250, (4, 2)), rng.uniform(2, 60, (4, 2))], 1)
        boxes = np.concatenate([moved, noise[: rng.integers(0, 5)]])
        boxes[:, 2:] = np.maximum(boxes[:, 2:], 0)
        scores = rng.beta(2, 1, len(boxes)).round(3)
        table = np.concatenate([boxes.round(1), scores[:, None]], 1)
        tables.append(table[np.argsort(-scores)])
    return tables


def write(root: Path, truth: list[WiderPicture], tables: list[Table]) -> Layout:
    layout = Layout(root / "predictions", root / "gt")
    write_truth(layout.gt, truth)
    write_predictions(layout.predictions, truth, tables)
    return layout


def write_predictions(folder: Path, truth: list[WiderPicture], tables: list[Table]) -> None:
    for event in {p.event for p in truth}:
        (folder / event).mkdir(parents=True)
    for picture, table in zip(truth, tables, strict=True):
        rows = [" ".join(map(repr, row)) for row in table.tolist()]
        text = "\n".join([picture.name, str(len(table)), *rows]) + "\n"
        (folder / picture.event / f"{picture.name}.txt").write_text(text)


def write_truth(folder: Path, truth: list[WiderPicture]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    events = list(dict.fromkeys(p.event for p in truth))
    groups = [[p for p in truth if p.event == event] for event in events]
    names = _column([_column([np.array([p.name]) for p in g]) for g in groups])
    boxes = _column([_column([p.boxes.astype(np.int32) for p in g]) for g in groups])
    shared = {
        "event_list": _column([np.array([event]) for event in events]),
        "file_list": names,
        "face_bbx_list": boxes,
    }
    savemat(folder / "wider_face_val.mat", shared)
    for s, setting in enumerate(SETTINGS):
        kept = _column(
            [_column([(p.counted[s] + 1).astype(np.uint16)[:, None] for p in g]) for g in groups]
        )
        savemat(folder / f"wider_{setting}_val.mat", {**shared, "gt_list": kept})


def literal_average_precision(
    truth: list[WiderPicture], tables: list[Table], setting: int
) -> float:
    """The protocol by plain loops: every threshold of every picture is walked through."""
    lowest, highest = 1.0, 0.0
    for table in tables:
        for row in table:
            lowest, highest = min(lowest, row[4]), max(highest, row[4])
    thresholds = [1 - (t + 1) / 1000 for t in range(1000)]
    true, proposed, faces = [0] * 1000, [0] * 1000, 0
    for picture, table in zip(truth, tables, strict=True):
        counted = {int(i) for i in picture.counted[setting]}
        faces += len(counted)
        if len(picture.boxes) == 0 or len(table) == 0:
            continue
        found_until, proposed_until = [], []
        found: set[int] = set()
        proposals = 0
        for row in table:
            overlaps = [_overlap(row, box) for box in picture.boxes]
            best = overlaps.index(max(overlaps))
            if overlaps[best] >= 0.5 and best not in counted:
                pass
            else:
                proposals += 1
                if overlaps[best] >= 0.5:
                    found.add(best)
            found_until.append(len(found))
            proposed_until.append(proposals)
        scores = [(row[4] - lowest) / (highest - lowest) for row in table]
        for t, threshold in enumerate(thresholds):
            reaching = [i for i, score in enumerate(scores) if score >= threshold]
            if reaching:
                true[t] += found_until[reaching[-1]]
                proposed[t] += proposed_until[reaching[-1]]
    recall = [n / faces for n in true]
    precision = [n / p if p else 0.0 for n, p in zip(true, proposed, strict=True)]
    area, last = 0.0, 0.0
    for t in range(1000):
        if recall[t] > last:
            area += (recall[t] - last) * max(precision[t:])
            last = recall[t]
    return area


def _overlap(a: Table, b: Table) -> float:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]) + 1
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = (a[2] + 1) * (a[3] + 1) + (b[2] + 1) * (b[3] + 1)
    return float(shared / (areas - shared))


def _column(items: list[np.ndarray]) -> np.ndarray:
    column = np.empty((len(items), 1), object)
    for i, item in enumerate(items):
        column[i, 0] = item
    return column
