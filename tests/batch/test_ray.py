"""Ray's actors make what the plain command makes; benchmarks/dataset_cluster.py kills them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.batch.data_sets import save, widerface
from tests.conftest import Outcome
from tests.pictures import tree

pytest.importorskip("pyarrow", reason="the manifest needs the extra dataset")
pytest.importorskip("ray", reason="needs the extra cluster: pip install 'dartblur[cluster]'")


def test_two_actors_give_the_bytes_of_the_plain_command(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    src = tmp_path / "src"
    widerface(src)
    (src / "broken.jpg").write_bytes(b"no picture")
    for seed in range(3):
        save(src / f"WIDER_test/images/{seed}.png", seed)
    words = ("--hidden", "both", "--detector", "fast", "--method", "block", "--workers", 2)
    outcomes = [
        command("dataset", src, tmp_path / "plain", *words),
        command("dataset", src, tmp_path / "ray", *words, "--ray", "local"),
    ]
    for outcome in outcomes:
        assert outcome.status == 1
        assert "broken.jpg" in outcome.error
    assert tree(tmp_path / "ray") == tree(tmp_path / "plain")
    for name in tree(tmp_path / "ray"):
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
    lines = [tmp_path / f"{name}.dartblur/manifest.jsonl" for name in ("ray", "plain")]
    assert lines[0].read_bytes() == lines[1].read_bytes()


def test_a_cluster_that_is_not_there_is_named(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    widerface(tmp_path / "src")
    outcome = command("dataset", tmp_path / "src", tmp_path / "dst", "--ray", "127.0.0.1:1")
    assert outcome.status == 2
    assert "127.0.0.1:1: no cluster can be reached" in outcome.error
