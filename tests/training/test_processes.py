"""Two processes train what one would train on the batches of both."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from tests.training import two_processes
from tests.training.conftest import Ground
from torch.distributed import run as torchrun
from torch.distributed.launcher.api import elastic_launch

from dartblur.training import fit
from dartblur.training.checkpoint import read
from dartblur.training.data import Batches
from dartblur.training.run import train

Note = dict[str, Any]
# Clipping comes after averaging, and would hide how the mean was made. Another number of threads
# sums in another order, and Adam's first step makes a whole step of the sign of next to nothing.
CHANGES = {"rounds = 8": "rounds = 2\nthreads = 1", "clip = 1.0": "clip = 1e9"}

# The launcher sets handlers of its own, and leaves them.
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


class EnoughError(Exception):
    """A round is done."""


def config_of(ground: Ground, tmp_path: Path) -> Path:
    text = ground.config.read_text()
    for old, new in CHANGES.items():
        assert text.count(f"\n{old}") == 1
        text = text.replace(f"\n{old}", f"\n{new}")
    path = tmp_path / "two.toml"
    path.write_text(text)
    return path


def by_two(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What torchrun makes of its words, with one import for both processes."""
    out = tmp_path / "two"
    multiprocessing.get_context("forkserver").set_forkserver_preload([two_processes.__name__])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # which torchrun sets for its processes
    words = ["--nproc-per-node=2", "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0"]
    words += ["--start-method=forkserver", two_processes.__file__]
    launch, _, _ = torchrun.config_from_args(torchrun.parse_args(words))
    handlers = {number: signal.getsignal(number) for number in HANDLED}
    try:
        entry = elastic_launch(launch, two_processes.train_noting)
        entry(config_of(ground, tmp_path), ground.data, out)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return out


def alone(ground: Ground, tmp_path: Path, start: Path, rank: int) -> Note:
    """What the batches of one of the two processes make of the first round."""
    out = tmp_path / f"alone-{rank}"
    (out / "run").mkdir(parents=True)
    shutil.copy(start / "checkpoint.pt", out / "run")

    def of_rank(*settings: Any) -> Batches:
        *others, seed, first = settings
        return Batches(*others, (seed[0], rank), first)

    noted = two_processes.noting(out, fit.one_round)

    def once(*arguments: Any) -> None:
        noted(*arguments)
        raise EnoughError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "Batches", of_rank)
        patch.setattr(fit, "one_round", once)
        patch.setattr(fit, "_warm_up", lambda *_: None)  # which the two have behind them
        threads = torch.get_num_threads()
        try:
            with pytest.raises(EnoughError):
                train(
                    config=config_of(ground, tmp_path),
                    data=ground.data,
                    out=out / "run",
                    resume=True,
                )
        finally:
            torch.set_num_threads(threads)
    return note(out / "1-0.pt")


def note(path: Path) -> Note:
    content: Note = torch.load(path, weights_only=True)
    return content


def tensors(content: Note) -> dict[str, torch.Tensor]:
    """All numbers of a note, by name."""
    flat = {}
    for part, value in content.items():
        named = value if isinstance(value, dict) else {"": value}
        flat |= {f"{part} {k}": v for k, v in named.items() if v.is_floating_point()}
    return flat


def test_two_processes_take_the_mean_of_what_each_learns(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = by_two(ground, tmp_path, monkeypatch)
    assert read(out / "run" / "checkpoint.pt")["round"] == 2
    assert len((out / "run" / "log.csv").read_text().splitlines()) == 3
    for done in (1, 2):
        first, second = (tensors(note(out / f"{done}-{rank}.pt")) for rank in (0, 1))
        for name, value in first.items():
            assert torch.equal(value, second[name]), f"round {done}: {name}"

    both = tensors(note(out / "1-0.pt"))
    parts = [tensors(alone(ground, tmp_path, out / "start", rank)) for rank in (0, 1)]
    compared = 0
    for name, value in both.items():
        a, b = (part[name] for part in parts)
        # What g becomes is no mean: Adam's step follows the mean of the gradients.
        if not name.startswith("generator "):
            torch.testing.assert_close(value, (a + b) / 2, rtol=1e-4, atol=1e-6, msg=name)
            compared += not torch.allclose(a, b, rtol=1e-3)
    # And the two had different things to say.
    assert compared > 20
