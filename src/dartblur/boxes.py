"""Arithmetic on boxes: x1 y1 x2 y2 in pixels, right and bottom exclusive.

Every function takes (N, 4) arrays of any real type, allows N = 0 and leaves its arguments alone.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from dartblur.faces import BoolArray, FloatArray

IntArray = npt.NDArray[np.int64]
Boxes = npt.NDArray[np.floating] | npt.NDArray[np.integer]
Shape = Literal["box", "ellipse"]
"""What is changed of a box: all of it, or the ellipse that fits into it."""


def area(boxes: Boxes) -> npt.NDArray[np.float64]:
    """Areas, (N,) in square pixels; never negative."""
    sides = np.maximum(boxes[:, 2:].astype(np.float64) - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float64)


def intersection(a: Boxes, b: Boxes) -> npt.NDArray[np.float64]:
    """Areas shared by each pair, (N, M) in square pixels."""
    low = np.maximum(a[:, None, :2].astype(np.float64), b[None, :, :2])
    high = np.minimum(a[:, None, 2:].astype(np.float64), b[None, :, 2:])
    sides = np.maximum(high - low, 0)
    return np.asarray(sides[..., 0] * sides[..., 1], np.float64)


def iou(a: Boxes, b: Boxes) -> npt.NDArray[np.float64]:
    """Intersection over union of each pair, (N, M) in [0, 1]; 0 where both are empty."""
    shared = intersection(a, b)
    union = area(a)[:, None] + area(b)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def clip(boxes: Boxes, height: float, width: float) -> FloatArray:
    """The parts within a picture of `height` by `width`; a box outside collapses onto the edge."""
    limits = np.array([width, height, width, height], np.float32)
    return np.clip(boxes.astype(np.float32), 0, limits)


def grow(boxes: Boxes, margin: float) -> FloatArray:
    """Boxes grown (or shrunk) on every side by `margin`, a share of their width and height.

    A margin of 0.1 makes a box 1.2 times as wide and high; at -0.5 it is a point.

    Raises:
        ValueError: margin is under -0.5: the box would turn inside out.
    """
    if not margin >= -0.5:
        raise ValueError(f"margin must be at least -0.5, not {margin}")
    boxes = boxes.astype(np.float32)
    reach = (boxes[:, 2:] - boxes[:, :2]) * np.float32(margin)
    grown = np.concatenate([boxes[:, :2] - reach, boxes[:, 2:] + reach], axis=1)
    # At -0.5 rounding may cross the two edges by a hair.
    grown[:, 2:] = np.maximum(grown[:, :2], grown[:, 2:])
    return grown


def scale(boxes: Boxes, x: float, y: float) -> FloatArray:
    """Boxes of a picture that was stretched by the factors `x` and `y`."""
    return boxes.astype(np.float32) * np.array([x, y, x, y], np.float32)


def to_pixels(boxes: Boxes, height: int, width: int) -> IntArray:
    """The whole pixels that boxes touch, (N, 4) integers clipped to the picture.

    A box that touches no pixel comes back with x2 <= x1 or y2 <= y1; the order is kept.
    """
    low = np.floor(boxes[:, :2])
    high = np.ceil(boxes[:, 2:])
    limits = np.array([width, height, width, height], np.float64)
    pixels: IntArray = np.clip(np.concatenate([low, high], axis=1), 0, limits).astype(np.int64)
    return pixels


def mask(boxes: Boxes, height: int, width: int, shape: Shape = "box") -> BoolArray:
    """The paper's `b`: (height, width) bool, True in every pixel that a box touches.

    shape: with `ellipse`, every pixel whose centre lies in the ellipse of a box, see `radii`.
    """
    inside = np.zeros((height, width), np.bool_)
    pixels = to_pixels(boxes, height, width)
    if shape == "box":
        pixels = pixels[np.argsort(area(pixels), kind="stable")]
        for x1, y1, x2, y2 in pixels[uncovered(pixels)].tolist():
            inside[y1:y2, x1:x2] = True
        return inside
    # Without an index NumPy would load its masked arrays first.
    each, _ = np.unique(pixels[area(pixels) > 0], axis=0, return_index=True)
    for box in each:
        x1, y1, x2, y2 = box
        inside[y1:y2, x1:x2] |= radii(box, height, width) <= 1
    return inside


def uncovered(pixels: IntArray) -> BoolArray:
    """Which boxes have a pixel that lies in no later one, (N,); those without a pixel have none.

    pixels: (N, 4) whole pixels. Takes a bool for each pixel between the outermost edges.
    """
    seen = np.zeros(len(pixels), np.bool_)
    there = np.flatnonzero((pixels[:, :2] < pixels[:, 2:]).all(axis=1))
    if len(there) < 2:
        seen[there] = True
        return seen
    corner = pixels[there, :2].min(axis=0)
    placed = pixels - np.tile(corner, 2)
    width, height = -(-placed[there, 2:].max(axis=0) // _CELL) * _CELL
    covered = np.zeros((height, width), np.bool_)
    # From the last down, so that only boxes are touched, however far apart they lie. Of very many
    # nearly all lie in squares that are covered whole by then, which is told for all at once.
    end, count = len(there), 256
    while end > 0:
        chunk = there[max(end - count, 0) : end]
        if end < len(there):
            chunk = chunk[~_covered_whole(covered, placed[chunk])]
        for i, (x1, y1, x2, y2) in zip(chunk[::-1], placed[chunk[::-1]].tolist(), strict=True):
            here = covered[y1:y2, x1:x2]
            seen[i] = not here.all()
            here[:] = True
        end, count = end - count, 2 * count
    return seen


def _covered_whole(covered: BoolArray, pixels: IntArray) -> BoolArray:
    """Which boxes touch no square of `_CELL` pixels that is not covered everywhere, (N,)."""
    height, width = covered.shape
    cells = covered.reshape(height // _CELL, _CELL, width // _CELL, _CELL).all(axis=(1, 3))
    open_before = np.pad((~cells).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    (x1, y1), (x2, y2) = (pixels[:, :2] // _CELL).T, (-(-pixels[:, 2:] // _CELL)).T
    touched = open_before[y2, x2] - open_before[y1, x2] - open_before[y2, x1] + open_before[y1, x1]
    return np.asarray(touched == 0, np.bool_)


def radii(box: IntArray, height: int, width: int) -> FloatArray:
    """How far out each pixel of one box lies, (h, w): 0 in the middle, 1 on its ellipse.

    Towards a side that lies on the picture's own edge nothing gets farther: the face goes on there,
    so that half of the ellipse is a half of the box.

    box: (4,) whole pixels within the picture of `height` by `width`, not empty.
    """
    x1, y1, x2, y2 = (int(v) for v in box)
    x, y = _outwards(x1, x2, width), _outwards(y1, y2, height)
    return np.asarray(np.hypot(x, y[:, None]), np.float32)


def _outwards(low: int, high: int, limit: int) -> FloatArray:
    """From -1 to 1 at the pixels' centres; 0 in a half that ends at 0 or at `limit`."""
    half = (high - low) / 2
    places = (np.arange(high - low, dtype=np.float32) + 0.5 - half) / half
    return places.clip(0 if low == 0 else -1, 0 if high == limit else 1).astype(np.float32)


