"""Apply: makes the pictures anew whose boxes a person changed, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock, Thread

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dartblur.batch.parallel import parallel_map
from dartblur.batch.report import write_report
from dartblur.batch.state import MENDED_NAME, REPORT_NAME, parts_of
from dartblur.coco import PictureBoxes, write_coco
from dartblur.errors import DartblurError
from dartblur.files import write_atomically
from dartblur.formatting import printable
from dartblur.pipeline import cores
from dartblur.review.context import Review, picture_state_of
from dartblur.review.decisions import Decision, StaleError
from dartblur.review.films import apply_film
from dartblur.review.findings import with_evidence
from dartblur.review.http import problem
from dartblur.review.run import Row
from dartblur.review.state import APPLIED, PREFIX, PictureState, made_of

_log = logging.getLogger("dartblur.review")


@dataclass
class Progress:
    """How far "apply" is. failures: a line each. problem: what ended it early, "" if nothing."""

    running: bool = False
    done: int = 0
    total: int = 0
    failures: list[str] = field(default_factory=list)
    problem: str = ""


class Applier:
    """Makes what was changed anew, in the background, one time at a time."""

    def __init__(self, review: Review) -> None:
        self._review = review
        self._lock = Lock()
        self._thread: Thread | None = None
        self.progress = Progress()

    def start(self, reviewer: str) -> bool:
        """Begins, unless it is at work already; returns whether it began."""
        with self._lock:
            if self.progress.running:
                return False
            changed = self._review.index.changed()
            self.progress = Progress(running=True, total=len(changed))
            self._thread = Thread(target=self._run, args=(changed, reviewer), name="apply")
            self._thread.start()
            return True

    def wait(self) -> None:
        """Returns when it is not at work."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, changed: list[int], reviewer: str) -> None:
        try:
            parts = parts_of(self._review.out, self._review.state)

            def work(number: int) -> str:
                return self._told(number, parts, reviewer)

            for told in parallel_map(work, changed, max(1, cores() - 1)):
                self.progress.done += 1
                if told:
                    self.progress.failures.append(told)
            if changed:
                write_report(self._review.run.ledger, self._review.state / REPORT_NAME)
                write_mended(self._review)
        except (OSError, DartblurError) as error:
            self.progress.problem = str(error)
        finally:
            self.progress.running = False

    def _told(self, number: int, parts: Path, reviewer: str) -> str:
        """Makes one picture anew; returns what went wrong, "" if nothing did."""
        row = self._review.row(number)
        try:
            if row.is_film:
                apply_film(self._review, row, parts, reviewer)
            else:
                self._picture(row, parts, reviewer)
        except (DartblurError, OSError, MemoryError) as error:
            text = str(error)
            return printable(text if text.startswith(row.name) else f"{row.name}: {text}")
        # A fault of ours in one picture must not keep the others from being made.
        except Exception as error:  # noqa: BLE001
            _log.debug("%s: internal error", row.name, exc_info=True)
            return f"{row.name}: internal error, please report: {type(error).__name__}"
        return ""

    def _picture(self, row: Row, parts: Path, reviewer: str) -> None:
        review = self._review
        # What lies there must be what the run made: else it is not ours to replace.
        target = review.run.checked_output(row)
        state, _ = review.picture_state(row)
        data, record = review.renderer.render(row, state.faces)
        record = replace(record, by_person=state.by_person)
        relative = Path(row.file)
        review.run.ledger.writing(relative)
        write_atomically(target, data, parts)
        review.run.ledger.done(relative, target, record)
        self._settle(row.file, state, reviewer)

    def _settle(self, file: str, applied: PictureState, reviewer: str) -> None:
        """Binds the latest decision to what the picture is made of now."""
        review = self._review
        while True:
            row = review.run.row(file)
            assert row.record is not None
            decision = review.decisions.latest(PREFIX + file)
            if decision is None:
                return
            # Perhaps changed further while it was made: that stays to be applied.
            state = replace(PictureState.from_json(decision.content), made=made_of(row.record))
            with suppress(StaleError):
                review.decisions.append(
                    PREFIX + file, decision.version, reviewer, APPLIED, state.to_json()
                )
                review.refresh(row, state)
                return


def routes(review: Review, applier: Applier) -> list[BaseRoute]:
    """The routes of "apply"."""

    def status() -> Response:
        now = applier.progress
        return JSONResponse(
            {
                "running": now.running,
                "done": now.done,
                "total": now.total,
                "failures": now.failures,
                "problem": now.problem,
                "changed": len(review.index.changed()),
            }
        )

    def read(request: Request) -> Response:
        return status()

    def start(request: Request) -> Response:
        if not applier.start(review.reviewer_of(request)):
            return problem(409, "changes are being applied already")
        return status()

    return [
        Route("/api/apply", read),
        Route("/api/apply", start, methods=["POST"]),
    ]


def write_mended(review: Review) -> Path:
    """Writes the boxes of all pictures that are done, as they are in the review, as COCO JSON.

    With `anonymize --boxes`, other settings make the same pictures with the same boxes.
    """
    target = review.state / MENDED_NAME
    target.parent.mkdir(mode=0o700, exist_ok=True)
    write_coco(target, lambda: mended(review))
    return target


def mended(review: Review) -> Iterable[PictureBoxes]:
    """The boxes of each picture that is done, as they are in the review."""
    decided: dict[str, Decision] = {
        row.subject: row for row in review.decisions.latest_of_all(PREFIX)
    }
    pictures = (row for row in review.run.rows() if row.done and not row.is_film)
    for row, evidence in with_evidence(review.run.ledger, pictures):
        assert row.record is not None
        state, _ = picture_state_of(row, evidence, decided.get(PREFIX + row.file))
        yield PictureBoxes(row.file, (row.record.height, row.record.width), state.faces)
