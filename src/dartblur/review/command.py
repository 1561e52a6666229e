"""The command `review`."""

from __future__ import annotations

import getpass
import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import uvicorn
from cyclopts import Parameter
from starlette.types import ASGIApp

from dartblur.batch.ledger import Ledger
from dartblur.batch.state import DECISIONS_NAME, LEDGER_NAME
from dartblur.errors import UsageError
from dartblur.formatting import printable
from dartblur.onnx_runtime import DEFAULT_DEVICE, Device
from dartblur.review.app import make_app, make_index, templates
from dartblur.review.apply import Applier
from dartblur.review.context import Review
from dartblur.review.decisions import Decisions
from dartblur.review.rendering import Renderer
from dartblur.review.report import write_report_page
from dartblur.review.run import FinishedRun
from dartblur.review.security import Sessions, hosts_of

LOCAL = "127.0.0.1"


def review(
    out: Path,
    /,
    *,
    source: Path | None = None,
    show_originals: Annotated[bool, Parameter(negative="")] = False,
    reviewer: str | None = None,
    weights: Path | None = None,
    device: Device = DEFAULT_DEVICE,
    state: Path | None = None,
    report: Path | None = None,
    host: str = LOCAL,
    port: int = 0,
) -> int:
    """Opens a finished run in the browser, to add what was missed and undo what was wrong.

    Prints the link; ends with Ctrl+C. What is decided is kept at once, in the run's state; "apply"
    makes the changed pictures anew.

    Parameters
    ----------
    out
        The output folder of `dartblur anonymize`.
    source
        The folder of the inputs, where they lie elsewhere than when they were read.
    show_originals
        Lets the page show the clear pictures beside the hidden ones.
    reviewer
        The name that decisions are kept under. Default: your login name.
    weights
        The generator's file, where the run was made with --weights.
    device
        What a generator runs on, as for `anonymize`.
    state
        The run's state, where `anonymize` was told so. Default: OUT.dartblur beside it.
    report
        Writes a report for a data-protection officer there, a single HTML file without clear
        faces, and ends: settings, counts, the recall to expect, hidden faces, decisions.
    host
        The address to listen at. Anything but this machine's own lets others on the network read
        what the browser shows: there is no encryption.
    port
        The port to listen at; 0 takes a free one.
    """
    with closing(_ledger(out, state)) as ledger, closing(_decisions(out, state)) as decisions:
        run = FinishedRun(out, _state_of(out, state), ledger, source)
        listener = None if report else _listener(host, port)
        sessions = Sessions(listener.getsockname()[1] if listener else 0)
        made = Review(
            run,
            decisions,
            make_index(run, decisions),
            Renderer(run, weights, device),
            sessions,
            templates(),
            show_originals,
            reviewer or _login(),
        )
        if listener is not None:
            _serve(made, host, listener)
        elif report is not None:
            write_report_page(made, report)
            print(printable(f"report: {report}"), file=sys.stderr)
    return 0


def _serve(review: Review, host: str, listener: socket.socket) -> None:
    port = review.sessions.port
    applier = Applier(review)
    server = server_of(make_app(review, applier, hosts_of(host, port)))
    if host not in (LOCAL, "localhost", "::1"):
        print(
            f"WARNING the review listens at {host}: who has the link sees the pictures, and others "
            "on the network can read along, as nothing is encrypted. An SSH tunnel to "
            f"{LOCAL} is safer.",
            file=sys.stderr,
        )
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else host
    shown = f"[{shown}]" if ":" in shown else shown
    print(printable(f"review of {review.out}: {len(review.index)} files"), file=sys.stderr)
    print(f"open http://{shown}:{port}/?token={review.sessions.token}", flush=True)
    print("end it with Ctrl+C; what is decided is kept", file=sys.stderr)
    server.run(sockets=[listener])
    applier.wait()


def server_of(app: ASGIApp) -> uvicorn.Server:
    """The server of a review's application."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, proxy_headers=False,
        date_header=False, ws="none", http="h11", lifespan="off", timeout_graceful_shutdown=3,
    )  # fmt: skip
    return uvicorn.Server(config)


def _state_of(out: Path, chosen: Path | None) -> Path:
    real = out.resolve()
    return chosen or real.with_name(real.name + ".dartblur")


def _ledger(out: Path, chosen: Path | None) -> Ledger:
    path = _state_of(out, chosen) / LEDGER_NAME
    if not out.is_dir() or not path.is_file():
        raise UsageError(
            f"{out}: is no output folder of dartblur anonymize, or its state is not at "
            f"{path.parent}; name that with --state"
        )
    ledger = Ledger(path, out)
    if ledger.set_aside:
        ledger.close()
        raise UsageError(ledger.set_aside)
    return ledger


def _decisions(out: Path, chosen: Path | None) -> Decisions:
    return Decisions(_state_of(out, chosen) / DECISIONS_NAME)


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise UsageError(f"cannot listen at {host}, port {port}: {error}") from error


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "reviewer"
