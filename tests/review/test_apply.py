"""What a person decides is kept, shown at once, and made by the same job as `anonymize`."""

import asyncio
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image as Pillow
from tests.conftest import Outcome
from tests.pictures import blocked, state, textured
from tests.review.conftest import BASE, HEIGHT, WIDTH, Opened

FOUND = [20, 16, 40, 32]
DRAWN = [2, 2, 12, 14]


def body(*boxes: Any, action: str = "draw", accepted: bool = False) -> dict[str, Any]:
    rows = [box if isinstance(box, dict) else {"box": box, "origin": "drawn"} for box in boxes]
    return {"action": action, "boxes": rows, "dismissed": [], "accepted": accepted}


def found(opened: Opened, file: str = "a.png") -> dict[str, Any]:
    return opened.get(f"/api/pictures/{opened.id_of(file)}")


def path(opened: Opened, file: str = "a.png") -> str:
    return f"/api/pictures/{opened.id_of(file)}"


def pixels(data: bytes | Path) -> Any:
    return np.array(Pillow.open(data if isinstance(data, Path) else io.BytesIO(data)))


def test_a_picture_begins_as_the_run_left_it(opened: Opened) -> None:
    detail = found(opened)
    assert (detail["version"], detail["changed"], detail["accepted"]) == (0, False, False)
    assert (detail["width"], detail["height"]) == (WIDTH, HEIGHT)
    [box] = detail["boxes"]
    assert box["box"] == FOUND
    assert box["origin"] == "detected"
    assert opened.get("/api/apply")["changed"] == 0


def test_a_drawn_box_is_hidden_at_once_and_written_by_apply(opened: Opened, out: Path) -> None:
    before = (out / "sub" / "b.png").stat().st_mtime_ns
    kept = found(opened)["boxes"]
    answer = opened.put(path(opened), 0, body(*kept, DRAWN))
    assert answer.status_code == 200
    assert answer.json()["version"] == 1
    assert answer.json()["changed"]
    expected = blocked(textured(HEIGHT, WIDTH), FOUND, DRAWN)
    result = opened.client.get(f"{path(opened)}/result").content
    np.testing.assert_array_equal(pixels(result), expected)
    # Nothing is written yet.
    np.testing.assert_array_equal(pixels(out / "a.png"), blocked(textured(HEIGHT, WIDTH), FOUND))
    status = opened.apply()
    assert (status["done"], status["failures"], status["changed"]) == (1, [], 0)
    assert (out / "a.png").read_bytes() == result
    assert (out / "sub" / "b.png").stat().st_mtime_ns == before
    assert sorted(p.name for p in out.rglob("*") if p.is_file()) == ["a.png", "b.png"]


def test_the_report_says_what_a_person_made(opened: Opened, out: Path) -> None:
    opened.put(path(opened), 0, body(*found(opened)["boxes"], DRAWN))
    opened.apply()
    lines = (state(out) / "report.jsonl").read_text().splitlines()
    [record] = [row for row in map(json.loads, lines) if row["file"] == "a.png"]
    assert [row[:4] for row in record["boxes"]] == [FOUND, DRAWN]
    assert record["by_person"] == [1]
    assert record["source"] == "a.png"
    assert len(lines) == 3


def test_anonymize_makes_the_same_of_the_mended_boxes(
    opened: Opened, open_review: Callable[..., Opened], out: Path, tmp_path: Path, hide: Any
) -> None:
    moved = {"box": [21.37, 16.91, 41.5, 33.08], "origin": "detected"}
    opened.put(path(opened), 0, body(moved, DRAWN))
    opened.apply()
    mended = opened.client.get("/api/boxes.json")
    assert mended.status_code == 200
    (tmp_path / "mended.json").write_bytes(mended.content)
    for name in ("a.png", "sub/b.png"):
        target = tmp_path / "again" / name
        words = ("--boxes", tmp_path / "mended.json")
        assert hide(tmp_path / "in", "-o", tmp_path / "again", *words).status == 1  # bad.png
        assert target.read_bytes() == (out / name).read_bytes()


def test_the_same_run_again_keeps_what_was_applied(
    opened: Opened, open_review: Callable[..., Opened], out: Path, tmp_path: Path,
    command: Callable[..., Outcome], stub_detector: None,
) -> None:  # fmt: skip
    opened.put(path(opened), 0, body(DRAWN))
    opened.apply()
    written = (out / "a.png").read_bytes()
    open_review(out).review.run.ledger.close()
    outcome = command("anonymize", tmp_path / "in", "-o", out, "--method", "block", "--margin", 0)
    assert "2 already done" in outcome.error
    assert (out / "a.png").read_bytes() == written


def test_the_state_is_the_same_after_a_restart(
    opened: Opened, open_review: Callable[..., Opened], out: Path
) -> None:
    opened.put(path(opened), 0, body(DRAWN, accepted=True))
    before = found(opened)
    again = open_review(out)
    assert found(again) == before
    assert again.get("/api/apply")["changed"] == 1
    again.apply()
    after = found(open_review(out))
    assert after["boxes"] == before["boxes"]
    assert after["accepted"]
    assert not after["changed"]


def test_of_two_tabs_the_later_is_told_and_neither_is_lost(opened: Opened) -> None:
    assert opened.put(path(opened), 0, body(DRAWN)).status_code == 200
    late = opened.put(path(opened), 0, body())
    assert late.status_code == 409
    assert "not saved: Ada or another tab" in late.json()["error"]
    assert late.json()["current"]["version"] == 1
    assert [row["box"] for row in late.json()["current"]["boxes"]] == [DRAWN]
    assert opened.put(path(opened), 1, body()).status_code == 200


