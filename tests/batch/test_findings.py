"""What a search saw beside what it hid is remembered in the ledger, and nowhere else."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import Outcome
from tests.pictures import Array, middle, state, tree

from dartblur.batch.findings import Finding, findings_of
from dartblur.batch.ledger import Ledger
from dartblur.detectors import Evidence
from dartblur.faces import Faces

Hide = Callable[..., Outcome]
Save = Callable[..., Path]
FAINT = (1.0, 2.0, 9.0, 12.0)


class EvidentStub:
    """Finds a face in the middle, and nearly one in the corner."""

    def __call__(self, images: Sequence[Array]) -> list[Faces]:
        return [self.search(image)[0] for image in images]

    def search(self, image: Array) -> tuple[Faces, Evidence]:
        faces = middle(*image.shape[:2])
        faint = Faces(np.array([FAINT]), np.array([0.125]))
        return faces, Evidence(0.2, 5, np.array([3]), faint, np.array([1]))


@pytest.fixture
def evident(monkeypatch: pytest.MonkeyPatch, stub_detector: None) -> None:
    from dartblur import pipeline

    monkeypatch.setattr(pipeline, "make_detector", lambda *_: EvidentStub())


def known(out: Path) -> dict[bytes, Finding]:
    ledger = Ledger(state(out) / "ledger.sqlite")
    try:
        return findings_of(ledger, [b"a.png", b"b.png"])
    finally:
        ledger.close()


def test_a_finding_is_remembered_in_the_ledger_alone(
    tmp_path: Path, hide: Hide, save: Save, evident: None
) -> None:
    save(tmp_path / "in" / "a.png")
    out = tmp_path / "out"
    assert hide(tmp_path / "in", "-o", out).status == 0
    assert known(out) == {b"a.png": Finding(0.2, 5, (3,), ((*FAINT, 0.125, 1),))}
    assert tree(out) == ["a.png"]
    [line] = (state(out) / "report.jsonl").read_text().splitlines()
    assert len(json.loads(line)["boxes"]) == 1
    assert "faint" not in line


def test_a_picture_made_anew_has_no_finding_of_before(
    tmp_path: Path, hide: Hide, save: Save, evident: None
) -> None:
    source, out = save(tmp_path / "in" / "a.png").parent, tmp_path / "out"
    hide(source, "-o", out)
    boxes = tmp_path / "boxes.json"
    image = {"id": 1, "file_name": "a.png"}
    given = {"image_id": 1, "bbox": [30, 30, 8, 8]}
    boxes.write_text(json.dumps({"images": [image], "annotations": [given]}))
    assert hide(source, "-o", out, "--boxes", boxes).status == 0
    assert known(out) == {}
    words = ("--boxes", boxes, "--boxes-mode", "besides")
    assert hide(source, "-o", out, *words).status == 0
    assert known(out)[b"a.png"].seen == (0, 3)


def test_a_ledger_without_findings_is_read(
    tmp_path: Path, hide: Hide, save: Save, evident: None
) -> None:
    source, out = save(tmp_path / "in" / "a.png").parent, tmp_path / "out"
    hide(source, "-o", out)
    ledger = Ledger(state(out) / "ledger.sqlite")
    ledger._set("DROP TABLE findings")
    ledger.close()
    assert known(out) == {}
    assert "1 already done" in hide(source, "-o", out).error


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"threshold": 1, "passes": 1, "seen": 3}'])
def test_something_else_is_no_finding(text: str) -> None:
    with pytest.raises(ValueError, match="not a finding"):
        Finding.from_json(text)
