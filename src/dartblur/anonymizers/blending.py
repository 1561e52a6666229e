"""Border blending: hidden faces without an edge.

A plain patch ends where its box ends, and a person sees the box; a detector learns it. Here the
step at a border is carried inwards and fades there, fine detail sooner than coarse, as in the
membranes of gradient-domain blending. Nothing but published pixels goes into it: a face that is
blended tells no more than the same face with a hard edge.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from dartblur import boxes as boxlib
from dartblur.anonymizers.base import Anonymizer, visible
from dartblur.boxes import IntArray
from dartblur.faces import BoolArray, Faces, FloatArray, Image

DEPTH = 4
"""An edge reaches inwards by a box's side over this number: opposite edges never meet."""
# In a longer edge finer detail is not carried on: nobody misses it, and it would cost time.
_FINEST = 256
# Sides of a larger membrane are shrunk to this: it is smooth, but for the border itself.
_LARGEST_MEMBRANE = 512


@dataclass(frozen=True)
class Blended:
    """A method whose boxes are blended into their surroundings and into each other."""

    method: Anonymizer

    def __call__(self, image: Image, faces: Faces) -> Image:
        """See `Anonymizer`."""
        out = self.method(image, faces)
        blend_borders(out, boxlib.to_pixels(faces.boxes, *image.shape[:2]))
        return out


@dataclass(frozen=True)
class Ellipses:
    """A method that changes only the ellipse in every box, without an edge."""

    method: Anonymizer

    def __call__(self, image: Image, faces: Faces) -> Image:
        """See `Anonymizer`."""
        boxes = boxlib.to_pixels(faces.boxes, *image.shape[:2])
        return cut_ellipses(self.method(image, faces), image, boxes)