_BLOCK = 64
# Side of the squares by which what is covered is told for many boxes at once.
_CELL = 8


def nms(boxes: Boxes, scores: npt.NDArray[np.floating], threshold: float) -> npt.NDArray[np.intp]:
    """Indices of the boxes that greedy non-maximum suppression keeps, best score first.

    A box goes when its intersection over union with a better one that stays exceeds `threshold`.
    """
    order = np.argsort(-scores, kind="stable")
    kept = [order[:0]]
    # In blocks: one by one, most of the time would go into calls.
    while len(order):
        block, order = order[:_BLOCK], order[_BLOCK:]
        alike = iou(boxes[block], boxes[block]) > threshold
        alive = np.ones(len(block), np.bool_)
        for i in range(len(block)):
            if alive[i]:
                alive[i + 1 :] &= ~alike[i, i + 1 :]
        kept.append(block[alive])
        order = order[~(iou(boxes[kept[-1]], boxes[order]) > threshold).any(axis=0)]
    return np.concatenate(kept)


def hidden_share(targets: Boxes, covers: Boxes) -> npt.NDArray[np.float64]:
    """Share of each target's area that lies in the union of `covers`, (N,) in [0, 1].

    Exact: the plane is cut along every edge. A target without area counts as hidden where its
    point lies in a cover.
    """
    shares = np.zeros(len(targets))
    overlaps = intersection(targets, covers) if len(covers) else None
    total = area(targets)
    for i, target in enumerate(targets.astype(np.float64)):
        if total[i] == 0:
            x, y = target[:2]
            inside = (covers[:, 0] <= x) & (x <= covers[:, 2])
            shares[i] = float((inside & (covers[:, 1] <= y) & (y <= covers[:, 3])).any())
            continue
        if overlaps is None:
            continue
        near = covers[overlaps[i] > 0].astype(np.float64)
        near = np.clip(near, np.tile(target[:2], 2), np.tile(target[2:], 2))
        shares[i] = _union_area(near) / total[i]
    return np.minimum(shares, 1)


def _union_area(boxes: npt.NDArray[np.float64]) -> float:
    xs, ys = np.unique(boxes[:, [0, 2]]), np.unique(boxes[:, [1, 3]])
    covered = np.zeros((max(len(ys) - 1, 0), max(len(xs) - 1, 0)), np.bool_)
    for x1, y1, x2, y2 in boxes:
        rows = slice(*np.searchsorted(ys, [y1, y2]))
        columns = slice(*np.searchsorted(xs, [x1, x2]))
        covered[rows, columns] = True
    return float(np.diff(ys) @ covered @ np.diff(xs)) if covered.size else 0.0
