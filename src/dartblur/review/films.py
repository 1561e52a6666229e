"""The page of one film: its tracks, what a person says of them, and what they draw besides."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any

import av
import numpy as np
from PIL import Image as Pillow
from starlette.concurrency import run_in_threadpool as in_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dartblur.batch.findings import tracks_of
from dartblur.batch.stamps import Stamp
from dartblur.errors import ConfigError, InputError, PictureError
from dartblur.faces import Image
from dartblur.records import Record
from dartblur.review.carrying import Box, carried
from dartblur.review.context import Review
from dartblur.review.decisions import StaleError
from dartblur.review.faint_tracks import with_faint_tracks
from dartblur.review.film_entry import with_tracks
from dartblur.review.film_state import (
    PREFIX,
    FilmState,
    OvertakenError,
    changed,
    state_of,
    write_boxes,
)
from dartblur.review.frames import FilmFrames
from dartblur.review.http import choice_of, expected_version, json_body, number_of, stale
from dartblur.review.run import Row
from dartblur.review.state import APPLIED
from dartblur.video import FilmTracks, VideoTask, hide_film
from dartblur.video.orientation import Orientation
from dartblur.video.planes import hide

FOLDER = "review"
"""Of the state: boxes of films as they were mended, as `anonymize --film-boxes` takes them."""
_WINDOW = 500
"""Frames whose boxes are told at a time."""
_CARRIED = 500
"""The most frames that a box is carried each way."""
_SIGHTINGS = 3
_LONG_GAP = 0.25  # seconds
_FEW = 2  # sightings
_QUALITY = 85


@dataclass
class _Opened:
    """One film that is looked at. tracks: with those of faint candidates."""

    tracks: FilmTracks
    key: tuple[Stamp, Stamp]
    output: FilmFrames
    source: FilmFrames | None = None


class Films:
    """The film that is looked at, kept open: one at a time."""

    def __init__(self, review: Review) -> None:
        self._review, self._lock = review, Lock()
        self._open: tuple[str, _Opened] | None = None

    def of(self, row: Row) -> _Opened:
        """A film with its tracks and frames.

        Raises:
            PictureError: nothing is known of its tracks. VideoError: it cannot be read.
        """
        key = row.output_stamp, row.source_stamp
        with self._lock:
            if self._open and self._open[0] == row.file and self._open[1].key == key:
                return self._open[1]
            tracks = with_faint_tracks(known_tracks(self._review, row))
            path = self._review.run.checked_output(row)
            opened = _Opened(tracks, key, FilmFrames(path, len(tracks.pts)))
            self.close()
            self._open = row.file, opened
            return opened

    def source(self, row: Row) -> FilmFrames:
        """The clear frames of a film."""
        opened = self.of(row)
        with self._lock:
            if opened.source is None:
                path = self._review.run.checked_source(row)
                opened.source = FilmFrames(path, len(opened.tracks.pts))
            return opened.source

    def close(self) -> None:
        """Lets go of the files."""
        if self._open is not None:
            opened = self._open[1]
            self._open = None
            opened.output.close()
            if opened.source is not None:
                opened.source.close()


def known_tracks(review: Review, row: Row) -> FilmTracks:
    """The tracks of a film.

    Raises:
        PictureError: the run kept none.
    """
    try:
        tracks = tracks_of(review.run.ledger, os.fsencode(row.file))
    except ValueError as error:
        raise PictureError(f"{row.name}: {error}; run anonymize --overwrite on it") from error
    if tracks is None:
        raise PictureError(
            f"{row.name}: its tracks were not kept by the version that made it; run anonymize "
            "--overwrite on it"
        )
    return tracks


def film_state(review: Review, row: Row, tracks: FilmTracks) -> tuple[FilmState, int]:
    """The state of a film, and its version, 0 where nothing was decided."""
    decision = review.decisions.latest(PREFIX + row.file)
    if decision is None:
        return state_of(tracks, None), 0
    return state_of(tracks, decision.content), decision.version


def refresh(review: Review, row: Row, tracks: FilmTracks, state: FilmState) -> None:
    """Lets the grid show the new state of a film. tracks: with those of faint candidates."""
    number = review.index.id_of(row.file)
    assert row.record is not None
    entry = review.index.entry(number)
    entry = replace(entry, faces=row.record.faces, stamp=row.output_stamp[1] or 0)
    review.index.put(number, with_tracks(entry, row, tracks, state))


def apply_film(review: Review, row: Row, parts: Path, reviewer: str) -> Record:
    """Makes a film anew with the tracks that a person left and drew.

    Raises:
        InputError: it cannot be made; what was there stays.
    """
    assert row.record is not None
    tracks = with_faint_tracks(known_tracks(review, row))
    state, _ = film_state(review, row, tracks)
    target, source = review.run.checked_output(row), review.run.checked_source(row)
    boxes = review.state / FOLDER / f"{row.file}.jsonl"
    boxes.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_boxes(boxes, source.name, tracks, state)
    settings = row.record.settings or {}
    task = VideoTask(
        str(source),
        review.renderer.anonymizer(row),
        None,
        options=tracks.options,
        given=boxes,
        keep_metadata=bool(settings.get("keep_metadata")),
        tolerant=bool(settings.get("tolerant")),
    )
    relative = Path(row.file)
    record = hide_film(
        task, target, parts=parts, before_naming=lambda: review.run.ledger.writing(relative)
    )
    added, out = len(state.drawn) + len(state.taken), len(state.uncovered)
    told = f"by a person: {added} tracks added, {out} taken out"
    record = replace(
        record,
        file=row.file,
        source=str(source),
        method=row.record.method,
        settings=row.record.settings,
        notes=(*record.notes, told),
    )
    review.run.ledger.done(relative, target, record)
    _settle(review, row, tracks, state.made, reviewer)
    return record


def _settle(review: Review, row: Row, tracks: FilmTracks, made: str, reviewer: str) -> None:
    """Enters what the film is made with now beside the latest decision."""
    while True:
        latest, version = film_state(review, row, tracks)
        # Perhaps changed further while it was made: that stays to be applied.
        state = replace(latest, applied=made)
        with suppress(StaleError):
            review.decisions.append(PREFIX + row.file, version, reviewer, APPLIED, state.to_json())
            refresh(review, review.run.row(row.file), tracks, state)
            return


def routes(review: Review, films: Films) -> list[BaseRoute]:
    """The routes of one film."""

    def page(request: Request) -> Response:
        row = _film_row(review, request)
        return review.page(
            request, "film.html", {"id": request.path_params["id"], "name": row.name}
        )

    def detail(request: Request) -> Response:
        return JSONResponse(_detail(review, films, _film_row(review, request)))

    def boxes(request: Request) -> Response:
        tracks = films.of(_film_row(review, request)).tracks
        first = number_of(request, "from", 0, 0, len(tracks.pts))
        return JSONResponse({"from": first, "count": _WINDOW, "rows": _rows(tracks, first)})

    def decided(request: Request, version: int, body: Any) -> Response:
        row = _film_row(review, request)
        tracks = films.of(row).tracks
        who, subject = review.reviewer_of(request), PREFIX + row.file
        while True:
            before, current = film_state(review, row, tracks)
            later = review.decisions.since(subject, version)
            try:
                # Who accepts a film has seen all of it as it is.
                seen = all(each.action == APPLIED for each in later)
                action, state = changed(before, body, tracks, seen=seen)
            except ConfigError as error:
                raise HTTPException(422, str(error)[:500]) from error
            except OvertakenError as error:
                last = later[-1] if later else None
                return stale(StaleError(last), _decided(review, row, tracks), what=str(error))
            # Another may decide right now: then it is made to what they decided.
            with suppress(StaleError):
                decision = review.decisions.append(subject, current, who, action, state.to_json())
                refresh(review, row, tracks, state)
                return JSONResponse({**_told_state(state), "version": decision.version})

    async def decide(request: Request) -> Response:
        version = expected_version(request)
        body = await json_body(request)
        return await in_thread(decided, request, version, body)

    def frame(request: Request) -> Response:
        row = _film_row(review, request)
        which = choice_of(request, "show", ("output", "result", "original"))
        if which == "original" and not review.show_originals:
            raise HTTPException(403, "originals are shown with --show-originals only")
        number = int(request.path_params["number"])
        if not number < films.of(row).output.count:
            raise HTTPException(404, "the film has no such frame")
        return _jpeg(_frame(review, films, row, number, which), request)

    def carry_box(request: Request, body: Any) -> Response:
        row = _film_row(review, request)
        try:
            number, box, count = int(body["frame"]), tuple(map(float, body["box"])), body["count"]
            x1, y1, x2, y2 = box
            count = min(max(int(count), 1), _CARRIED)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise HTTPException(422, "frame, box and count must be numbers") from error
        height, width = films.of(row).tracks.size
        if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
            raise HTTPException(422, "the box does not lie in the picture")
        return JSONResponse({"boxes": carry(films.source(row), number, (x1, y1, x2, y2), count)})

    async def carry_on(request: Request) -> Response:
        body = await json_body(request)
        return await in_thread(carry_box, request, body)

    return [
        Route("/film/{id:int}", page),
        Route("/api/films/{id:int}", detail),
        Route("/api/films/{id:int}", decide, methods=["PUT"]),
        Route("/api/films/{id:int}/boxes", boxes),
        Route("/api/films/{id:int}/frames/{number:int}", frame),
        Route("/api/films/{id:int}/carry", carry_on, methods=["POST"]),
    ]


def carry(frames: FilmFrames, number: int, box: Box, count: int) -> list[list[float]]:
    """A box of one frame carried on to at most `count` frames before it and after it.

    Returns rows of frame, x1, y1, x2, y2, in order of time, the given one among them.
    """
    after = _carried(frames, range(number, min(number + count + 1, frames.count)), box)
    # Backwards the frames are decoded first: a film can only be read forwards.
    first = max(number - count, 0)
    before = _carried(frames, range(number, first - 1, -1), box)
    return [*reversed(before), [number, *box], *after]


def _carried(frames: FilmFrames, numbers: range, box: Box) -> list[list[float]]:
    pictures = _in_order(frames, numbers)
    rows = zip(numbers[1:], carried(pictures, box), strict=False)
    return [[number, *(round(side, 1) for side in moved)] for number, moved in rows]


def _in_order(frames: FilmFrames, numbers: range) -> Iterator[Image]:
    """The frames in the order of their numbers; backwards some at a time, each read forwards."""
    if numbers.step > 0:
        yield from (frames.picture(number) for number in numbers)
        return
    height, width, _ = frames.picture(numbers[0]).shape
    some = max(1, min(24, 64_000_000 // (height * width * 3)))
    for start in range(0, len(numbers), some):
        part = numbers[start : start + some]
        held = [frames.picture(number) for number in reversed(part)]
        while held:
            yield held.pop()


def _frame(review: Review, films: Films, row: Row, number: int, which: str) -> Image:
    opened = films.of(row)
    if which == "original":
        return films.source(row).picture(number)
    state, _ = film_state(review, row, opened.tracks)
    if which == "output" or not state.changed:
        return opened.output.picture(number)
    anonymizer = review.renderer.anonymizer(row)
    faces = state.of_frame(number, opened.tracks).faces

    def hidden(frame: av.VideoFrame, orientation: Orientation) -> None:
        hide(frame, faces, orientation, anonymizer)

    return films.source(row).picture(number, hidden if len(faces) else None)


def _jpeg(picture: Image, request: Request) -> Response:
    """A picture, or the part of it that the query's `crop` names, at most `side` pixels long."""
    height, width = picture.shape[:2]
    crop = request.query_params.get("crop")
    if crop is not None:
        try:
            x1, y1, x2, y2 = (int(side) for side in crop.split(","))
        except ValueError as error:
            raise HTTPException(400, "crop must be four whole numbers") from error
        x1, y1 = min(max(x1, 0), width - 1), min(max(y1, 0), height - 1)
        picture = picture[y1 : max(min(y2, height), y1 + 1), x1 : max(min(x2, width), x1 + 1)]
    shown = Pillow.fromarray(np.ascontiguousarray(picture))
    side = number_of(request, "side", 4096, 16, 4096)
    shown.thumbnail((side, side))
    buffer = io.BytesIO()
    shown.save(buffer, "JPEG", quality=_QUALITY)
    return Response(buffer.getvalue(), media_type="image/jpeg")


