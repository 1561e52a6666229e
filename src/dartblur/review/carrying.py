"""A box carried from frame to frame by what it shows: optical flow, median of many points.

Median flow (Kalal, Mikolajczyk, Matas 2010): points of a grid in the box are followed forwards and
back again by the pyramidal method of Lucas and Kanade, as OpenCV has it; those that come back go
into the medians by which the box moves and grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from dartblur import boxes as boxlib
from dartblur.faces import BoolArray, Image
from dartblur.video.scene_cuts import SceneCutDetector, downscaled

Box = tuple[float, float, float, float]
_GRID = 12
"""Points across and down a box."""
_ASTRAY = 2.0
"""Pixels from where it began that a point may come back to, at most."""
_LEAST = 0.3
"""Share of the points that must come back; with fewer the box is lost."""
_GROWTH = 1.2
"""The most by which a box grows or shrinks from one frame to the next."""
_WINDOW = (15, 15)


def carried(pictures: Iterable[Image], box: Box) -> Iterator[Box]:
    """The box in each further picture, until it is lost, leaves the picture or the scene changes.

    pictures: (H, W, 3) uint8, the first is the one in which `box` lies: x1, y1, x2, y2 in pixels.
    """
    before: npt.NDArray[np.uint8] | None = None
    cuts = SceneCutDetector()
    for picture in pictures:
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        cut = cuts.step(downscaled(grey, 255))
        if before is not None:
            moved = None if cut else _moved(before, grey, box)
            if moved is None:
                return
            box = moved
            yield box
        before = grey


def _moved(before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8], box: Box) -> Box | None:
    """Where the box is in the next picture; None where that cannot be told."""
    height, width = after.shape
    x1, y1, x2, y2 = box
    shares = (np.arange(_GRID) + 0.5) / _GRID
    grid = np.stack(np.meshgrid(x1 + shares * (x2 - x1), y1 + shares * (y2 - y1)), axis=-1)
    points = grid.reshape(-1, 1, 2).astype(np.float32)
    there, found = _followed(before, after, points)
    back, found_back = _followed(after, before, there)
    astray = np.linalg.norm(back - points, axis=-1).reshape(-1)
    good = found & found_back & (astray <= _ASTRAY)
    if good.mean() < _LEAST:
        return None
    old, new = points[good, 0], there[good, 0]
    step = np.median(new - old, axis=0)
    growth = float(np.clip(_growth(old, new), 1 / _GROWTH, _GROWTH))
    centre = np.array([x1 + x2, y1 + y2]) / 2 + step
    half = np.array([x2 - x1, y2 - y1]) / 2 * growth
    moved = np.concatenate([centre - half, centre + half])
    inside = boxlib.clip(moved[None], height, width)
    # Half of it must still be in the picture.
    if boxlib.area(inside)[0] < 0.5 * boxlib.area(moved[None])[0]:
        return None
    a, b, c, d = (float(side) for side in moved)
    return a, b, c, d


def _followed(
    before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8], points: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], BoolArray]:
    """Where points (N, 1, 2) of one picture are in another, and (N,) which of them were found."""
    there = np.zeros_like(points)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, there, winSize=_WINDOW)
    return np.asarray(moved, np.float32), np.asarray(found).reshape(-1) > 0


def _growth(old: npt.NDArray[np.float32], new: npt.NDArray[np.float32]) -> float:
    """The median by which distances between points change."""
    pairs = np.triu_indices(len(old), 1)
    was = np.linalg.norm(old[pairs[0]] - old[pairs[1]], axis=1)
    now = np.linalg.norm(new[pairs[0]] - new[pairs[1]], axis=1)
    far = was > 0
    return float(np.median(now[far] / was[far])) if far.any() else 1.0
