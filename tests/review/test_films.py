"""A film's tracks judged and drawn by a person, and the film made anew with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.pictures import state
from tests.review.conftest import BASE, Opened
from tests.video import films

from dartblur import pipeline
from dartblur.batch.anonymize_command import anonymize
from dartblur.batch.options import AnonymizationOptions, RunOptions
from dartblur.detectors import Evidence
from dartblur.errors import VideoError
from dartblur.faces import Faces, Image
from dartblur.review.app import make_index
from dartblur.review.carrying import carried
from dartblur.review.films import carry
from dartblur.review.frames import FilmFrames
from dartblur.review.report import report_page
from dartblur.video.boxes_file import GivenBoxes

COUNT = 30


def two_squares(number: int) -> Image:
    """A red square that moves, which is found, and a textured one that is not."""
    image = films.scene(number % 12, 96, 128)
    left, top = 20 + number, 60
    image[top : top + 24, left : left + 24] = TEXTURE
    return image


TEXTURE = np.random.default_rng(0).integers(0, 160, (24, 24, 1)).repeat(3, axis=2).astype(np.uint8)


class Doubter:
    """Finds what is red; in every second of 20 frames it doubts the textured square."""

    def __init__(self) -> None:
        self._number = -1

    def __call__(self, images: list[Image]) -> list[Faces]:
        raise NotImplementedError

    def search(self, image: Image) -> tuple[Faces, Evidence]:
        self._number += 1
        [faces] = films.RedFinder()([image])
        faint = Faces.empty()
        if self._number < 20 and self._number % 2 == 0:
            left = 20 + self._number
            faint = Faces(np.array([[left, 60, left + 24, 84]]), np.array([0.2]))
        one = np.ones(len(faces), np.int64)
        return faces, Evidence(0.25, 1, one, faint, np.ones(len(faint), np.int64))


def finished_film(place: Path) -> Path:
    """The output of a run over one film, in which the red square is hidden."""
    (place / "in").mkdir()
    films.make_film(place / "in" / "film.mp4", [two_squares(n) for n in range(COUNT)])
    options = AnonymizationOptions(method="block", margin=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "make_detector", lambda *_: Doubter())
        run = RunOptions(workers=1, quiet=True)
        assert anonymize([place / "in"], out=place / "out", hide=options, run=run) == 0
    return place / "out"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_film(tmp_path_factory.mktemp("films"))


@pytest.fixture
def film(finished: Path, tmp_path: Path, open_review: Callable[..., Opened]) -> tuple[Opened, str]:
    """A copy of the run, since tests change it; its source stays where it was."""
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    shutil.copytree(state(finished), state(out))
    opened = open_review(out)
    return opened, f"/api/films/{opened.id_of('film.mp4')}"


def change(**more: object) -> dict[str, object]:
    return {"action": "draw", "tracks": [], "drawn": [], "accepted": False, **more}


def verdicts(tracks: list[int], verdict: str | None, before: str | None = None) -> list[object]:
    return [[track, before, verdict] for track in tracks]


def test_a_film_is_told_with_its_tracks(film: tuple[Opened, str]) -> None:
    opened, url = film
    told = opened.get(url)
    assert (told["width"], told["height"], len(told["times"])) == (128, 96, COUNT)
    # The square jumps back twice, which the tracker takes for another face or not.
    assert all(track["seen"] > 0 and track["sightings"] for track in told["tracks"])
    assert (told["version"], told["changed"], told["accepted"]) == (0, False, False)
    rows = opened.get(f"{url}/boxes?from=0")["rows"]
    assert {row[0] for row in rows} == set(range(COUNT))
    page = opened.client.get(f"/film/{url.rsplit('/')[-1]}")
    assert page.status_code == 200
    assert "film.js" in page.text


def test_a_dismissed_track_and_a_carried_box_are_in_the_film(film: tuple[Opened, str]) -> None:
    opened, url = film
    told = opened.get(url)
    tracks = [track["track"] for track in told["tracks"]]
    body = {"frame": 2, "box": [22, 60, 46, 84], "count": 25}
    boxes = opened.post(f"{url}/carry", body).json()["boxes"]
    assert [row[0] for row in boxes] == list(range(28))
    for frame, *box in boxes:
        np.testing.assert_allclose(box, [20 + frame, 60, 44 + frame, 84], atol=2)
    answer = opened.put(
        url, 0, change(tracks=verdicts(tracks, "dismissed"), drawn=[["a", None, boxes]])
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["changed"]
    applied = opened.apply()
    assert (applied["failures"], applied["problem"], applied["changed"]) == ([], "", 0)
    safe = films.pictures(opened.review.out / "film.mp4")
    assert len(safe) == COUNT
    for number, picture in enumerate(safe):
        clear = two_squares(number)
        red = films.is_red(clear)
        assert films.is_red(picture)[red].mean() > 0.8, "the dismissed track is clear again"
        middle = picture[68:76, 28 + number : 36 + number]
        if number < 28:
            assert middle.max() < 60, f"frame {number} shows what was drawn over"
        else:
            assert middle.std() > 10
    again = opened.get(url)
    assert not again["changed"]
    record = opened.review.run.row("film.mp4").record
    assert record is not None
    assert f"1 tracks added, {len(tracks)} taken out" in record.notes[-1]
    given = GivenBoxes(state(opened.review.out) / "review" / "film.mp4.jsonl")
    assert given.size == (96, 128)


def test_kept_tracks_are_hidden_as_before(film: tuple[Opened, str]) -> None:
    """Made anew with one box more, the others lie on the same pixels."""
    opened, url = film
    before = films.pictures(opened.review.out / "film.mp4")
    drawn = [[n, 100.0, 2.0, 110.0, 12.0] for n in range(COUNT)]
    assert opened.put(url, 0, change(drawn=[["a", None, drawn]])).status_code == 200
    opened.apply()
    after = films.pictures(opened.review.out / "film.mp4")
    for one, other in zip(before, after, strict=True):
        assert np.abs(one[20:].astype(int) - other[20:]).max() < 40  # of the encoder


def test_frames_are_exact_in_any_order(film: tuple[Opened, str], tmp_path: Path) -> None:
    source = films.make_film(tmp_path / "shades.mp4", [shade(n) for n in range(COUNT)])
    frames = FilmFrames(source, COUNT)
    for number in (0, 17, 3, 29, 28, 4, 5, 6, 29, 0):
        assert abs(int(frames.picture(number).mean()) - 8 * number) <= 2
    with pytest.raises(VideoError, match="no frame 30"):
        frames.picture(COUNT)
    frames.close()
    with pytest.raises(VideoError, match="closed meanwhile"):
        frames.picture(0)
    with pytest.raises(VideoError, match="changed since the run"):
        FilmFrames(source, COUNT + 1)


def test_frames_without_time_stamps_are_counted(tmp_path: Path) -> None:
    source = films.make_film(
        tmp_path / "shades.avi", [shade(n) for n in range(COUNT)], codec="mpeg4"
    )
    frames = FilmFrames(source, COUNT)
    for number in (20, 3, 4, 29):
        assert abs(int(frames.picture(number).mean()) - 8 * number) <= 3
    frames.close()


def shade(number: int) -> Image:
    return np.full((64, 96, 3), 8 * number, np.uint8)


def test_two_people_do_not_overwrite_each_other(film: tuple[Opened, str]) -> None:
    opened, url = film
    track = opened.get(url)["tracks"][0]["track"]
    kept = change(action="keep", tracks=verdicts([track], "kept"))
    assert opened.put(url, 0, kept).status_code == 200
    answer = opened.put(url, 0, change(action="dismiss", tracks=verdicts([track], "dismissed")))
    assert answer.status_code == 409
    assert answer.json()["current"]["kept"] == [track]
    assert f"Ada or another tab changed track {track} at" in answer.json()["error"]
    # What both say alike is no quarrel.
    assert opened.put(url, 0, kept).json()["kept"] == [track]


def test_two_people_decide_on_two_tracks_and_lose_nothing(film: tuple[Opened, str]) -> None:
    opened, url = film
    one, other = opened.get(url)["tracks"][0]["track"], -1
    box = [3, 1.0, 2.0, 30.0, 40.0]
    # All of them saw the film before anybody decided.
    assert opened.put(url, 0, change(tracks=verdicts([one], "dismissed"))).status_code == 200
    assert opened.put(url, 0, change(tracks=verdicts([other], "kept"))).status_code == 200
    assert opened.put(url, 0, change(drawn=[["a", None, [box]]])).status_code == 200
    assert opened.put(url, 0, change(drawn=[["b", None, [box]]])).status_code == 200
    told = opened.get(url)
    assert (told["dismissed"], told["kept"], told["version"]) == ([one], [other], 4)
    assert told["drawn"] == {"a": [box], "b": [box]}
    moved = [3, 5.0, 2.0, 34.0, 40.0]
    assert opened.put(url, 0, change(drawn=[["a", None, [moved]]])).status_code == 409
    assert opened.put(url, 0, change(drawn=[["a", [box], [moved]]])).status_code == 200
    assert opened.put(url, 0, change(drawn=[["b", [box], None]])).json()["drawn"] == {"a": [moved]}


def test_who_accepts_a_film_has_seen_what_others_decided(film: tuple[Opened, str]) -> None:
    opened, url = film
    track = opened.get(url)["tracks"][0]["track"]
    assert opened.put(url, 0, change(tracks=verdicts([track], "dismissed"))).status_code == 200
    accept = change(action="accept", accepted=True)
    assert opened.put(url, 0, accept).status_code == 409
    assert opened.put(url, 1, accept).json()["accepted"]
    opened.apply()
    # To make a film anew changes nothing that a person could overlook.
    assert opened.put(url, 2, accept).status_code == 200


def test_a_faint_candidate_is_followed_and_hidden_when_it_is_taken(
    film: tuple[Opened, str],
) -> None:
    opened, url = film
    told = opened.get(url)
    assert [(each["track"], each["seen"]) for each in told["faint"]] == [(-1, 10)]
    rows = [row for row in opened.get(f"{url}/boxes?from=0")["rows"] if row[1] == -1]
    # Seen in every second frame; in between, and a little beyond, it is filled in.
    assert {row[0] for row in rows if row[7]} == set(range(0, 20, 2))
    assert {row[0] for row in rows} >= set(range(20))
    [shown] = opened.get("/api/pictures?filter=faint")["items"]
    assert (shown["name"], shown["faint"]) == ("film.mp4", 1)
    page = report_page(opened.review)
    assert page.count("<img") == len(told["tracks"]), "shows what nothing hides"
    assert opened.put(url, 0, change(tracks=verdicts([-1], "dismissed"))).status_code == 200
    assert not opened.get(url)["changed"]
    counted = opened.get("/api/pictures?filter=films")
    assert counted["counts"]["faint"] == counted["items"][0]["faint"] == 0
    assert counted["items"][0]["risk"] < shown["risk"]
    taken = change(action="take", tracks=verdicts([-1], "kept", "dismissed"))
    assert opened.put(url, 1, taken).json()["changed"]
    opened.apply()
    for number, picture in enumerate(films.pictures(opened.review.out / "film.mp4")[:19]):
        assert picture[68:76, 28 + number : 36 + number].max() < 60
    record = opened.review.run.row("film.mp4").record
    assert record is not None
    assert "1 tracks added, 0 taken out" in record.notes[-1]
    assert opened.get(url)["kept"] == [-1]
    # The next start shows what this one did.
    run, decisions = opened.review.run, opened.review.decisions
    assert make_index(run, decisions).entry(0) == opened.review.index.entry(0)


@pytest.mark.parametrize(
    "body",
    [
        {},
        change(action="rename"),
        change(tracks=[[99, None, "kept"]]),
        change(tracks=[[0, None, "kept"]]),
        change(tracks=[[1, None, "guilty"]]),
        change(tracks=[[1, None]]),
        change(drawn=[["a", None, [[COUNT, 1, 1, 9, 9]]]]),
        change(drawn=[["a", None, [[0, 5, 5, 5, 9]]]]),
        change(drawn=[["a", None, [[0, 5, 5]]]]),
        change(drawn=[["a", None, [["0", 1, 1, 9, 9]]]]),
        change(drawn=[["../a", None, [[0, 1, 1, 9, 9]]]]),
        change(drawn=[[7, None, [[0, 1, 1, 9, 9]]]]),
        change(drawn=7),
        [],
    ],
)
def test_malformed_changes_are_refused(film: tuple[Opened, str], body: object) -> None:
    opened, url = film
    assert opened.put(url, 0, body).status_code == 422
    assert opened.get(url)["version"] == 0


def test_clear_frames_are_not_shown_unasked(film: tuple[Opened, str]) -> None:
    opened, url = film
    answer = opened.client.get(f"{url}/frames/3?show=original")
    assert answer.status_code == 403
    for show in ("output", "result"):
        answer = opened.client.get(f"{url}/frames/3?show={show}", headers={"Origin": BASE})
        assert answer.headers["content-type"] == "image/jpeg"
        assert "no-store" in answer.headers["cache-control"]
    assert opened.client.get(f"{url}/frames/{COUNT}").status_code == 404
    assert opened.client.get(f"{url}/frames/3?crop=a").status_code == 400


def test_a_box_is_lost_at_a_cut_and_at_the_edge() -> None:
    moving = [two_squares(n) for n in range(3)]
    other = 255 - np.roll(moving[0], 40, axis=1)
    box = (20.0, 60.0, 44.0, 84.0)
    assert len(list(carried([*moving, other, other], box))) == 2
    flat = np.full_like(moving[0], 128)
    assert len(list(carried([moving[0], flat], box))) == 0


def test_a_box_is_carried_back_in_order(tmp_path: Path) -> None:
    source = films.make_film(tmp_path / "film.mp4", [two_squares(n) for n in range(COUNT)])
    frames = FilmFrames(source, COUNT)
    rows = carry(frames, 29, (49.0, 60.0, 73.0, 84.0), 27)
    frames.close()
    assert [row[0] for row in rows] == list(range(2, 30))
    np.testing.assert_allclose(rows[0][1:], [22, 60, 46, 84], atol=2)


def test_the_report_shows_hidden_tracks_but_none_that_was_dismissed(
    film: tuple[Opened, str],
) -> None:
    opened, url = film
    tracks = [track["track"] for track in opened.get(url)["tracks"]]
    assert report_page(opened.review).count("<img") == len(tracks)
    dismissed = change(action="dismiss", tracks=verdicts(tracks[:1], "dismissed"))
    assert opened.put(url, 0, dismissed).status_code == 200
    opened.apply()
    # Neither once it is clear, nor when a later decision has not reached the output yet.
    version = opened.get(url)["version"]
    undone = change(action="undo", tracks=verdicts(tracks[:1], None, "dismissed"))
    assert report_page(opened.review).count("<img") == len(tracks) - 1
    assert opened.put(url, version, undone).status_code == 200
    assert report_page(opened.review).count("<img") == len(tracks) - 1
