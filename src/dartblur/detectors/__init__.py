"""Face detectors: one small protocol, and a table from names to makers.

`make_detector(name, threshold=None, threads=1)` is the door: it returns a `Detector`, which carries
its threshold (a face below it is not returned), loads its weights when first called and may be
shared by threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from dartblur.detectors import centerface, retinaface
from dartblur.detectors.base import Detector, Evidence, EvidentDetector, QuickDetector, search
from dartblur.detectors.ensemble import Calibration, Ensemble, Member
from dartblur.detectors.network import shipped
from dartblur.detectors.second_stage import BoxClassifier
from dartblur.errors import UsageError
from dartblur.onnx_runtime import DEFAULT_DEVICE, providers

__all__ = [
    "DEFAULT",
    "DETECTORS",
    "FAST",
    "FILM",
    "Detector",
    "Evidence",
    "EvidentDetector",
    "QuickDetector",
    "make_detector",
    "search",
]

DEFAULT, FAST, FILM = "thorough", "fast", "film"

Maker = Callable[[float | None, int, str], Detector]

# At equal calibrated scores, boxes of either network lie on faces equally often.
CENTERFACE_CALIBRATION = Calibration(1.3, 1.04)
# Large photos are searched in their own size up to here: the time that one photo may take.
THOROUGH_SIZE, FAST_SIZE = 16_000_000, 4_000_000


def _second_stage(threads: int, device: str) -> BoxClassifier:
    return BoxClassifier(shipped("box_classifier", threads, device))


def _thorough(threshold: float | None, threads: int, device: str) -> Ensemble:
    center, retina = shipped("centerface", threads, device), shipped("retinaface", threads, device)
    common = CENTERFACE_CALIBRATION
    members = (
        Member(center, centerface.decode, 1, calibration=common),
        Member(center, centerface.decode, 1, calibration=common, mirrored=True),
        Member(center, centerface.decode, 3, calibration=common, own_size=THOROUGH_SIZE),
        Member(retina, retinaface.decode, 1),
        Member(retina, retinaface.decode, 2),
    )
    # Val had a part in the choice of threshold, vote and weight; see docs/detectors.md.
    least = 0.15 if threshold is None else threshold
    classifier = _second_stage(threads, device)
    return Ensemble(members, least, vote=0.3, spread=0.5, classifier=classifier, weight=0.5)


def _fast(threshold: float | None, threads: int, device: str) -> Ensemble:
    members = (
        Member(shipped("centerface", threads, device), centerface.decode, 1, own_size=FAST_SIZE),
        Member(shipped("retinaface", threads, device), retinaface.decode, 1),
    )
    least = 0.08 if threshold is None else threshold
    classifier = _second_stage(threads, device)
    # In a crowd, fainter boxes would take the second stage as long as the networks do.
    return Ensemble(members, least, spread=0.5, classifier=classifier, weight=0.4, proposed=0.07)


def _film(threshold: float | None, threads: int, device: str) -> Ensemble:
    network = shipped("retinaface", threads, device)
    fine = Member(network, retinaface.decode, 1, own_size=FAST_SIZE)
    # The tiles of the first one cut faces that fill the frame.
    coarse = Member(network, retinaface.decode, 1)
    least = 0.12 if threshold is None else threshold
    classifier = _second_stage(threads, device)
    quick = Ensemble((coarse,), least, spread=0.5, classifier=classifier, weight=0.4)
    return replace(quick, members=(fine, coarse), quick=quick)


def _centerface(threshold: float | None, threads: int, device: str) -> Ensemble:
    member = Member(
        shipped("centerface", threads, device), centerface.decode, 1, own_size=FAST_SIZE
    )
    return Ensemble((member,), 0.2 if threshold is None else threshold)


def _retinaface(threshold: float | None, threads: int, device: str) -> Ensemble:
    member = Member(
        shipped("retinaface", threads, device), retinaface.decode, 1, own_size=FAST_SIZE
    )
    return Ensemble((member,), 0.3 if threshold is None else threshold)


DETECTORS: Mapping[str, Maker] = MappingProxyType(
    {
        "thorough": _thorough,
        "fast": _fast,
        "film": _film,
        "centerface": _centerface,
        "retinaface": _retinaface,
    }
)


def make_detector(
    name: str = DEFAULT,
    threshold: float | None = None,
    threads: int = 1,
    device: str = DEFAULT_DEVICE,
) -> Detector:
    """The detector of that name.

    threshold: the least score of a face, in [0, 1]; None: the detector's own measured default.
    threads: CPU cores that one call uses. device: that its networks run on, see `onnx_runtime`.

    Raises:
        UsageError: no such detector or device, or a threshold or number of threads out of range.
    """
    if name not in DETECTORS:
        raise UsageError(f"no detector is called {name!r}: choose one of {', '.join(DETECTORS)}")
    if threshold is not None and not 0 <= threshold <= 1:
        raise UsageError(f"the detector's threshold must lie in [0, 1], not {threshold}")
    if threads < 1:
        raise UsageError(f"a detector needs at least 1 thread, not {threads}")
    providers(device)  # a device that is not to be had is told before any picture is read
    return DETECTORS[name](threshold, threads, device)