def _film_row(review: Review, request: Request) -> Row:
    row = review.row(request.path_params["id"])
    if not row.is_film:
        raise HTTPException(404, "this is no film")
    if not row.done:
        raise HTTPException(409, row.problem)
    return row


def _detail(review: Review, films: Films, row: Row) -> dict[str, Any]:
    opened = films.of(row)
    tracks = opened.tracks
    height, width = tracks.size
    numbers = np.unique(tracks.tracks)
    try:
        review.run.checked_source(row)
        source = ""
    except InputError as error:
        source = str(error)
    return {
        **_decided(review, row, tracks),
        "id": review.index.id_of(row.file),
        "name": row.name,
        "width": width,
        "height": height,
        "times": [round(float(time), 4) for time in tracks.times - tracks.times[:1]],
        "tracks": [told_track(tracks, number) for number in numbers if number > 0],
        "faint": [told_track(tracks, number) for number in numbers[::-1] if number < 0],
        "doubtful": doubtful(tracks),
        "source_problem": source,
        "stamp": str(row.output_stamp[1]),
    }


def _decided(review: Review, row: Row, tracks: FilmTracks) -> dict[str, Any]:
    state, version = film_state(review, row, tracks)
    return {**_told_state(state), "version": version}


def _told_state(state: FilmState) -> dict[str, Any]:
    told = state.to_json()
    del told["tracks"], told["applied"]
    return {**told, "changed": state.changed}


