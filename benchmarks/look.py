"""How hidden faces look to a person: a sheet of pictures, and figures to go with it.

    python benchmarks/look.py DATA --weights FILE --sheet sheet.png --out look.json

DATA is in the WIDER FACE layout; its validation photos at full size, labelled faces, boxes grown as
`dartblur anonymize` grows them. The sheet has 32 faces of four sizes, drawn by --seed, each clear |
Gaussian | dartblur; it shows clear faces, keep it to yourself. By height of face, the median over
labelled faces:

- edge: mean difference of neighbouring pixels across the box's edge, over the mean of the same one
  pixel further out and one further in. 1: the edge is nothing special. A Gaussian blur has 3 to 9.
- detail: mean absolute Laplacian in the middle half of the box, at the size at which its height is
  64 pixels, as a share of the clear face's. 1: as sharp as clear, 0: flat.
- stripes: the strongest frequency of the middle half, along rows or columns and beyond one period
  in 8 pixels, over the median one. A mesh of cells or a pixel shuffle stands out of what clear has.
- flicker: what a face changes by when the picture gets noise (σ 2 levels), over what the picture
  does: a still face in a film. 1: as much as the clear face.
- seam: as edge, for the parts of a box's edge that lie inside another box.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from dartblur import boxes as boxlib
from dartblur.anonymizers import WEIGHTS, Anonymizer, Dartblur, Gaussian
from dartblur.boxes import IntArray
from dartblur.datasets import FORMATS
from dartblur.faces import Faces, Image
from dartblur.images import read_picture
from dartblur.pipeline import DEFAULT_MARGIN

SIZES = {"16-32": (16, 32), "32-64": (32, 64), "64-128": (64, 128), "128-": (128, 1e9)}
DRAWN = {(12, 24): 8, (24, 48): 8, (48, 100): 8, (100, 1e9): 8}
SIDE = 150
FIGURES = ("edge", "detail", "stripes", "flicker", "seam")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--sheet", type=Path, default=Path("sheet.png"))
    parser.add_argument("--out", type=Path, default=Path("look.json"))
    parser.add_argument("--seed", type=int, default=4)
    words = parser.parse_args()
    ways: dict[str, Anonymizer] = {
        "clear": lambda image, faces: image,
        "gaussian": Gaussian(),
        "dartblur": Dartblur(words.weights),
    }
    figures: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    rng = np.random.default_rng(words.seed)
    shown: dict[tuple[float, float], list[Image]] = {size: [] for size in DRAWN}
    for image, faces, heights in photos(words.data):
        hidden = {name: hide(image, faces) for name, hide in ways.items()}
        noise = rng.normal(0, 2, image.shape)
        noisy = np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
        again = {name: hide(noisy, faces) for name, hide in ways.items()}
        boxes = boxlib.to_pixels(faces.boxes, *image.shape[:2])
        for i, height in enumerate(heights):
            if faces.ignore[i]:
                continue
            for size in (s for s, (low, high) in SIZES.items() if low <= height < high):
                for name, picture in hidden.items():
                    seen = (
                        edge(picture, boxes[i]),
                        detail(picture, image, boxes[i]),
                        stripes(picture, boxes[i]),
                        change(picture, again[name], boxes[i])
                        / max(change(image, noisy, boxes[i]), 0.5),
                        seam(picture, boxes[i], np.delete(boxes, i, axis=0)),
                    )
                    figures.setdefault((name, size), []).append(seen)
            for low, high in DRAWN:
                if low <= height < high:
                    row = [around(p, boxes[i]) for p in hidden.values()]
                    shown[low, high].append(np.concatenate(row, axis=1))
    table = {
        f"{name} {size}": {
            "faces": len(seen),
            **{
                figure: median
                for figure, values in zip(FIGURES, zip(*seen, strict=True), strict=True)
                if (median := middle_of(values)) is not None
            },
        }
        for (name, size), seen in sorted(figures.items())
    }
    words.out.write_text(json.dumps(table, indent=1) + "\n")
    print(json.dumps(table, indent=1))
    rows = [
        shown[size][i]
        for size, count in DRAWN.items()
        for i in rng.permutation(len(shown[size]))[:count]
    ]
    half = len(rows) // 2
    halves = [np.concatenate(rows[:half]), np.concatenate(rows[half : 2 * half])]
    cv2.imwrite(str(words.sheet), np.concatenate(halves, axis=1)[..., ::-1])


def photos(data: Path) -> Iterator[tuple[Image, Faces, list[float]]]:
    """Every validation photo with its grown faces, and the heights of the faces as labelled."""
    for sample in FORMATS["widerface"].read(data, "val"):
        boxes = sample.faces.boxes
        # Numbered as in a film, where a face keeps its noise.
        tracks = np.arange(1, len(boxes) + 1)
        grown = replace(sample.faces, boxes=boxlib.grow(boxes, DEFAULT_MARGIN), tracks=tracks)
        yield read_picture(sample.image).rgb, grown, (boxes[:, 3] - boxes[:, 1]).tolist()


def edge(picture: Image, box: IntArray) -> float:
    """The step across a box's edge over its neighbours'; nan where the box meets the picture's."""
    x1, y1, x2, y2 = (int(v) for v in box)
    height, width = picture.shape[:2]
    if x1 < 2 or y1 < 2 or x2 + 2 > width or y2 + 2 > height or x2 - x1 < 6 or y2 - y1 < 6:
        return float("nan")
    pixels = picture[y1 - 2 : y2 + 2, x1 - 2 : x2 + 2].astype(np.float32)
    ends = [
        pixels[:4, 2:-2],
        pixels[::-1][:4, 2:-2],
        pixels[2:-2, :4].transpose(1, 0, 2),
        pixels[2:-2, ::-1][:, :4].transpose(1, 0, 2),
    ]
    out, across, within = (
        np.concatenate([np.abs(e[k + 1] - e[k]).ravel() for e in ends]).mean() for k in range(3)
    )
    return float(across / max((out + within) / 2, 0.5))


