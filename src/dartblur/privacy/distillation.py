"""A recognizer's student: it says of hidden faces what the recognizer says of the clear ones.

It learns from faces of other people of whom nobody needs to know who they are: the cosine, from the
mean of all faces, of its vector of the hidden face and the recognizer's of the clear one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from dartblur.boxes import Boxes
from dartblur.faces import FloatArray, Image
from dartblur.privacy.config import Distillation
from dartblur.privacy.recognizers import Recognizer
from dartblur.privacy.rounds import rounds
from dartblur.training.detector import Schedule

Batch = Callable[[int], tuple[Image, npt.NDArray[np.intp]]]
"""Of a round: hidden faces (B, side, side, 3) uint8 RGB, and whose they are among the vectors."""
# Rounds in which the steps grow to their full length.
_WARM_UP = 20


def train(
    batch: Batch,
    vectors: FloatArray,
    teacher: Recognizer,
    settings: Distillation,
    seed: int,
    until: int,
    before: Path | None,
    to: Path,
) -> None:
    """Trains up to the round `until` of `settings.rounds`, and writes all that goes on from there.

    vectors: (N, D), the teacher's of the clear faces. before: what an earlier call wrote.
    """
    torch.manual_seed(seed)
    wanted = torch.from_numpy(vectors)
    mean = wanted.mean(0)
    deviations = wanted - mean
    told = {
        "fine_tuned": settings.fine_tuned,
        "width": settings.width,
        "side": settings.side,
        "mean": mean,
        "deviation": deviations.square().sum(1).mean().sqrt(),
    }
    network = _network(teacher, told)
    optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate)
    schedule = Schedule(settings.learning_rate, settings.rounds, _WARM_UP)
    for number in rounds(network, optimizer, schedule, until, before):
        squares, who = batch(number)
        flips = np.random.default_rng((seed, number)).random(len(squares)) < 0.5
        squares = np.where(flips[:, None, None, None], squares[:, :, ::-1], squares)
        said = network(torch.from_numpy(squares)) - mean
        loss = 1 - functional.cosine_similarity(said, deviations[torch.from_numpy(who)]).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "round": until}
    torch.save(told | state, to)


class Student:
    """What `train` wrote, as a recognizer that looks where its teacher does.

    Its vectors are as far from the mean of all faces as the teacher's are on the average: how sure
    it is of a face, which the way to the mean would tell, says nothing of who that is.
    """

    def __init__(self, file: Path, teacher: Recognizer) -> None:
        state = torch.load(file, weights_only=True)
        self._teacher, self.side = teacher, teacher.side
        self._mean, self._deviation = state["mean"], state["deviation"]
        self._network = _network(teacher, state).eval()
        self._network.load_state_dict(state["network"])

    def align(self, image: Image, box: Boxes) -> FloatArray:
        """See `Recognizer`."""
        return self._teacher.align(image, box)

    def embed(self, square: Image) -> FloatArray:
        """See `Recognizer`."""
        with torch.inference_mode():
            said = self._network(torch.from_numpy(square[None])) - self._mean
            vector = self._mean + self._deviation * functional.normalize(said)
            return np.asarray(functional.normalize(vector)[0].numpy(), np.float32)

    def network(self) -> bytes | None:
        """See `Recognizer`: it is no teacher."""
        return None


class Beside:
    """A student and its teacher as one recognizer, of equal shares in the cosine."""

    def __init__(self, student: Student, teacher: Recognizer) -> None:
        self._both, self.side = (student, teacher), teacher.side

    def align(self, image: Image, box: Boxes) -> FloatArray:
        """See `Recognizer`."""
        return self._both[1].align(image, box)

    def embed(self, square: Image) -> FloatArray:
        """See `Recognizer`."""
        vectors = [each.embed(square) for each in self._both]
        return np.asarray(np.concatenate(vectors) / np.sqrt(2), np.float32)

    def network(self) -> bytes | None:
        """See `Recognizer`: it is no teacher."""
        return None


class SmallNetwork(nn.Module):
    """A residual network from RGB squares (B, S, S, 3), seen in side × side cells, to (B, D).

    width: channels of its first map; each of three blocks halves the sides and doubles it.
    mean: (D,), what it says at first, or nearly so.
    """

    def __init__(self, width: int, side: int, mean: Tensor) -> None:
        super().__init__()
        self._side = side
        self.first = nn.Conv2d(3, width, 5, 2, 2, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(*(_Block(width * 2**i) for i in range(3)))
        cells = math.ceil(side / 16) ** 2
        self.last = nn.Linear(8 * width * cells, len(mean))
        with torch.no_grad():
            self.last.weight *= 0.1
            self.last.bias.copy_(mean)

    def forward(self, squares: Tensor) -> Tensor:
        """Vectors of length 1."""
        planes = squares.permute(0, 3, 1, 2).float()
        shape = (self._side, self._side)
        seen = functional.interpolate(planes, shape, mode="bilinear", antialias=True)
        spread, mean = torch.std_mean(seen, (1, 2, 3), keepdim=True)
        x = functional.relu(self.norm(self.first((seen - mean) / (spread + 1))))
        return functional.normalize(self.last(self.blocks(x).flatten(1)))


class _Block(nn.Module):
    """(B, C, S, S) → (B, 2 C, S / 2, S / 2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, 2 * channels, 3, 2, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(2 * channels)
        self.second = nn.Conv2d(2 * channels, 2 * channels, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(2 * channels)
        self.short = nn.Conv2d(channels, 2 * channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu(self.first_norm(self.first(x)))
        short = self.short(functional.avg_pool2d(x, 2, ceil_mode=True))
        return functional.relu(self.second_norm(self.second(inner)) + short)


class FineTuned(nn.Module):
    """A recognizer's own network, whose convolutions and last product go on learning.

    content: ONNX of `squares` (B, S, S, 3) uint8 RGB to `vectors`, see `Recognizer.network`.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__()
        graph = onnx.load_from_string(content).graph
        self._nodes = [
            (node.op_type, tuple(node.input), node.output[0], _options(node)) for node in graph.node
        ]
        learning = {
            name for kind, names, _, _ in self._nodes if kind in _LEARNING for name in names
        }
        values = {
            each.name: torch.from_numpy(numpy_helper.to_array(each).copy())
            for each in graph.initializer
        }
        self.learning = nn.ParameterDict(
            {name: nn.Parameter(value) for name, value in values.items() if name in learning}
        )
        self._fixed = {name: value for name, value in values.items() if name not in learning}

    def forward(self, squares: Tensor) -> Tensor:
        """Vectors of length 1."""
        values: dict[str, Tensor] = {"squares": squares, **self._fixed, **self.learning}
        for kind, names, output, options in self._nodes:
            values[output] = _OPERATORS[kind](*(values[name] for name in names), **options)
        return functional.normalize(values["vectors"])


def _options(node: onnx.NodeProto) -> dict[str, Any]:
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _convolved(
    x: Tensor,
    kernels: Tensor,
    bias: Tensor,
    strides: tuple[int, int] = (1, 1),
    pads: Any = (0,),
    group: int = 1,
) -> Tensor:
    return functional.conv2d(x, kernels, bias, tuple(strides), pads[0], groups=group)


def _grown(x: Tensor, ends: Tensor) -> Tensor:
    channels, height, width = ends[5:].tolist()
    return functional.pad(x, (0, width, 0, height, 0, channels))


_LEARNING = ("Conv", "MatMul")
# As the networks of our recognizers use them.
_OPERATORS: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {
        "Add": torch.add,
        "AveragePool": lambda x, kernel_shape, strides: functional.avg_pool2d(
            x, kernel_shape, strides
        ),
        "Cast": lambda x, to: x.float(),
        "Clip": torch.clamp,
        "Conv": _convolved,
        "Flatten": lambda x: x.flatten(1),
        "Gather": lambda x, places, axis: x.index_select(axis, places),
        "GlobalAveragePool": lambda x: x.mean((2, 3), keepdim=True),
        "MatMul": torch.matmul,
        "MaxPool": lambda x, kernel_shape, strides: functional.max_pool2d(x, kernel_shape, strides),
        "Mul": torch.mul,
        "Pad": _grown,
        "Relu": functional.relu,
        "Sub": torch.sub,
        "Transpose": lambda x, perm: x.permute(*perm),
    }
)


def _network(teacher: Recognizer, told: Mapping[str, Any]) -> nn.Module:
    content = teacher.network() if told["fine_tuned"] else None
    if content is not None:
        return FineTuned(content)
    return SmallNetwork(told["width"], told["side"], told["mean"])
