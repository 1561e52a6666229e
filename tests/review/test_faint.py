"""Faint candidates: taken or dismissed by one key, in the grid and in a picture."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.pictures import state
from tests.review.conftest import Opened

from dartblur.batch.findings import Finding
from dartblur.batch.ledger import Ledger
from dartblur.batch.state import LEDGER_NAME
from dartblur.records import Record

FAINT = ((2.0, 2.0, 12.0, 14.0, 0.2, 1), (44.0, 30.0, 56.0, 44.0, 0.15, 2))


@pytest.fixture
def unsure(out: Path, open_review: Callable[..., Opened]) -> Opened:
    """A review in which the detector was unsure of two more faces of a picture."""
    with closing(Ledger(state(out) / LEDGER_NAME, out)) as ledger:
        [[line]] = ledger.select("SELECT record FROM files WHERE output = ?", b"sub/b.png")
        record = Record(**json.loads(line))
        finding = Finding(0.25, 5, (1,), FAINT).to_json()
        ledger.done(Path("sub/b.png"), out / "sub/b.png", record, finding)
    return open_review(out)


def test_they_lead_the_grid(unsure: Opened) -> None:
    first, *_ = unsure.get("/api/pictures")["items"]
    assert first["name"] == "sub/b.png"
    assert (first["faint"], first["single"]) == (2, 1)
    assert first["open"] == [list(box[:4]) for box in FAINT]
    assert unsure.get("/api/pictures?filter=faint")["total"] == 1


@pytest.mark.parametrize(("action", "faces", "changed"), [("take", 3, 1), ("dismiss", 1, 0)])
def test_all_of_a_picture_by_one_key(unsure: Opened, action: str, faces: int, changed: int) -> None:
    path = f"/api/pictures/{unsure.id_of('sub/b.png')}"
    answer = unsure.post(f"{path}/faint", {"action": action}).json()
    assert (answer["item"]["faint"], answer["item"]["faces"]) == (0, faces)
    assert answer["counts"]["changed"] == changed
    assert answer["item"]["risk"] < 0.5
    assert len(unsure.get(path)["candidates"]) == 2
    assert unsure.post(f"{path}/faint", {"action": "eat"}).status_code == 422


def test_one_taken_and_one_dismissed_stay_so_after_apply(
    unsure: Opened, open_review: Callable[..., Opened], out: Path
) -> None:
    path = f"/api/pictures/{unsure.id_of('sub/b.png')}"
    boxes = unsure.get(path)["boxes"]
    taken = {"box": list(FAINT[0][:4]), "score": 0.2, "origin": "taken", "candidate": 0}
    body = {"action": "take", "boxes": [*boxes, taken], "dismissed": [1], "accepted": True}
    for wrong in ([7], [-1]):
        assert unsure.put(path, 0, {**body, "dismissed": wrong}).status_code == 422
    assert unsure.put(path, 0, body).json()["faint"] == 0
    assert unsure.apply()["failures"] == []
    again = open_review(out).get(path)
    assert [box["origin"] for box in again["boxes"]] == ["detected", "taken"]
    assert (again["faint"], again["accepted"], again["changed"]) == (0, True, False)
