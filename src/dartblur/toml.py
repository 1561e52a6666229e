"""Frozen dataclasses from TOML files, strictly: no field unknown, none of a wrong type."""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from dartblur.errors import ConfigError, UsageError

T = TypeVar("T")


def read(kind: type[T], path: Path) -> T:
    """The dataclass `kind` with the fields that the file gives and its own defaults for the rest.

    Raises:
        ConfigError: the file is no TOML, or a field is unknown, missing or of a wrong type.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as TOML ({error}); correct the file") from error
    return build(kind, content, str(path))


def build(kind: type[T], content: dict[str, Any], where: str) -> T:
    """The dataclass `kind` from a table; `where` begins every message.

    Raises:
        ConfigError: as for `read`.
    """
    hints = typing.get_type_hints(kind)
    known = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in content:
        if name not in known:
            raise ConfigError(
                f"{where}: unknown field {name!r}; known are {', '.join(sorted(known))}"
            )
    values = {
        name: _value(hints[name], value, f"{where}: {name}") for name, value in content.items()
    }
    try:
        return kind(**values)
    except (TypeError, ValueError, UsageError) as error:
        raise ConfigError(f"{where}: {error}") from error


def differing(a: Any, b: Any, prefix: str = "") -> list[str]:
    """Dotted names of the fields in which two dataclasses of one kind differ."""
    names = []
    for field in dataclasses.fields(a):
        left, right, name = getattr(a, field.name), getattr(b, field.name), prefix + field.name
        if dataclasses.is_dataclass(left):
            names += differing(left, right, name + ".")
        elif left != right:
            names.append(name)
    return names


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return build(typing.cast(type, hint), value, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _value(next(a for a in arguments if a is not type(None)), value, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise ConfigError(f"{where}: {value!r} is none of {', '.join(map(repr, arguments))}")
        return value
    if origin is dict and isinstance(value, dict):
        return {name: _value(arguments[1], v, f"{where}.{name}") for name, v in value.items()}
    if origin is tuple and isinstance(value, list):
        inner = arguments[0]
        if arguments[-1] is not Ellipsis and len(value) != len(arguments):
            raise ConfigError(f"{where}: expected {len(arguments)} values, not {value!r}")
        return tuple(_value(inner, v, where) for v in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(hint, type) or type(value) is not hint:
        raise ConfigError(f"{where}: expected {getattr(hint, '__name__', hint)}, not {value!r}")
    return value
