"""How many faces a picture may still show: the order in which it pays to look."""

from __future__ import annotations

from collections.abc import Sequence

# Measured (docs/detectors.md): of faces of up to this height in pixels, this share is not found.
_MISSED = ((16, 0.14), (32, 0.04), (64, 0.02))
# Measured (benchmarks/review.py): of faint candidates at the threshold, and at half of it, this
# share is a face that nothing hides.
_FAINT_FACE = (0.08, 0.045)
# A face that one pass alone saw tells of a picture at the edge of what the detector sees.
_SINGLE = 0.05
SMALL = 32
WEIGHTS = (_MISSED, _FAINT_FACE, _SINGLE, SMALL)
"""All that the order rests on."""


def expected_misses(
    faint: Sequence[tuple[float, ...]],
    threshold: float,
    heights: Sequence[float],
    seen: Sequence[int],
) -> float:
    """The expected number of faces of a picture that are not hidden.

    faint: x1, y1, x2, y2, score, passes of each candidate that nobody has judged. threshold: what a
    score must reach to be hidden. heights: of the hidden boxes in pixels. seen: passes that saw
    each of them, 0 where that is unknown.
    """
    misses = sum(_face_share(candidate[4], threshold) for candidate in faint)
    for height in heights:
        share = next((share for most, share in _MISSED if height < most), 0.0)
        # Where some of a size were found, as many as the detector misses of that size were not.
        misses += share / (1 - share)
    return misses + _SINGLE * sum(count == 1 for count in seen)


def _face_share(score: float, threshold: float) -> float:
    at, half = _FAINT_FACE
    place = min(max(2 * score / threshold - 1, 0), 1) if threshold else 1.0
    return half + (at - half) * place
