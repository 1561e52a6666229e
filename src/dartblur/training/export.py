"""A trained generator as ONNX, for the runtime without torch."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import onnx
import torch
from cyclopts import Parameter
from torch import Tensor

from dartblur.anonymizers.frames import FrameGeometry
from dartblur.anonymizers.generator_file import GeneratorMetadata
from dartblur.errors import TrainingError
from dartblur.files import write_atomically
from dartblur.nets.window import SMALL, WindowGenerator
from dartblur.training import checkpoint
from dartblur.training.provenance import record
from dartblur.training.run import make_generator


def export(run: Path, out: Annotated[Path, Parameter(alias="-o")]) -> None:
    """Writes the generator of a training as ONNX, for `dartblur anonymize --weights`.

    Parameters
    ----------
    run
        The folder of a training, with its checkpoint.
    out
        The ONNX file to write.

    Raises:
        TrainingError: there is no checkpoint, it is damaged, or the file cannot be written.
    """
    content = checkpoint.read(run / checkpoint.NAME)
    config = checkpoint.config_of(content, run)
    net, _ = make_generator(config.generator)
    net.load_state_dict(content["average"])
    training = record(asdict(config), content["round"], content["origin"])
    if isinstance(net, WindowGenerator):
        windows = GeneratorMetadata(config.blur, config.generator.geometry, training)
        export_window(net, windows, out)
    else:
        frames = GeneratorMetadata(config.blur, FrameGeometry(config.data.image_size), training)
        export_frame(net, frames, out)
    print(
        f"wrote {out}: the generator after {content['round']} rounds; "
        f"dartblur anonymize --weights {out}",
        file=sys.stderr,
    )


class _Window(torch.nn.Module):
    """A window generator that does the work of larger faces only where there is one."""

    def __init__(self, net: WindowGenerator) -> None:
        super().__init__()
        self.net = net

    def forward(self, windows: Tensor, log_size: Tensor, seed: Tensor) -> Tensor:
        base, features, noise = self.net.trunk(windows, log_size, seed)
        larger = (log_size > SMALL).any()
        ways = self.net.head, self.net.head_small
        change: Tensor = torch.cond(larger, *ways, (base, features, noise, log_size))
        return change


def export_window(net: WindowGenerator, metadata: GeneratorMetadata, target: Path) -> None:
    """Writes a window generator: windows, log_size, seed → change; any batch.

    A batch of small faces alone costs less.
    """
    size = net.size
    example = {
        "windows": torch.zeros(2, 3, size, size),
        "log_size": torch.zeros(2),
        "seed": torch.zeros(2, dtype=torch.int64),
    }
    many = torch.export.Dim("windows", min=1)
    shapes = {name: {0: many} for name in example}
    model = traced(_Window(net), example, ["change"], shapes)
    write(model, target, metadata.properties())


def export_frame(net: torch.nn.Module, metadata: GeneratorMetadata, target: Path) -> None:
    """Writes a full-frame generator: blurred, mask → painted; any batch, height and width."""
    # Sides that are no multiple of 32, lest the padding be traced away.
    example = {"blurred": torch.zeros(2, 3, 70, 99), "mask": torch.ones(2, 1, 70, 99)}
    any_size = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    model = traced(net, example, ["painted"], dict.fromkeys(example, any_size))
    write(model, target, metadata.properties())


def traced(
    net: torch.nn.Module,
    example: Mapping[str, Tensor],
    outputs: Sequence[str],
    shapes: dict[str, dict[int, Any]],
) -> onnx.ModelProto:
    """The net as ONNX, without what the exporter notes about source files of this machine."""
    net = net.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    with _without_the_exporter_s_notes():
        program = torch.onnx.export(
            net,
            tuple(example.values()),
            input_names=list(example),
            output_names=list(outputs),
            dynamic_shapes=shapes,
            opset_version=18,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    model.ClearField("metadata_props")
    _clear(model.graph)
    return model


@contextmanager
def _without_the_exporter_s_notes() -> Iterator[None]:
    """It tells of operators of packages that no generator uses, and of its own future."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)


def _clear(graph: onnx.GraphProto) -> None:
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _clear(attribute.g)


def write(model: onnx.ModelProto, target: Path, properties: Mapping[str, str]) -> None:
    """Writes a model with metadata properties.

    Raises:
        TrainingError: the file cannot be written.
    """
    for key, value in properties.items():
        model.metadata_props.add(key=key, value=value)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, model.SerializeToString())
    except OSError as error:
        raise TrainingError(
            f"{target}: cannot be written ({error.strerror}); make room or give another path"
        ) from error
