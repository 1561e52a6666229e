"""Which frames of a film are searched for faces, and how closely."""

from __future__ import annotations

from dartblur.detectors import Detector, QuickDetector
from dartblur.video.options import AUTO

WHOLE = 0.06
"""Seconds after which a frame is searched whole again: at 25 and 30 frames a second every other."""


class Looks:
    """Chooses the detector of one frame after another.

    Where the detector has a quick look, frames soon after one that was searched whole get that:
    a large face may move far in that time, and the quick look finds it; a small one does not.

    every: 2 searches every second frame and so on; `AUTO` searches all of them, and whole.
    """

    def __init__(self, detector: Detector | None, every: int) -> None:
        self._whole, self._every = detector, max(1, every)
        quick = detector.quick if isinstance(detector, QuickDetector) else None
        self._quick = None if every == AUTO else quick
        self._number = 0
        self._searched: float | None = None

    def __call__(self, time: float, *, cut: bool) -> Detector | None:
        """The detector of the next frame; None where none looks at it.

        time: at which it is shown, in seconds. cut: a new scene begins with it.
        """
        number, self._number = self._number, self._number + 1
        if self._whole is None or number % self._every:
            return None
        recent = self._searched is not None and time - self._searched < WHOLE
        if self._quick is not None and recent and not cut:
            return self._quick
        self._searched = time
        return self._whole