def told_track(tracks: FilmTracks, number: int) -> dict[str, Any]:
    """One track as the page shows it.

    filled: first and last frames of the runs of frames in which no detector saw the face.
    sightings: frame and box of its largest ones, in several parts of its time.
    """
    mine = np.flatnonzero(tracks.tracks == number)
    frames, seen = tracks.frames[mine], tracks.seen[mine]
    sighted = mine[seen] if seen.any() else mine
    scores = tracks.scores[sighted]
    parts = np.array_split(sighted, min(_SIGHTINGS, len(sighted)))
    best = [part[np.argmax(_area(tracks.boxes[part]))] for part in parts]
    best.sort(key=lambda at: -float(_area(tracks.boxes[at][None])[0]))
    return {
        "track": int(number),
        "first": int(frames[0]),
        "last": int(frames[-1]),
        "seen": int(seen.sum()),
        "best": float(scores.max()),
        "least": float(scores.min()),
        "filled": _runs(frames[~seen]),
        "sightings": [[int(tracks.frames[at]), *tracks.boxes[at].tolist()] for at in best],
    }


def doubtful(tracks: FilmTracks) -> list[dict[str, Any]]:
    """Frames that a person should look at, in order of time, each with the track and the reason."""
    found: list[dict[str, Any]] = []
    times = tracks.times
    for number in np.unique(tracks.tracks):
        if number <= 0:
            continue
        mine = np.flatnonzero(tracks.tracks == number)
        frames, seen = tracks.frames[mine], tracks.seen[mine]
        sighted = frames[seen]
        if len(sighted) <= _FEW:
            at = sighted[0] if len(sighted) else frames[0]
            found.append({"frame": int(at), "track": int(number), "why": "seen hardly ever"})
        for one, other in pairwise(sighted):
            if times[other] - times[one] > _LONG_GAP:
                middle = int(one + other) // 2
                found.append({"frame": middle, "track": int(number), "why": "out of sight"})
        # Beyond its last sighting it is followed for a while, and might be there still.
        if len(sighted) > _FEW and frames[-1] < len(times) - 1:
            found.append({"frame": int(frames[-1]), "track": int(number), "why": "lost here"})
    return sorted(found, key=lambda each: (each["frame"], each["track"]))


def _rows(tracks: FilmTracks, first: int) -> list[list[float]]:
    """Frame, track, x1, y1, x2, y2, score and seen of the boxes of some frames."""
    start, end = np.searchsorted(tracks.frames, [first, first + _WINDOW])
    return [
        [frame, track, *box, round(score, 3), int(seen)]
        for frame, track, box, score, seen in zip(
            tracks.frames[start:end].tolist(),
            tracks.tracks[start:end].tolist(),
            tracks.boxes[start:end].tolist(),
            tracks.scores[start:end].tolist(),
            tracks.seen[start:end].tolist(),
            strict=True,
        )
    ]


def _runs(frames: Any) -> list[list[int]]:
    if not len(frames):
        return []
    breaks = np.flatnonzero(np.diff(frames) > 1) + 1
    return [[int(part[0]), int(part[-1])] for part in np.split(frames, breaks)]


def _area(boxes: Any) -> Any:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