def cut_ellipses(hidden: Image, image: Image, boxes: IntArray) -> Image:
    """A copy of `image` with the ellipses of all boxes taken from `hidden`, and blended into it.

    Ellipses that touch are one region, which has no border inside. What is written is made of
    `hidden` and of pixels outside all ellipses alone, which are published.

    hidden: (H, W, 3), the picture with every box hidden. boxes: (N, 4) whole pixels within it.
    """
    out = image.copy()
    boxes = np.unique(boxes[boxlib.area(boxes) > 0], axis=0)
    if not len(boxes):
        return out
    inside = boxlib.mask(boxes, image.shape[0], image.shape[1], "ellipse")
    _, regions, places, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    owner = regions[boxes[:, 1::2].sum(axis=1) // 2, boxes[:, ::2].sum(axis=1) // 2]
    for i in np.unique(owner):
        # With one pixel more on every side: the surroundings that it meets.
        x1, y1 = np.maximum(places[i, :2] - 1, 0)
        x2, y2 = places[i, :2] + places[i, 2:4] + 1
        here = np.s_[y1:y2, x1:x2]
        region = regions[here] == i
        steps = _membrane(hidden[here], image[here], region)
        fade = _fade(boxes[owner == i], region.shape, (x1, y1), image.shape[:2])
        blended = np.rint(hidden[here] + fade[..., None] * steps).clip(0, 255).astype(np.uint8)
        out[here][region] = blended[region]
    return out


def _membrane(hidden: Image, around: Image, region: BoolArray) -> FloatArray:
    """Steps at a region's border, spread over all of it, (h, w, 3).

    Pixels on the border get the mean step to their neighbours outside; the others are filled in
    by pulling the steps down a pyramid and pushing them up again.
    """
    height, width = region.shape
    shrink = 1 + max(height, width) // _LARGEST_MEMBRANE
    weighted = np.zeros((-(-height // shrink), -(-width // shrink), 4), np.float32)
    # A region ends at the picture's own edge, or a pixel before that of this part.
    surrounded = np.pad(region, 1, mode="edge")
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        beside = surrounded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        y, x = np.nonzero(region & ~beside)
        step = around[y + dy, x + dx].astype(np.float32) - hidden[y, x]
        ones = np.ones((len(x), 1), np.float32)
        np.add.at(weighted, (y // shrink, x // shrink), np.concatenate([step, ones], axis=1))
    filled = _filled(weighted)
    if shrink > 1:
        filled = np.asarray(cv2.resize(filled, (width, height)), np.float32)
    return filled


def _filled(weighted: FloatArray) -> FloatArray:
    """Values everywhere, (h, w, 3), from sums of values and their weights, (h, w, 4)."""
    values, weight = weighted[..., :3], weighted[..., 3:]
    known = values / np.maximum(weight, 1e-6)
    height, width = weighted.shape[:2]
    if min(height, width) < 2:
        return np.asarray(known, np.float32)
    coarser = _filled(np.asarray(cv2.pyrDown(weighted) * 4, np.float32))
    guess = np.asarray(cv2.pyrUp(coarser, dstsize=(width, height)), np.float32)
    return np.asarray(guess + np.minimum(weight, 1) * (known - guess), np.float32)


def _fade(
    boxes: IntArray, shape: tuple[int, ...], corner: tuple[int, int], limits: tuple[int, ...]
) -> FloatArray:
    """From 1 on the border of all ellipses together to 0 at a fourth of a side inside any.

    shape: (h, w) of the part of the picture that starts at `corner`, x and y. limits: height and
    width of the picture.
    """
    fade = np.ones(shape, np.float32)
    for box in boxes:
        x1, y1, x2, y2 = box - np.tile(corner, 2)
        half = min(x2 - x1, y2 - y1) / 2
        inwards = (1 - boxlib.radii(box, *limits)) * half - 0.5
        fade[y1:y2, x1:x2] *= (1 - inwards / half * DEPTH / 2).clip(0, 1) ** 2
    return fade


def blend_borders(blurred: Image, boxes: IntArray) -> None:
    """Blends every box into its surroundings, in place.

    What is written is made of `blurred` alone, so it tells nothing that was not published already.
    Pixels outside the boxes are left alone; so is an edge that lies on the picture's own.

    blurred: (H, W, 3) with every face hidden. boxes: (N, 4) whole pixels within the picture.
    """
    # Of equal areas in one order, however they are given.
    boxes = boxes[np.lexsort(boxes.T[::-1])]
    for x1, y1, x2, y2 in boxes[visible(boxes)].tolist():
        _blend_ends(blurred[:, x1:x2], y1, y2, held=False)
        # Held at its corners, lest it undo what was done to the rows there.
        _blend_ends(blurred[y1:y2].transpose(1, 0, 2), x1, x2, held=True)


def _blend_ends(strip: Image, low: int, high: int, held: bool) -> None:
    """Blends rows `low` to `high` of a (h, w, 3) strip into the rows before and after."""
    depth = (high - low) // DEPTH
    if depth == 0:
        return
    first, last = strip[low : low + depth], strip[high - depth : high][::-1]
    met = [(first, low - 1)] * (low > 0) + [(last, high)] * (high < len(strip))
    if not met:
        return
    steps = [strip[outside].astype(np.float32) - rows[0] for rows, outside in met]
    fading = _faded_steps(np.concatenate(steps, axis=1), depth, held)
    for i, (rows, _) in enumerate(met):
        closed = np.rint(rows + fading[..., 3 * i : 3 * i + 3])
        rows[:] = np.clip(closed, 0, 255).astype(np.uint8)


def _faded_steps(step: FloatArray, depth: int, held: bool) -> FloatArray:
    """What steps, (w, C), along an edge become 0 to `depth` - 1 pixels behind it, (depth, w, C).

    A wave of k half periods along the edge falls as exp(−π k t / w), which is Laplace's equation,
    and all of them to nothing at `depth`. held: waves are sines, which are 0 at the edge's ends.
    """
    width, channels = step.shape
    k, waves = _waves(width, held)
    shares = waves @ step
    out = np.empty((depth, width, channels), np.float32)
    start, stop = 0, min(depth, 8)
    while start < depth:
        t = np.arange(start, stop, dtype=np.float32)[:, None]
        # Finer waves are below a level from here on: exp(−2 π) of a step of 255.
        seen = len(k) if start == 0 else min(len(k), 2 * width // start + 1)
        fall = np.exp(-np.pi / width * t * k[:seen]) * (1 - t / depth) ** 2
        out[start:stop] = waves[:seen].T @ (fall[..., None] * shares[:seen])
        start, stop = stop, min(depth, 2 * stop)
    return out


@functools.lru_cache(maxsize=64)
def _waves(width: int, sines: bool) -> tuple[FloatArray, FloatArray]:
    """Half periods k, (K,), and the waves, (K, width): orthonormal cosines, or sines."""
    k = np.arange(min(width, _FINEST), dtype=np.float32) + sines
    phase = np.pi / width * k[:, None] * (np.arange(width) + 0.5)
    waves = (np.sin(phase) if sines else np.cos(phase)) * np.sqrt(2 / width)
    waves[k == (width if sines else 0)] *= np.sqrt(0.5)
    return k, waves.astype(np.float32)
