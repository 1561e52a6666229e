"""A recognizer that needs no package: a face is its mean colour."""

import numpy as np

from dartblur.boxes import Boxes
from dartblur.faces import FloatArray, Image


class Brightness:
    """A recognizer of brightness and of colour: three means, from the middle of an upright box."""

    side = 24

    def align(self, image: Image, box: Boxes) -> FloatArray:
        x1, y1, x2, y2 = (float(v) for v in box)
        x, y = (x2 - x1) / self.side, (y2 - y1) / self.side
        return np.array([[x, 0, x1 + x / 2 - 0.5], [0, y, y1 + y / 2 - 0.5]], np.float32)

    def embed(self, square: Image) -> FloatArray:
        means = square.mean(axis=(0, 1))
        return np.asarray(means / np.linalg.norm(means), np.float32)

    def network(self) -> bytes:
        import onnx

        nodes = [
            onnx.helper.make_node("Cast", ["squares"], ["a"], to=onnx.TensorProto.FLOAT),
            onnx.helper.make_node("Transpose", ["a"], ["b"], perm=[0, 3, 1, 2]),
            onnx.helper.make_node("GlobalAveragePool", ["b"], ["c"]),
            onnx.helper.make_node("Flatten", ["c"], ["vectors"]),
        ]
        ends = [
            onnx.helper.make_tensor_value_info(name, kind, None)
            for name, kind in (("squares", onnx.TensorProto.UINT8), ("vectors", 1))
        ]
        graph = onnx.helper.make_graph(nodes, "brightness", ends[:1], ends[1:])
        return bytes(onnx.helper.make_model(graph).SerializeToString())
