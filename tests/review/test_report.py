"""The report opens without a server, shows no clear face, and names no place of this machine."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.pictures import textured
from tests.review.conftest import Opened

from dartblur.errors import UsageError
from dartblur.review.report import MEASURED, hidden_part, report_page, write_report_page

DOCS = Path(__file__).parents[2] / "docs" / "detectors.md"


class Page(HTMLParser):
    """What a page holds. addresses: all that it points to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.images: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        told = dict(attrs)
        assert not any(name.startswith("on") for name in told)
        self.addresses += [told[name] or "" for name in ("src", "href", "action") if name in told]
        if tag == "img":
            self.images.append(told["src"] or "")
            assert told["alt"]

    def handle_data(self, data: str) -> None:
        self.text += data


def pictures(page: Page) -> list[np.ndarray]:
    found = []
    for address in page.images:
        head, _, data = address.partition(",")
        assert head == "data:image/jpeg;base64"
        found.append(np.asarray(Pillow.open(io.BytesIO(base64.b64decode(data)))))
    return found


def test_it_needs_no_script_and_no_network(untouched: Opened, tmp_path: Path) -> None:
    text = report_page(untouched.review)
    page = Page(text)
    assert {"script", "iframe", "object", "link", "form"}.isdisjoint(page.tags)
    assert all(address.startswith("data:image/") for address in page.addresses)
    assert re.search(r"url\(|@import|https?://", text) is None
    for part in untouched.review.out.resolve().parent.parts[1:]:
        assert f"/{part}/" not in text


def test_it_tells_counts_failures_and_hidden_faces(untouched: Opened) -> None:
    page = Page(report_page(untouched.review))
    words = " ".join(page.text.split())
    assert "2pictures written" in words
    assert "2faces hidden in pictures" in words
    assert "bad.png" in words
    assert "margin0" in words
    # The block is black but for its soft border.
    faces = pictures(page)
    assert len(faces) == 2
    for face in faces:
        middle = face[
            face.shape[0] // 4 : -face.shape[0] // 4, face.shape[1] // 4 : -face.shape[1] // 4
        ]
        assert middle.max() < 60


def test_it_tells_decisions(opened: Opened) -> None:
    number = opened.id_of("a.png")
    now = opened.get(f"/api/pictures/{number}")
    drawn = {"box": [2, 2, 12, 12], "origin": "drawn"}
    body = {
        "action": "draw",
        "boxes": [*now["boxes"], drawn],
        "dismissed": [],
        "accepted": False,
    }
    assert opened.put(f"/api/pictures/{number}", 0, body).status_code == 200
    words = " ".join(Page(report_page(opened.review)).text.split())
    assert "Ada" in words
    assert "2 boxes, 1 by a person" in words
    assert "outputs do not show them yet: 1." in words


def test_outputs_that_somebody_changed_are_not_shown(opened: Opened) -> None:
    # A clear picture in the place of the hidden one.
    Pillow.fromarray(textured(48, 60)).save(opened.review.out / "a.png")
    page = Page(report_page(opened.review))
    assert len(page.images) == 1
    assert "and are not shown: 1." in page.text


def test_it_does_not_go_into_what_is_published(untouched: Opened, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="to be published"):
        write_report_page(untouched.review, untouched.review.out / "report.html")
    with pytest.raises(UsageError, match="is a folder"):
        write_report_page(untouched.review, tmp_path)
    write_report_page(untouched.review, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text().rstrip().endswith("</html>")


def test_recall_is_what_the_documents_have() -> None:
    rows = [line.split("|")[1:-1] for line in DOCS.read_text().splitlines() if "|" in line]
    told = {cells[0].strip(): cells[1:5] for cells in rows if len(cells) == 7}
    for name, shares in MEASURED.items():
        assert shares[0] is None
        assert [float(cell) for cell in told[f"`{name}`"]] == list(shares[1:])


def test_a_face_is_cut_without_what_lies_around_it() -> None:
    safe = np.full((40, 60, 3), 255, np.uint8)
    safe[10:30, 20:40] = 0
    assert hidden_part(safe, (20.0, 10.0, 40.0, 30.0)).max() == 0
    part = hidden_part(safe, (20.0, 10.0, 40.0, 30.0), ellipse=True)
    assert part[0, 0].tolist() == [128, 128, 128]
    assert part[10, 10].tolist() == [0, 0, 0]


def test_the_command_writes_it_and_ends(
    out: Path, tmp_path: Path, command: Callable[..., object]
) -> None:
    outcome = command("review", out, "--report", tmp_path / "r.html")
    assert outcome.status == 0  # type: ignore[attr-defined]
    assert "<h1>" in (tmp_path / "r.html").read_text()
