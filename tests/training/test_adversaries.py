"""The pool of f_g: families by turns, replaced at the end of a life, taken up where it was left."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from dartblur.errors import ConfigError
from dartblur.faces import Faces
from dartblur.losses.multibox import pad
from dartblur.nets.families import FAMILIES, backbone_of, seeded
from dartblur.training.adversaries import Pool
from dartblur.training.config import Adversaries, TrainingConfig

FAMILY_NAMES = ("retinaface", "yolov5n", "pyramidbox-small")
SETTINGS = Adversaries(families=FAMILY_NAMES, size=3, lifetime=2, reference=2, warm_up=1)


@pytest.fixture(scope="module")
def values() -> dict[str, torch.Tensor]:
    return seeded(FAMILIES["retinaface"], 5, {}).state_dict()


def made(values: dict[str, torch.Tensor], settings: Adversaries = SETTINGS) -> Pool:
    backbone = backbone_of(seeded(FAMILIES["retinaface"], 6, {}))
    return Pool(settings, values, backbone, 1, torch.device("cpu"))


def live(pool: Pool, turn: int) -> None:
    """One member reaches the end of its life."""
    images = torch.zeros(2, 3, 64, 64)
    for _ in range(SETTINGS.lifetime):
        pool.at(turn).step((images, pad([Faces.empty()] * 2)))


def names(pool: Pool) -> list[str]:
    known = {id(family): name for name, family in FAMILIES.items()}
    return [known[id(member.family)] for member in pool.members]


def test_families_take_turns_and_one_that_is_replaced_makes_room_for_the_next(
    values: dict[str, torch.Tensor],
) -> None:
    pool = made(values)
    assert names(pool) == list(FAMILY_NAMES)
    live(pool, 1)
    pool.at(1)
    assert names(pool) == ["retinaface", "retinaface", "pyramidbox-small"]
    # The second of f's family begins as f, and the first did not.
    first, second = (pool.members[i].net.state_dict() for i in (0, 1))
    assert all(torch.equal(second[name], value) for name, value in values.items())
    assert not all(torch.equal(first[name], value) for name, value in values.items())


def test_a_pool_is_taken_up_with_the_families_that_it_had(
    values: dict[str, torch.Tensor],
) -> None:
    pool = made(values)
    live(pool, 2)
    pool.at(2)
    again = made(values)
    again.load_state_dict(pool.state_dict())
    assert names(again) == names(pool) == ["retinaface", "yolov5n", "retinaface"]
    for ours, theirs in zip(again.members, pool.members, strict=True):
        assert (ours.number, ours.age) == (theirs.number, theirs.age)
        state = theirs.net.state_dict()
        assert all(torch.equal(v, state[n]) for n, v in ours.net.state_dict().items())
    live(again, 0)
    live(pool, 0)
    assert names(again) == names(pool)
    assert again.at(0).number == pool.at(0).number == 4


@pytest.mark.parametrize("families", [(), ("retinanet",), ("retinaface", "yolo")])
def test_unknown_families_are_refused(families: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"adversaries\.families"):
        TrainingConfig(adversaries=Adversaries(families=families))


def test_others_cannot_begin_as_f() -> None:
    with pytest.raises(ConfigError, match=r"adversaries\.reference: f is a retinaface"):
        TrainingConfig(adversaries=Adversaries(families=("yolov5n",), reference=3))
    TrainingConfig(adversaries=Adversaries(families=("yolov5n",), reference=0))
