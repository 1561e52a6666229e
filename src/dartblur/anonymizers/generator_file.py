"""What a generator's ONNX file says of itself: all that the runtime must know, and its origin."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dartblur.anonymizers.blur import Blur
from dartblur.anonymizers.frames import FrameGeometry
from dartblur.anonymizers.windows import WindowGeometry
from dartblur.config_file import build_config
from dartblur.errors import ConfigError

KEY = "dartblur"
"""Of the file's metadata: a JSON object with the fields of `GeneratorMetadata`, and `format`."""
FORMAT = 1
"""Raised when the runtime must do something else than before to paint as a file wants it."""
_GEOMETRIES: dict[str, type[WindowGeometry | FrameGeometry]] = {
    "windows": WindowGeometry,
    "frames": FrameGeometry,
}


@dataclass(frozen=True)
class GeneratorMetadata:
    """How a generator is used, and where it comes from.

    blur: h(x, b). geometry: of what it is shown. training: for people, as JSON holds it: the
    configuration, rounds, commit, version and data of its training, null where nobody knows.
    """

    blur: Blur
    geometry: WindowGeometry | FrameGeometry
    training: Mapping[str, Any]

    def properties(self) -> dict[str, str]:
        """The file's metadata, by key."""
        name = next(n for n, kind in _GEOMETRIES.items() if isinstance(self.geometry, kind))
        content = {
            "format": FORMAT,
            "blur": dataclasses.asdict(self.blur),
            name: dataclasses.asdict(self.geometry),
            "training": dict(self.training),
        }
        return {KEY: json.dumps(content, ensure_ascii=False)}


def read_metadata(file: Path, properties: Mapping[str, str]) -> GeneratorMetadata:
    """The metadata of a generator's file, from what `Network.metadata` found in it.

    Raises:
        ConfigError: there is none, or it asks for what this version cannot do.
    """
    if KEY not in properties:
        raise ConfigError(
            f"{file}: does not say how it is used (no {KEY!r} in its metadata); give a file made "
            "by this version's dartblur export"
        )
    try:
        content = dict(json.loads(properties[KEY]))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{file}: its metadata is damaged ({error}); export it again") from error
    made_for = content.pop("format", None)
    if made_for != FORMAT:
        raise ConfigError(
            f"{file}: is of format {made_for!r}, and this version of dartblur can do {FORMAT}; "
            "install the version that exported it, or export it again"
        )
    where = f"{file}: metadata"
    training = content.pop("training", None)
    blur = content.pop("blur", None)
    if not all(isinstance(part, dict) for part in (training, blur)) or len(content) != 1:
        raise ConfigError(f"{where}: blur, training, and one geometry are needed; export it again")
    ((name, geometry),) = content.items()
    if name not in _GEOMETRIES or not isinstance(geometry, dict):
        raise ConfigError(
            f"{where}: {name!r} is nothing that this version of dartblur can do; it knows "
            f"{' and '.join(_GEOMETRIES)}"
        )
    return GeneratorMetadata(
        build_config(Blur, blur, f"{where}: blur"),
        build_config(_GEOMETRIES[name], geometry, f"{where}: {name}"),
        training,
    )
