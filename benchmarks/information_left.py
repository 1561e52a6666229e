"""How many numbers of how many bits each h leaves of a face, at most.

    python -m benchmarks.information_left PEOPLE -o results/information-left.json

PEOPLE: a folder per person, as LFW has them. Faces are cut out with their box and margin, hidden
without blended borders, and transformed: colours to an orthonormal brightness and two differences,
pixels (of a mosaic its cells) by the orthonormal cosine transform, in which a Gaussian blur takes a
share of each coefficient. A coefficient whose variance over all faces is S is hidden by rounding
to whole levels, of variance N = 1/12 (of a mosaic with noise by that too): it counts as
a number where S > N, and carries ½ log2(1 + S / N) bits at most (Gaussian channel; photos are no
Gaussian, so this is an estimate). JPEG takes more away. What a generator paints has no more than
its h.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.anonymizers.gaussian import kernel_side
from dartblur.anonymizers.named import NOISE
from dartblur.privacy.methods import CLEAR
from dartblur.privacy.people import Photo, read_people
from dartblur.privacy.views import Hiding, Photographer
from dartblur.privacy.work import Locate
from dartblur.stages.report import commit, markdown

Array = npt.NDArray[np.float64]
ROUNDING = 1 / 12
"""Variance of what rounding to whole levels adds."""
# Height over width of faces' boxes, in the mean; sides are even, as cv2.dct asks.
_ASPECT = 1.3
_COLOURS = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]]) / np.sqrt([[3], [2], [6]])
Blur = Callable[[Array], Array]


def coefficients(crop: Array) -> Array:
    """Orthonormal cosine coefficients of a (h, w, 3) crop in opponent colours, (3, h, w)."""
    return np.stack([cv2.dct(plane) for plane in np.moveaxis(crop @ _COLOURS.T, 2, 0)])


def left(variances: Array, noise: float) -> tuple[int, float]:
    """Numbers above the noise, and bits in all; noise: variance, on the 0 to 255 scale."""
    ratios = variances / noise
    return int((ratios > 1).sum()), float(np.log2(1 + ratios).sum() / 2)


def gaussian(crop: Array, strength: float) -> Array:
    """The blur of strength 1 or so, before it is rounded."""
    height, width = crop.shape[:2]
    kernel = kernel_side(width, strength), kernel_side(height, strength)
    return np.asarray(cv2.GaussianBlur(crop, kernel, 0), np.float64)


def mosaic(crop: Array, cells: int) -> Array:
    """The cells of a mosaic, an even number of rows, before they are rounded."""
    rows = 2 * round(cells * crop.shape[0] / crop.shape[1] / 2)
    return np.asarray(cv2.resize(crop, (cells, rows), interpolation=cv2.INTER_AREA), np.float64)


BLURS: dict[str, tuple[Blur, float]] = {
    "clear": (lambda crop: crop, ROUNDING),
    **{f"gaussian-{s:g}": (partial(gaussian, strength=s), ROUNDING) for s in (1, 1.5, 2, 3)},
    **{f"pixelate-{cells}": (partial(mosaic, cells=cells), ROUNDING) for cells in (8, 6)},
    "pixelate-8-noise": (partial(mosaic, cells=8), ROUNDING + NOISE**2),
}


def crops_of(people: Path, size: int) -> list[Array]:
    """Clear faces in their hidden box, `size` pixels wide without its margin, (h, w, 3) each."""
    photos = tuple(read_people(people, photos=6))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "boxes.json"
        Locate(people, photos, "fast", "")([], target)
        boxes = json.loads(target.read_text())
    take = Photographer(people, Hiding(CLEAR), size)
    width = 2 * round(size * 1.3 / 2)
    shape = width, 2 * round(width * _ASPECT / 2)

    def cut(photo: Photo, box: list[float]) -> Array:
        scene = take(photo, np.array(box, np.float32))
        x1, y1, x2, y2 = scene.hidden_box
        crop = cv2.resize(scene.clear[y1:y2, x1:x2], shape, interpolation=cv2.INTER_AREA)
        return np.asarray(crop, np.float64)

    return [cut(photo, box) for photo, box in zip(photos, boxes, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("people", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for size in (64, 112):
        crops = crops_of(options.people, size)
        for name, (blur, noise) in BLURS.items():
            found = np.stack([coefficients(blur(crop)) for crop in crops])
            numbers, bits = left(found.var(axis=0), noise)
            rows.append({
                "method": name, "size": size, "faces": len(crops), "numbers": numbers,
                "bits": round(bits), "bits_a_number": round(bits / numbers, 1),
            })  # fmt: skip
    command = shlex.join(["python", "-m", "benchmarks.information_left", *sys.argv[1:]])
    told = {"command": command, "commit": commit(), "rows": rows}
    options.out.write_text(json.dumps(told, indent=1) + "\n")
    print(markdown(list(rows[0]), [[str(v) for v in row.values()] for row in rows]))


if __name__ == "__main__":
    main()
