"""Faint candidates of a film, followed through time as faces are: judged by the track."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dartblur import boxes as boxlib
from dartblur.faces import Faces
from dartblur.tracking import Tracked, Tracker
from dartblur.video import FilmTracks


def with_faint_tracks(tracks: FilmTracks) -> FilmTracks:
    """The same tracks, and besides those of faint candidates, which nothing hides.

    They have negative numbers: -1 is of the one with the largest sum of scores.
    """
    if not len(tracks.faint_frames):
        return tracks
    followed = _followed(tracks)
    frames = np.repeat(np.arange(len(followed)), [len(each.faces) for each in followed])
    faces = Faces.concatenate(each.faces for each in followed)
    numbers = faces.tracks
    seen = np.concatenate([each.seen for each in followed])
    weights = np.bincount(numbers, faces.scores * seen)
    rank = np.empty(len(weights), np.int64)
    rank[np.argsort(-weights, kind="stable")] = -1 - np.arange(len(weights))
    boxes = boxlib.to_pixels(faces.boxes, *tracks.size)
    order = np.argsort(np.concatenate([tracks.frames, frames]), kind="stable")
    return replace(
        tracks,
        frames=np.concatenate([tracks.frames, frames])[order],
        boxes=np.concatenate([tracks.boxes, boxes])[order],
        scores=np.concatenate([tracks.scores, faces.scores])[order],
        tracks=np.concatenate([tracks.tracks, rank[numbers]])[order],
        seen=np.concatenate([tracks.seen, seen])[order],
    )


def _followed(tracks: FilmTracks) -> list[Tracked]:
    """The covers of every frame."""
    tracker = Tracker(tracks.options.lookaround, tracks.options.bridge, faint=0)
    ends = np.searchsorted(tracks.faint_frames, np.arange(len(tracks.pts) + 1))
    settled: list[Tracked] = []
    for number, time in enumerate(tracks.times.tolist()):
        mine = slice(ends[number], ends[number + 1])
        faces = Faces(
            tracks.faint_boxes[mine].astype(np.float32),
            tracks.faint_scores[mine].astype(np.float32),
        )
        settled += tracker.push(time, faces)
    settled += tracker.flush()
    return [_within(each, *tracks.size) for each in settled]


def _within(tracked: Tracked, height: int, width: int) -> Tracked:
    boxes = boxlib.clip(tracked.faces.boxes, height, width)
    kept = boxlib.area(boxes) > 0
    return replace(
        tracked,
        faces=tracked.faces.with_boxes(boxes)[kept],
        seen=tracked.seen[kept],
    )
