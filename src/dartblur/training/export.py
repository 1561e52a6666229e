"""A trained window generator as ONNX, for the runtime without torch."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch

from dartblur import toml
from dartblur.training import checkpoint
from dartblur.training.config import TrainingConfig
from dartblur.training.run import make_generator


def export(run: Path, target: Path) -> None:
    """Writes the averaged generator of the run's checkpoint as ONNX with a dynamic batch.

    Raises:
        TrainingError: there is no checkpoint, or it is damaged.
    """
    content = checkpoint.read(run / checkpoint.NAME)
    config = toml.build(TrainingConfig, checkpoint.listed(content["config"]), str(run))
    net, _ = make_generator(config.generator)
    net.load_state_dict(content["average"])
    export_window(net, config.generator.size, target)


def export_window(net: torch.nn.Module, size: int, target: Path) -> None:
    """Writes a window generator of `size` cells as ONNX: windows, log_size → change."""
    net = net.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    example = (torch.zeros(2, 3, size, size), torch.zeros(2))
    many = torch.export.Dim("windows", min=1)
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        net,
        example,
        str(target),
        input_names=["windows", "log_size"],
        output_names=["change"],
        dynamic_shapes={"windows": {0: many}, "log_size": {0: many}},
        opset_version=18,
        external_data=False,
        dynamo=True,
        verbose=False,
    )
    _without_traces(target)


def _without_traces(path: Path) -> None:
    """Drops what the exporter notes about source files of this machine."""
    model = onnx.load(path)
    model.ClearField("metadata_props")
    graph = model.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.save(model, path)
