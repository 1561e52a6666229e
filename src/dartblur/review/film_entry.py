"""What the grid shows of a film: its tracks counted as the faces of a picture are."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace

import numpy as np

from dartblur.batch.findings import tracks_of
from dartblur.batch.ledger import Ledger
from dartblur.review.decisions import Decision
from dartblur.review.faint_tracks import with_faint_tracks
from dartblur.review.film_state import FilmState, state_of
from dartblur.review.index import Entry
from dartblur.review.risk import SMALL, expected_misses
from dartblur.review.run import Row
from dartblur.video import FilmTracks


def film_entry(ledger: Ledger, row: Row, decision: Decision | None, entry: Entry) -> Entry:
    """What the grid shows of a film that is done; `entry` where its tracks are not known."""
    with suppress(ValueError):
        tracks = tracks_of(ledger, os.fsencode(row.file))
        if tracks is not None:
            tracks = with_faint_tracks(tracks)
            state = state_of(tracks, decision.content if decision else None)
            return with_tracks(entry, row, tracks, state)
    return entry


def with_tracks(entry: Entry, row: Row, tracks: FilmTracks, state: FilmState) -> Entry:
    """The same film with what a person has made of its tracks.

    tracks: with those of faint candidates. A candidate counts by its best score, a track by its
    largest box, and one that was seen in a single frame as a face that a single pass saw.
    """
    numbers, which = np.unique(tracks.tracks, return_inverse=True)
    looks = np.bincount(which, tracks.seen)
    scores, heights = np.zeros(len(numbers)), np.zeros(len(numbers))
    np.maximum.at(scores, which, np.where(tracks.seen, tracks.scores, 0))
    np.maximum.at(heights, which, tracks.boxes[:, 3] - tracks.boxes[:, 1])
    out = np.isin(numbers, state.dismissed)
    taken = np.isin(numbers, state.taken)
    candidates = (numbers < 0) & ~taken & ~out
    found = (numbers >= 0) & ~out
    drawn = [max(y2 - y1 for _, _, y1, _, y2 in track) for track in state.drawn.values()]
    hidden = [*heights[found | taken].tolist(), *drawn]
    seen = looks[found].astype(int).tolist()
    settings = (row.record.settings if row.record else None) or {}
    faint = [(0.0, 0.0, 0.0, 0.0, score, 1.0) for score in scores[candidates].tolist()]
    return replace(
        entry,
        risk=expected_misses(faint, settings.get("threshold") or 0.0, hidden, seen),
        faint=len(faint),
        single=sum(count == 1 for count in seen),
        small=sum(height < SMALL for height in hidden),
        accepted=state.accepted,
        changed=state.changed,
        people=len(state.drawn) + len(state.taken),
    )