def test_a_thousand_requests_at_once_lose_nothing_that_was_confirmed(opened: Opened) -> None:
    async def all_at_once() -> list[int]:
        transport = httpx2.ASGITransport(opened.client.app)
        cookies = dict(opened.client.cookies)
        async with httpx2.AsyncClient(
            transport=transport, base_url=BASE + opened.root, cookies=cookies
        ) as client:

            async def one(number: int) -> int:
                if number % 5:
                    return (await client.get("/api/pictures?filter=all")).status_code
                headers = {"If-Match": str(number % 7), "Origin": BASE}
                answer = await client.put(path(opened), json=body(DRAWN), headers=headers)
                return answer.status_code + 1000

            return list(await asyncio.gather(*map(one, range(1000))))

    statuses = asyncio.run(all_at_once())
    assert set(statuses) <= {200, 1200, 1409}
    assert statuses.count(200) == 800
    assert 0 < statuses.count(1200) == len(list(opened.review.decisions.rows()))


def test_apply_is_no_change_that_another_tab_overlooks(opened: Opened) -> None:
    opened.put(path(opened), 0, body(DRAWN))
    opened.apply()
    assert found(opened)["version"] == 2
    assert opened.put(path(opened), 1, body()).status_code == 200


def test_what_a_page_claims_to_be_detected_is_checked(opened: Opened) -> None:
    claimed = {"box": [1, 1, 9, 9], "origin": "detected", "score": 0.9}
    answer = opened.put(path(opened), 0, body(claimed)).json()
    assert answer["boxes"][0]["edited"]
    assert answer["people"] == 1


def test_a_source_that_changed_is_not_made_anew(opened: Opened, out: Path, tmp_path: Path) -> None:
    written = (out / "a.png").read_bytes()
    opened.put(path(opened), 0, body(DRAWN))
    Pillow.fromarray(textured(HEIGHT, WIDTH, 7)).save(tmp_path / "in" / "a.png")
    status = opened.apply()
    assert len(status["failures"]) == 1
    assert status["failures"][0].startswith("a.png: its source is gone or changed")
    assert status["changed"] == 1
    assert (out / "a.png").read_bytes() == written


def test_what_people_drew_is_not_forgotten_by_another_run(
    opened: Opened, out: Path, tmp_path: Path, hide: Any
) -> None:
    opened.put(path(opened), 0, body(*found(opened)["boxes"], DRAWN))
    opened.apply()
    boxes = state(out) / "review" / "boxes.json"
    opened.review.run.ledger.close()
    told = hide(tmp_path / "in", "-o", out, method="gaussian").error
    assert f"NOTE {out}: was reviewed" in told
    assert str(boxes) in told
    told = hide(tmp_path / "in", "-o", out, "--boxes", boxes, method="gaussian").error
    assert "was reviewed" not in told


def test_a_picture_made_anew_keeps_what_a_person_drew(
    opened: Opened, open_review: Callable[..., Opened], out: Path, tmp_path: Path, hide: Any
) -> None:
    opened.put(path(opened), 0, body(*found(opened)["boxes"], DRAWN, accepted=True))
    opened.review.run.ledger.close()
    Pillow.fromarray(textured(HEIGHT, 90)).save(tmp_path / "in" / "a.png")
    hide(tmp_path / "in", "-o", out)
    again = found(open_review(out))
    assert [row["box"] for row in again["boxes"]] == [[30, 16, 60, 32], DRAWN]
    assert again["changed"]
    assert not again["accepted"]


def test_another_method_is_for_a_look_alone(opened: Opened, out: Path) -> None:
    written = (out / "a.png").read_bytes()
    other = opened.client.get(f"{path(opened)}/result?method=gaussian").content
    assert (pixels(other) != pixels(written)).any()
    assert opened.client.get(f"{path(opened)}/result").content == written
    assert opened.apply()["done"] == 0
    assert (out / "a.png").read_bytes() == written


def test_decisions_are_told_as_csv(opened: Opened) -> None:
    headers = {"Origin": BASE}
    opened.client.put("/api/reviewer", json={"name": "=cmd|' /C calc'!A0"}, headers=headers)
    opened.put(path(opened), 0, body(*found(opened)["boxes"], DRAWN))
    opened.put(path(opened), 1, body(action="delete"))
    answer = opened.client.get("/api/decisions.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["action"] for row in rows] == ["draw", "delete"]
    assert rows[0]["file"] == "a.png"
    # A spreadsheet must not take a name for a formula.
    assert rows[0]["reviewer"].startswith("'=")
    assert (rows[0]["boxes"], rows[0]["by_person"]) == ("2", "1")
    assert (rows[1]["boxes"], rows[1]["removed"]) == ("0", "2")


@pytest.mark.parametrize("suffix", [".tif", ".bmp", ".jpg", ".webp"])
def test_every_kind_is_shown_by_a_browser(
    open_review: Callable[..., Opened], tmp_path: Path, hide: Any, save: Any, suffix: str
) -> None:
    save(tmp_path / "in" / f"x{suffix}")
    hide(tmp_path / "in", "-o", tmp_path / "out")
    opened = open_review(tmp_path / "out")
    for kind in ("output", "thumbnail", "result?method=gaussian"):
        answer = opened.client.get(f"/api/pictures/0/{kind}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] in ("image/jpeg", "image/png", "image/webp")
        assert min(pixels(answer.content).shape[:2]) >= 40
