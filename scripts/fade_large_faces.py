"""Makes of a generator of face windows one that paints large faces faintly.

    python scripts/fade_large_faces.py GENERATOR.onnx -o FADED.onnx [--whole 91] [--faint 181]
        [--least 0.35]

What it paints weighs 1 in boxes of a mean side of up to --whole pixels and --least from --faint
pixels on, linearly in the logarithm between. Nothing is trained, and nothing else changes: the fade
is a factor at the end of the graph. The metadata say so under `training`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from math import log2
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from dartblur.anonymizers.generator_file import KEY

# Of boxes the graph is told log2 of the mean side over this.
UNIT = 32


def faded(content: bytes, whole: float, faint: float, least: float) -> bytes:
    """The ONNX file of the faded generator; whole, faint: mean sides of boxes in pixels."""
    model = onnx.load_from_string(content)
    graph = model.graph
    last = next(node for node in graph.node if "change" in node.output)
    last.output[list(last.output).index("change")] = "painted"
    slope = (1 - least) / log2(faint / whole)
    values = {
        "fade_whole": np.float32(log2(whole / UNIT) + 1 / slope),
        "fade_slope": np.float32(slope),
        "fade_least": np.float32(least),
        "fade_most": np.float32(1),
        "fade_axes": np.array([1, 2, 3], np.int64),
    }
    graph.initializer.extend(numpy_helper.from_array(np.asarray(v), k) for k, v in values.items())
    graph.node.extend(
        [
            helper.make_node("Sub", ["fade_whole", "log_size"], ["fade_left"]),
            helper.make_node("Mul", ["fade_left", "fade_slope"], ["fade_share"]),
            helper.make_node("Clip", ["fade_share", "fade_least", "fade_most"], ["fade_clipped"]),
            helper.make_node("Unsqueeze", ["fade_clipped", "fade_axes"], ["fade"]),
            helper.make_node("Mul", ["painted", "fade"], ["change"]),
        ]
    )
    [entry] = [entry for entry in model.metadata_props if entry.key == KEY]
    told = json.loads(entry.value)
    told["training"]["faded"] = {
        "whole": whole,
        "faint": faint,
        "least": least,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    entry.value = json.dumps(told, ensure_ascii=False)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("generator", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--whole", type=float, default=91)
    parser.add_argument("--faint", type=float, default=181)
    parser.add_argument("--least", type=float, default=0.35)
    options = parser.parse_args()
    sizes = options.whole, options.faint
    if not (0 < sizes[0] < sizes[1] and 0 <= options.least < 1):
        parser.error("--whole must be more than 0 and less than --faint, --least in 0..1")
    content = faded(options.generator.read_bytes(), *sizes, options.least)
    options.out.write_bytes(content)
    print(f"{hashlib.sha256(content).hexdigest()}  {options.out.name}")


if __name__ == "__main__":
    main()
