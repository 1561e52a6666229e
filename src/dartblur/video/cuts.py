"""Where one scene ends and another begins."""

from __future__ import annotations

import av
import numpy as np

from dartblur.video.planes import Sketch, luma_sketch

CHANGED = 0.12
"""Mean change of luma, of 1, that a cut exceeds."""
UNLIKE = 0.35
"""Share of the histogram that a cut moves at least."""


class CutFinder:
    """Tells for one frame after another whether a new scene begins with it.

    Careful: a cut that is overlooked costs some needless blur, one that is imagined might cost a
    face. Both the picture and its histogram must change, and by far more than they just did.
    """

    def __init__(self) -> None:
        self._before: Sketch | None = None
        self._usual = 0.0

    def __call__(self, frame: av.VideoFrame) -> bool:
        """True where the scene changes before this frame."""
        return self.step(luma_sketch(frame))

    def step(self, sketch: Sketch) -> bool:
        """The same, from a coarse picture of the luma in 0..1."""
        before, self._before = self._before, sketch
        if before is None:
            return False
        change = float(np.abs(sketch - before).mean())
        cut = change > max(CHANGED, 3 * self._usual) and _unlike(sketch, before) > UNLIKE
        if not cut:
            self._usual = 0.8 * self._usual + 0.2 * change
        return cut


def _unlike(one: Sketch, other: Sketch) -> float:
    bins = [np.histogram(s, 16, (0, 1))[0] / s.size for s in (one, other)]
    return float(np.abs(bins[0] - bins[1]).sum() / 2)
