import pytest

from dartblur.anonymizers import GENERATORS, MethodSettings, make_anonymizer
from dartblur.anonymizers.named import NOISE, named_method
from dartblur.errors import UsageError


@pytest.mark.parametrize(
    ("name", "method", "settings"),
    [
        ("block", "block", MethodSettings()),
        ("gaussian", "gaussian", MethodSettings()),
        ("gaussian-1.5", "gaussian", MethodSettings(strength=1.5)),
        ("gaussian-2", "gaussian", MethodSettings(strength=2.0)),
        ("pixelate-6", "pixelate", MethodSettings(cells=6)),
        ("pixelate-8-noise", "pixelate", MethodSettings(cells=8, noise=NOISE)),
        ("dartblur-wide", "dartblur", MethodSettings(generator="wide")),
        ("dartblur-compact-2", "dartblur", MethodSettings(generator="compact", strength=2)),
    ],
)
def test_a_name_tells_the_method_and_its_setting(
    name: str, method: str, settings: MethodSettings
) -> None:
    assert named_method(name) == (method, settings)


def test_the_default_strength_and_cells_have_two_names() -> None:
    for plain, told in (("gaussian", "gaussian-1"), ("pixelate", "pixelate-8")):
        one, other = named_method(plain), named_method(told)
        assert one
        assert other
        assert make_anonymizer(*one) == make_anonymizer(*other)


def test_every_generator_has_a_name() -> None:
    for name in GENERATORS:
        found = named_method(f"dartblur-{name}")
        assert found
        assert found[1].generator_file == GENERATORS[name]


@pytest.mark.parametrize(
    "name", ["", "clear", "blok", "gaussian-", "gaussian-2-noise", "gaussian--2", "pixelate-8.5"]
)
def test_another_name_is_none_of_them(name: str) -> None:
    assert named_method(name) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gaussian-0.1", "strength"),
        ("pixelate-99", "cells"),
        ("dartblur-narrow", "narrow"),
        ("dartblur-compact-0.1", "strength"),
    ],
)
def test_a_setting_out_of_range_is_refused(name: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        named_method(name)
