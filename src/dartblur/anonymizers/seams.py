"""Blurred boxes without an edge: each is led over into what surrounds it.

A plain blur ends where its box ends, and a person sees the box; a detector learns it. Here the step
at a box's edge is carried inwards and fades there, fine detail sooner than coarse, as in a
membrane that is fastened to the surroundings.
"""

from __future__ import annotations

import functools

import numpy as np

from dartblur.anonymizers.base import Image, paint_order
from dartblur.boxes import IntArray
from dartblur.faces import FloatArray

DEPTH = 4
"""An edge reaches inwards by a box's side over this number: opposite edges never meet."""
# In a longer edge finer detail is not carried on: nobody misses it, and it would cost time.
_FINEST = 256


def close_seams(blurred: Image, boxes: IntArray) -> None:
    """Leads every box over into its surroundings, in place.

    What is written is made of `blurred` alone, so it tells nothing that was not published already.
    Pixels outside the boxes are left alone; so is an edge that lies on the picture's own.

    blurred: (H, W, 3) with every face blurred. boxes: (N, 4) whole pixels within the picture.
    """
    boxes = np.unique(boxes, axis=0)  # a face that is given twice is one
    for x1, y1, x2, y2 in boxes[paint_order(boxes)]:
        _close_ends(blurred[:, x1:x2], int(y1), int(y2), held=False)
        # Held at its corners, lest it undo what was done to the rows there.
        _close_ends(blurred[y1:y2].transpose(1, 0, 2), int(x1), int(x2), held=True)


def _close_ends(strip: Image, low: int, high: int, held: bool) -> None:
    """Leads rows `low` to `high` of a (h, w, 3) strip over into the rows before and after."""
    depth = (high - low) // DEPTH
    if depth == 0:
        return
    first, last = strip[low : low + depth], strip[high - depth : high][::-1]
    met = [(first, low - 1)] * (low > 0) + [(last, high)] * (high < len(strip))
    if not met:
        return
    steps = [strip[outside].astype(np.float32) - rows[0] for rows, outside in met]
    fading = _fading(np.concatenate(steps, axis=1), depth, held)
    for i, (rows, _) in enumerate(met):
        closed = np.rint(rows + fading[..., 3 * i : 3 * i + 3])
        rows[:] = np.clip(closed, 0, 255).astype(np.uint8)


def _fading(step: FloatArray, depth: int, held: bool) -> FloatArray:
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
