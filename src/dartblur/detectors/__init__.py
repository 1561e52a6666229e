"""Face detectors: one small protocol, and a table from names to makers.

`make_detector(name, threshold=None, threads=1)` is the door: it returns a `Detector`, which carries
its threshold (a face below it is not returned), loads its weights when first called and may be
shared by threads. `providers()` tells what it runs on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from dartblur.detectors import centerface, retinaface
from dartblur.detectors.base import Detector
from dartblur.detectors.looking import Look, Looking
from dartblur.detectors.network import Network, providers
from dartblur.errors import UsageError

__all__ = ["DEFAULT", "DETECTORS", "FAST", "Detector", "make_detector", "providers"]

DEFAULT, FAST = "thorough", "fast"

Maker = Callable[[float | None, int], Detector]


def _centerface(threshold: float | None, threads: int) -> Looking:
    network = Network("centerface", threads)
    return Looking((Look(network, centerface.decode, 1),), 0.2 if threshold is None else threshold)


def _retinaface(threshold: float | None, threads: int) -> Looking:
    network = Network("retinaface", threads)
    return Looking((Look(network, retinaface.decode, 1),), 0.3 if threshold is None else threshold)


def _thorough(threshold: float | None, threads: int) -> Looking:
    center = Network("centerface", threads)
    retina = Network("retinaface", threads)
    looks = (
        Look(center, centerface.decode, 1),
        Look(center, centerface.decode, 2),
        Look(center, centerface.decode, 3, finest=True),
        Look(retina, retinaface.decode, 0.5),
        Look(retina, retinaface.decode, 1),
    )
    return Looking(looks, 0.2 if threshold is None else threshold)


DETECTORS: Mapping[str, Maker] = MappingProxyType(
    {
        "thorough": _thorough,
        "fast": _centerface,
        "centerface": _centerface,
        "retinaface": _retinaface,
    }
)


def make_detector(
    name: str = DEFAULT, threshold: float | None = None, threads: int = 1
) -> Detector:
    """The detector of that name.

    threshold: the least score of a face, in [0, 1]; None: the detector's own measured default.
    threads: CPU cores that one call uses.

    Raises:
        UsageError: no such detector, or a threshold or number of threads out of range.
    """
    if name not in DETECTORS:
        raise UsageError(f"no detector is called {name!r}: choose one of {', '.join(DETECTORS)}")
    if threshold is not None and not 0 <= threshold <= 1:
        raise UsageError(f"the detector's threshold must lie in [0, 1], not {threshold}")
    if threads < 1:
        raise UsageError(f"a detector needs at least 1 thread, not {threads}")
    return DETECTORS[name](threshold, threads)
