"""What every page of the review works with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.templating import Jinja2Templates

from dartblur.review.decisions import Decision, Decisions
from dartblur.review.findings import Evidence, evidence_of
from dartblur.review.index import Entry, Index
from dartblur.review.rendering import Renderer
from dartblur.review.risk import SMALL, expected_misses
from dartblur.review.run import FinishedRun, Row
from dartblur.review.security import Sessions
from dartblur.review.state import APPLIED, PREFIX, PictureState, state_of

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Review:
    """One review of one run.

    show_originals: the clear pictures may be shown. reviewer: the name for those who give none.
    """

    run: FinishedRun
    decisions: Decisions
    index: Index
    renderer: Renderer
    sessions: Sessions
    templates: Jinja2Templates
    show_originals: bool
    reviewer: str

    @property
    def out(self) -> Path:
        """The output folder."""
        return self.run.out

    @property
    def state(self) -> Path:
        """The private folder of the run's state."""
        return self.run.state

    def page(self, request: Request, name: str, content: dict[str, Any]) -> HTMLResponse:
        """A page from its template."""
        common = {
            "root": self.sessions.root,
            "run": self.out.resolve().name,
            "reviewer": self.reviewer_of(request),
            "show_originals": self.show_originals,
        }
        return self.templates.TemplateResponse(request, name, {**common, **content})

    def reviewer_of(self, request: Request) -> str:
        """The name under which a request's decisions are kept."""
        session: str = request.state.session
        return self.sessions.name(session) or self.reviewer

    def row(self, number: int) -> Row:
        """A file by its number.

        Raises:
            HTTPException: 404, there is none.
        """
        try:
            return self.run.row(self.index.file_of(number))
        except KeyError as error:
            raise HTTPException(404, "the run has no such file") from error

    def picture_row(self, request: Request) -> Row:
        """The picture that a path names, which is done.

        Raises:
            HTTPException: 404, there is none; 409, it has no output.
        """
        row = self.row(request.path_params["id"])
        if row.is_film:
            raise HTTPException(404, "this is a film")
        if not row.done:
            raise HTTPException(409, row.problem)
        return row

    def evidence(self, row: Row) -> Evidence:
        """What the detector saw of a picture."""
        return evidence_of(self.run.ledger, [row.file])[row.file]

    def picture_state(self, row: Row) -> tuple[PictureState, int]:
        """The state of a picture that is done, and its version."""
        decision = self.decisions.latest(PREFIX + row.file)
        return picture_state_of(row, self.evidence(row), decision)

    def decide(
        self, request: Request, row: Row, version: int, action: str, state: PictureState
    ) -> int:
        """Keeps the new state of a picture; returns its version.

        Raises:
            StaleError: another was faster.
        """
        reviewer = self.reviewer_of(request)
        subject = PREFIX + row.file
        if version > 0:
            # "Apply" counts as a version, but changes nothing that a writer could overlook.
            later = self.decisions.since(subject, version)
            if later and all(decision.action == APPLIED for decision in later):
                version = later[-1].version
        decision = self.decisions.append(subject, version, reviewer, action, state.to_json())
        self.refresh(row, state)
        return decision.version

    def refresh(self, row: Row, state: PictureState) -> None:
        """Lets the grid show the new state of a picture."""
        entry = entry_of(row, self.evidence(row), state)
        self.index.put(self.index.id_of(row.file), entry)


def picture_state_of(
    row: Row, evidence: Evidence, decision: Decision | None
) -> tuple[PictureState, int]:
    """The state of a picture that is done, and its version, 0 where nothing was decided."""
    assert row.record is not None
    state = state_of(row.record, evidence.seen, decision.content if decision else None)
    return state, decision.version if decision else 0


def entry_of(row: Row, evidence: Evidence, state: PictureState | None) -> Entry:
    """What the grid shows of a file. state: of a picture that is done."""
    record = row.record
    if record is None or not row.done:
        return Entry(done=False, film=row.is_film)
    entry = Entry(faces=record.faces, film=row.is_film, stamp=row.output_stamp[1] or 0)
    if state is None:
        return entry
    heights = [box.box[3] - box.box[1] for box in state.boxes]
    faint = state.open_candidates(len(evidence.faint))
    seen = [box.seen for box in state.boxes if not box.by_person]
    open_ones = [evidence.faint[number] for number in faint]
    return replace(
        entry,
        risk=expected_misses(open_ones, evidence.threshold, heights, seen),
        faces=len(state.boxes),
        faint=len(faint),
        single=sum(count == 1 for count in seen),
        small=sum(height < SMALL for height in heights),
        accepted=state.accepted,
        changed=state.differs_from(record),
        people=len(state.by_person),
    )
