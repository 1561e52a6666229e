"""The `dartblur` command, and `python -m dartblur`: interrupted at any moment, it says so."""

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Runs the command; its libraries take a moment to load, in which nothing is begun."""
    # Where somebody ignores interrupts (a shell does for what runs behind), they stay ignored.
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, _stop_at_once)
    from dartblur import cli

    def loaded() -> None:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    cli.main(loaded)


def _stop_at_once(number: int, frame: FrameType | None) -> None:
    # An exception could be lost, or told, by whichever library is being loaded.
    sys.stderr.write("stopped; nothing was begun\n")
    sys.stderr.flush()
    os._exit(130)


if __name__ == "__main__":
    main()