def detail(picture: Image, clear: Image, box: IntArray) -> float:
    """Sharpness of the middle of a box as a share of the clear picture's."""
    return _sharpness(picture, box) / max(_sharpness(clear, box), 0.5)


def stripes(picture: Image, box: IntArray) -> float:
    """The strongest fine frequency along rows or columns over the median one."""
    x1, y1, x2, y2 = (int(v) for v in box)
    quarter = ((x2 - x1) // 4, (y2 - y1) // 4)
    middle = picture[y1 + quarter[1] : y2 - quarter[1], x1 + quarter[0] : x2 - quarter[0]]
    if min(middle.shape[:2]) < 24:
        return float("nan")
    fine = cv2.Laplacian(middle.astype(np.float32).mean(axis=2), cv2.CV_32F)
    peaks = []
    for axis in (0, 1):
        window = np.hanning(fine.shape[axis])[(slice(None), None) if axis == 0 else slice(None)]
        power = (np.abs(np.fft.rfft(fine * window, axis=axis)) ** 2).mean(axis=1 - axis)
        power = power[len(power) // 4 :]
        peaks.append(float(power.max() / max(np.median(power), 1e-3)))
    return max(peaks)


def change(one: Image, other: Image, box: IntArray) -> float:
    """Mean difference of two pictures inside a box."""
    x1, y1, x2, y2 = (int(v) for v in box)
    here = np.s_[y1:y2, x1:x2]
    return float(np.abs(one[here].astype(np.float32) - other[here]).mean())


def seam(picture: Image, box: IntArray, others: IntArray) -> float:
    """As `edge`, where a box's edge lies inside another box; nan where none does."""
    height, width = picture.shape[:2]
    inside = boxlib.mask(others, height, width)
    parts: list[list[float]] = [[], [], []]
    x1, y1, x2, y2 = (int(v) for v in box)
    grey = picture.astype(np.float32)
    for turned, (low, high), ends in ((False, (x1, x2), (y1, y2)), (True, (y1, y2), (x1, x2))):
        seen, covered = ((a.swapaxes(0, 1) if turned else a) for a in (grey, inside))
        # From two rows outside of each edge to two inside.
        first, last = ends
        for rows in ([first - 2 + k for k in range(4)], [last + 1 - k for k in range(4)]):
            if min(rows) < 0 or max(rows) >= len(seen):
                continue
            over = covered[rows, low:high].all(axis=0)
            lines = seen[rows, low:high][:, over]
            for k in range(3):
                parts[k].extend(np.abs(lines[k + 1] - lines[k]).mean(axis=-1).tolist())
    if len(parts[0]) < 6:
        return float("nan")
    out, across, within = (float(np.mean(p)) for p in parts)
    return across / max((out + within) / 2, 0.5)


def middle_of(values: tuple[float, ...]) -> float | None:
    """The median of the figures that there are."""
    there = [v for v in values if not np.isnan(v)]
    return round(float(np.median(there)), 2) if there else None


def _sharpness(picture: Image, box: IntArray) -> float:
    x1, y1, x2, y2 = (int(v) for v in box)
    quarter = ((x2 - x1) // 4, (y2 - y1) // 4)
    middle = picture[y1 + quarter[1] : y2 - quarter[1], x1 + quarter[0] : x2 - quarter[0]]
    if min(middle.shape[:2]) < 3:
        return float("nan")
    scale = min(1.0, 32 / middle.shape[0])
    small = cv2.resize(middle, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return float(np.abs(cv2.Laplacian(small.astype(np.float32), cv2.CV_32F)).mean())


def around(picture: Image, box: IntArray) -> Image:
    """The box with its surroundings, (SIDE, SIDE, 3), black beyond the picture."""
    reach = int(max(box[2] - box[0], box[3] - box[1]) * 0.9)
    x, y = int(box[0] + box[2]) // 2, int(box[1] + box[3]) // 2
    wide = cv2.copyMakeBorder(picture, *[reach] * 4, cv2.BORDER_CONSTANT)
    cut = wide[y : y + 2 * reach, x : x + 2 * reach]
    return np.asarray(cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


if __name__ == "__main__":
    main()
