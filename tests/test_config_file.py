"""A configuration is what its file says, or every fault of it is named."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from dartblur.config_file import build_config, differing_fields, read_config
from dartblur.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    width: int
    ratio: float = 0.5
    pair: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if self.ratio > 1:
            raise ConfigError(f"ratio must be at most 1, not {self.ratio}")
        if self.width < 0:
            raise ValueError("width is negative")


@dataclass(frozen=True)
class Outer:
    name: str = ""
    kind: Literal["one", "two"] = "one"
    flag: bool = False
    seeds: tuple[int, ...] = (0,)
    inner: Inner = field(default_factory=lambda: Inner(3))
    many: dict[str, Inner] = field(default_factory=dict)
    limit: int | None = None


def test_what_the_file_says_and_defaults_for_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        'name = "a"\nseeds = [1, 2]\nlimit = 4\n'
        "[inner]\nwidth = 7\nratio = 1\npair = [2, 3.5]\n[many.x-y]\nwidth = 8\n"
    )
    said = read_config(Outer, path)
    assert said == Outer(
        "a", seeds=(1, 2), inner=Inner(7, 1.0, (2.0, 3.5)), many={"x-y": Inner(8)}, limit=4
    )
    assert type(said.inner.ratio) is float
    assert type(said.inner) is Inner


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nam = 'a'", "unknown field 'nam'; known are flag, inner, kind, limit, many, name, seeds"),
        ("[inner]\nwidth = 1\nheight = 2", "inner: unknown field 'height'; known are pair, ratio"),
        ("[many.x]\nwidth = 1\nheight = 2", "many['x']: unknown field 'height'; known are pair"),
        ("[inner]\nratio = 0.1", "inner.width: is missing"),
        ("[inner]\nwidth = '3'", "inner.width: expected int, not '3'"),
        ("[inner]\nwidth = 2.5", "inner.width: expected int, not 2.5"),
        ("[inner]\nwidth = true", "inner.width: expected int, not True"),
        ("[inner]\nwidth = 1\nratio = 'x'", "inner.ratio: expected float, not 'x'"),
        ("[inner]\nwidth = 1\nratio = true", "inner.ratio: expected float, not True"),
        ("[inner]\nwidth = 1\npair = [1.0]", "inner.pair: expected 2 values, not [1.0]"),
        ("[inner]\nwidth = 1\npair = [1, 2, 3]", "inner.pair: expected 2 values, not"),
        ("[inner]\nwidth = 1\npair = 'ab'", "inner.pair: expected a list, not 'ab'"),
        ("inner = 3", "inner: expected Inner"),
        ("name = 3", "name: expected str, not 3"),
        ("flag = 'yes'", "flag: expected bool, not 'yes'"),
        ("kind = 'three'", "kind: 'three' is none of 'one', 'two'"),
        ("kind = [1]", "kind: [1] is none of 'one', 'two'"),
        ("seeds = [1, 'a']", "seeds: expected int, not 'a'"),
        ("seeds = 1", "seeds: expected a list, not 1"),
        ("limit = 'a'", "limit: expected int, not 'a'"),
        ("[many]\nx = 3", "many['x']: expected Inner"),
        ("[inner]\nwidth = 1\nratio = 2.0", "inner: ratio must be at most 1, not 2.0"),
        ("[inner]\nwidth = -1", "inner: width is negative"),
        ("name = 3\nflag = 1", "name: expected str, not 3; flag: expected bool, not 1"),
        ("[inner", "cannot be read as TOML"),
    ],
)
def test_every_fault_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_config(Outer, path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: there is no such configuration file"):
        read_config(Outer, tmp_path / "none.toml")


def test_a_dataclass_as_a_table_and_back() -> None:
    there = Outer("a", inner=Inner(1, pair=(1.0, 2.0)), many={"x": Inner(2)})
    assert build_config(Outer, asdict(there), "here") == there


def test_differing_fields_are_named() -> None:
    one, other = Outer(), Outer("b", inner=Inner(4))
    assert differing_fields(one, one) == []
    assert differing_fields(one, other) == ["name", "inner.width"]
