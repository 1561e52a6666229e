"""What the tests of training share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from tests.training import wider_data

CONFIGS = Path(__file__).parents[2] / "configs"


@dataclass(frozen=True)
class Ground:
    """A data set, and a configuration that trains on it with random starting values."""

    data: Path
    config: Path


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    from dartblur.nets.retinaface import RetinaFace

    root = tmp_path_factory.mktemp("training")
    torch.manual_seed(1)
    torch.save(RetinaFace().state_dict(), root / "f.pth")
    start = f'[start]\nreference = "{(root / "f.pth").as_posix()}"\n'
    config = root / "smoke.toml"
    config.write_text((CONFIGS / "smoke.toml").read_text() + start)
    return Ground(wider_data.make(root / "data"), config)
