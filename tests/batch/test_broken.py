"""Broken input: told by name, never written, never in the way of the others."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.batch.broken import BROKEN, MUST_FAIL
from tests.conftest import Outcome
from tests.images.files import pillow_file, rgb
from tests.pictures import assert_is_hidden, tree


def is_whole(data: bytes) -> bool:
    """True where somebody else's strict reader reads it to the end."""
    with Pillow.open(io.BytesIO(data)) as image:
        image.load()
        return min(image.size) > 0


def no_parts(folder: Path) -> bool:
    return not [path for path in folder.rglob("*") if path.name.endswith(".part")]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_harms_nobody(
    tmp_path: Path, hide: Callable[..., Outcome], name: str
) -> None:
    suffix, make = BROKEN[name]
    data = make()
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / f"bad{suffix}").write_bytes(data)
    (folder / "good.png").write_bytes(pillow_file(rgb(), "PNG"))
    outcome = hide(folder, "-o", out)

    assert_is_hidden(np.array(rgb()), np.array(Pillow.open(out / "good.png")))
    assert "Traceback" not in outcome.error
    assert "internal error" not in outcome.error
    assert no_parts(tmp_path)
    assert (folder / f"bad{suffix}").read_bytes() == data
    written = out / f"bad{suffix}"
    if written.exists():
        assert outcome.status == 0
        assert name not in MUST_FAIL
        assert is_whole(written.read_bytes())
        if "one pixel" not in name:
            assert written.read_bytes() != data
    else:
        assert outcome.status == 1
        told = [line for line in outcome.error.splitlines() if f"bad{suffix}" in line]
        assert len(told) == 1
        assert told[0].startswith("FAILED ")
        assert len(told[0]) < 400 + len(str(folder))
        assert tree(out) == ["good.png"]


def test_there_are_many_kinds() -> None:
    assert len(BROKEN) >= 40
    assert set(BROKEN) >= MUST_FAIL


def test_all_of_them_in_one_folder(tmp_path: Path, hide: Callable[..., Outcome]) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number, (suffix, make) in enumerate(BROKEN.values()):
        (folder / f"{number:03}{suffix}").write_bytes(make())
    (folder / "good.png").write_bytes(pillow_file(rgb(), "PNG"))
    outcome = hide(folder, "-o", out, "--quiet")
    assert outcome.status == 1
    assert (out / "good.png").exists()
    done = {path.name for path in out.iterdir()}
    failed = outcome.error.count("FAILED ")
    assert len(done) + failed >= len(BROKEN) + 1
    assert f"{len(done)} done" in outcome.error
