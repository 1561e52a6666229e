"""dlib's ResNet for faces, read from dlib's own file and run by ONNX Runtime.

dlib's wheels are built without a fast convolution: there a face takes some 25 times as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from dartblur.errors import InputError

SIDE = 150
"""Of the square that the network looks at, in pixels."""
NUMBERS = 128
"""That it gives for a face."""
# Of the red, green and blue that it was trained on, on the 0 to 255 scale.
_MEANS = (122.782, 117.001, 104.298)
_SCALE = 1 / 256
# Filters of a block, and whether it halves the map: dlib's alevel4 to alevel0.
_BLOCKS = (
    *((32, False),) * 3,
    *((64, True), *((64, False),) * 3),
    *((128, True), *((128, False),) * 2),
    *((256, True), *((256, False),) * 2),
    (256, True),
)
_PADDED = {"pads": [1, 1, 1, 1]}
_HALVED = {"strides": [2, 2]}

Array = npt.NDArray[np.float32]


def read_network(file: Path) -> bytes:
    """The network as ONNX: `squares` (N, 150, 150, 3) uint8 RGB to `vectors` (N, 128).

    Raises:
        InputError: the file holds another network.
    """
    return _Graph(_Tensors(file)).made()


class _Tensors:
    """The values of dlib's layers, in the order in which a picture goes through them."""

    def __init__(self, file: Path) -> None:
        self._file, self._data, self._place = file, file.read_bytes(), 0

    def next(self, *shape: int) -> Array:
        """The next tensor of these sizes; dlib writes a version, four sizes and the values."""
        sizes = (*shape, *(1,) * (4 - len(shape)))
        head = b"".join(_number(value) for value in (2, *sizes))
        found = self._data.find(head, self._place)
        count = int(np.prod(shape))
        begin = found + len(head)
        if found < 0 or begin + 4 * count > len(self._data):
            raise InputError(f"{self._file}: does not hold dlib's network for faces")
        self._place = begin + 4 * count
        return np.frombuffer(self._data, "<f4", count, begin).reshape(shape)


def _number(value: int) -> bytes:
    """As dlib writes a whole number: how many bytes, and these, the lowest first."""
    count = (value.bit_length() + 7) // 8
    return bytes([count]) + value.to_bytes(count, "little")


class _Graph:
    def __init__(self, tensors: _Tensors) -> None:
        self._tensors = tensors
        self._nodes: list[onnx.NodeProto] = []
        self._values: list[onnx.TensorProto] = []

    def made(self) -> bytes:
        """The whole network."""
        values = self._add("Cast", "squares", to=TensorProto.FLOAT)
        planes = self._add("Transpose", values, perm=[0, 3, 1, 2])
        shifted = self._add("Sub", planes, self._value(np.reshape(_MEANS, (3, 1, 1))))
        map_ = self._add("Mul", shifted, self._value(np.array(_SCALE)))
        map_ = self._add("Relu", self._convolved(map_, 3, 32, 7, _HALVED))
        map_ = self._add("MaxPool", map_, kernel_shape=[3, 3], **_HALVED)
        side, channels = 35, 32
        for filters, halved in _BLOCKS:
            map_, side = self._block(map_, side, channels, filters, halved)
            channels = filters
        mean = self._add("GlobalAveragePool", map_)
        flat = self._add("Flatten", mean)
        weights = self._tensors.next(channels, NUMBERS)
        self._nodes.append(helper.make_node("MatMul", [flat, self._value(weights)], ["vectors"]))
        graph = helper.make_graph(
            self._nodes,
            "dlib_face_recognition_resnet",
            [helper.make_tensor_value_info("squares", TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
            [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", NUMBERS])],
            self._values,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return bytes(model.SerializeToString())

    def _block(
        self, before: str, side: int, channels: int, filters: int, halved: bool
    ) -> tuple[str, int]:
        """A residual block, and the side of its map.

        Where the two ways differ in size, dlib takes the smaller for zeros beyond its end.
        """
        inner = self._add(
            "Relu", self._convolved(before, channels, filters, 3, _HALVED if halved else _PADDED)
        )
        inner = self._convolved(inner, filters, filters, 3, _PADDED)
        if not halved:
            return self._add("Relu", self._add("Add", inner, before)), side
        short = self._add("AveragePool", before, kernel_shape=[2, 2], **_HALVED)
        sides = (side - 3) // 2 + 1, side // 2
        grown = max(sides)
        inner, short = (
            self._grown(name, filters - have, grown - now)
            for name, have, now in zip((inner, short), (filters, channels), sides, strict=True)
        )
        return self._add("Relu", self._add("Add", inner, short)), grown

    def _convolved(
        self, before: str, channels: int, filters: int, side: int, how: Mapping[str, Any]
    ) -> str:
        """A convolution; the scale and shift that follow it are in its weights."""
        size = filters * channels * side * side
        both = self._tensors.next(size + filters)
        kernels, bias = both[:size].reshape(filters, channels, side, side), both[size:]
        scale, shift = self._tensors.next(2 * filters).reshape(2, filters)
        values = kernels * scale[:, None, None, None], bias * scale + shift
        return self._add("Conv", before, *map(self._value, values), **how)

    def _grown(self, map_: str, channels: int, side: int) -> str:
        if not channels and not side:
            return map_
        ends = np.array([0, 0, 0, 0, 0, channels, side, side], np.int64)
        return self._add("Pad", map_, self._value(ends))

    def _add(self, kind: str, *inputs: str, **how: Any) -> str:
        name = f"{kind.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **how))
        return name

    def _value(self, values: npt.NDArray[np.generic]) -> str:
        name = f"value{len(self._values)}"
        kind = np.int64 if values.dtype == np.int64 else np.float32
        self._values.append(numpy_helper.from_array(values.astype(kind), name))
        return name
