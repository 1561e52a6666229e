"""Frozen dataclasses from TOML files and other tables, strictly: cattrs checks every field."""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from cattrs import BaseValidationError, Converter, ForbiddenExtraKeysError, transform_error

from dartblur.errors import ConfigError

T = TypeVar("T")


def read_config(kind: type[T], path: Path) -> T:
    """The dataclass `kind` with the fields that the file gives and its own defaults for the rest.

    Raises:
        ConfigError: the file is no TOML, or fields are unknown, missing or of a wrong type: it
            names all of them.
    """
    return build_config(kind, read_toml(path), str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ConfigError: it is none.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such configuration file") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as TOML ({error}); correct the file") from error


def build_config(kind: type[T], content: Mapping[str, Any], where: str) -> T:
    """The dataclass `kind` from a table; `where` begins the message.

    Raises:
        ConfigError: as for `read_config`.
    """
    try:
        return _STRICT.structure(content, kind)
    except BaseValidationError as error:
        faults = "; ".join(map(_fault, transform_error(error, "", _reason)))
        raise ConfigError(f"{where}: {faults}") from error


def differing_fields(a: Any, b: Any, prefix: str = "") -> list[str]:
    """Dotted names of the fields in which two dataclasses of one kind differ."""
    names = []
    for field in dataclasses.fields(a):
        left, right, name = getattr(a, field.name), getattr(b, field.name), prefix + field.name
        if dataclasses.is_dataclass(left):
            names += differing_fields(left, right, name + ".")
        elif left != right:
            names.append(name)
    return names


def _exactly(*kinds: type) -> Callable[[Any, Any], Any]:
    """Takes values of these types alone, as the first of them; cattrs would take "3" for 3."""

    def structure(value: Any, _: Any) -> Any:
        if type(value) not in kinds:
            raise ValueError(f"expected {kinds[0].__name__}, not {value!r}")
        return kinds[0](value)

    return structure


def _one_of(value: Any, literal: Any) -> Any:
    choices = typing.get_args(literal)
    if value not in choices:
        raise ValueError(f"{value!r} is none of {', '.join(map(repr, choices))}")
    return value


def _reason(error: BaseException, kind: type | None) -> str:
    if isinstance(error, KeyError):
        return "is missing"
    if isinstance(error, ForbiddenExtraKeysError):
        names = ", ".join(map(repr, sorted(error.extra_fields)))
        known = ", ".join(sorted(field.name for field in dataclasses.fields(error.cl)))
        return f"unknown field {names}; known are {known}"
    if isinstance(error, TypeError | AttributeError):
        return f"expected {getattr(kind, '__name__', kind)}"
    return str(error)


def _fault(line: str) -> str:
    """What `transform_error` tells of one field, with the field in front."""
    reason, _, name = line.rpartition(" @ ")
    return ": ".join(filter(None, (name.removeprefix("."), reason)))


def _tuple(value: Any, kind: Any) -> tuple[Any, ...]:
    """Of a list; cattrs would take the letters of a string, too."""
    if type(value) not in (list, tuple):
        raise ValueError(f"expected a list, not {value!r}")
    kinds = typing.get_args(kind)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise ValueError(f"expected {len(kinds)} values, not {value!r}")
    return tuple(_STRICT.structure(each, kind) for each, kind in zip(value, kinds, strict=True))


def _list(value: Any, kind: Any) -> list[Any]:
    """As for a tuple; cattrs would take an empty table."""
    if type(value) is not list:
        raise ValueError(f"expected a list, not {value!r}")
    [each] = typing.get_args(kind)
    return [_STRICT.structure(row, each) for row in value]


def _comes_from(origin: Any) -> Callable[[Any], bool]:
    return lambda kind: typing.get_origin(kind) is origin


_STRICT = Converter(forbid_extra_keys=True)
for _kinds in ((int,), (float, int), (str,), (bool,)):
    _STRICT.register_structure_hook(_kinds[0], _exactly(*_kinds))
_STRICT.register_structure_hook_func(_comes_from(typing.Literal), _one_of)
_STRICT.register_structure_hook_func(_comes_from(tuple), _tuple)
_STRICT.register_structure_hook_func(_comes_from(list), _list)
