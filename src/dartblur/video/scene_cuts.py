"""Scene cuts: where one scene ends and another begins."""

from __future__ import annotations

import av
import cv2
import numpy as np
import numpy.typing as npt

from dartblur.video.planes import Plane, plane_arrays

Luma = npt.NDArray[np.float32]
MIN_CHANGE = 0.12
"""Mean change of luma, of 1, that a cut exceeds."""
MIN_HISTOGRAM_CHANGE = 0.35
"""Share of the histogram that a cut moves at least."""


class SceneCutDetector:
    """Tells for one frame after another whether a new scene begins with it.

    Careful: a cut that is overlooked costs some needless blur, one that is imagined might cost a
    face. Both the picture and its histogram must change, and by far more than they just did.
    """

    def __init__(self) -> None:
        self._before: Luma | None = None
        self._usual = 0.0

    def __call__(self, frame: av.VideoFrame) -> bool:
        """True where the scene changes before this frame."""
        return self.step(downscaled_luma(frame))

    def step(self, luma: Luma) -> bool:
        """The same, from a coarse picture of the luma in 0..1."""
        before, self._before = self._before, luma
        if before is None:
            return False
        change = float(np.abs(luma - before).mean())
        cut = (
            change > max(MIN_CHANGE, 3 * self._usual)
            and _histogram_change(luma, before) > MIN_HISTOGRAM_CHANGE
        )
        if not cut:
            self._usual = 0.8 * self._usual + 0.2 * change
        return cut


def downscaled_luma(frame: av.VideoFrame) -> Luma:
    """A frame's first plane, downscaled: enough to see a cut of scene."""
    return downscaled(plane_arrays(frame)[0], 2 ** frame.format.components[0].bits - 1)


def downscaled(plane: Plane, most: int) -> Luma:
    """Samples in 0..most, (H, W), downscaled to (18, 32) in 0..1."""
    step = max(1, min(plane.shape) // 144)
    sample = np.ascontiguousarray(plane[::step, ::step]).astype(np.float32)
    small = cv2.resize(sample, (32, 18), interpolation=cv2.INTER_AREA)
    return np.asarray(small / most, np.float32)


def _histogram_change(one: Luma, other: Luma) -> float:
    bins = [np.histogram(s, 16, (0, 1))[0] / s.size for s in (one, other)]
    return float(np.abs(bins[0] - bins[1]).sum() / 2)
