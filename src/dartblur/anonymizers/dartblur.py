"""DartBlur: a blur that detectors can still read, painted by a small generator."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np

from dartblur import boxes as boxlib
from dartblur.anonymizers import frames
from dartblur.anonymizers.base import has_colour
from dartblur.anonymizers.blur import Blur
from dartblur.anonymizers.frames import FrameGeometry
from dartblur.anonymizers.generator_file import GeneratorMetadata, read_metadata
from dartblur.anonymizers.windows import WindowGeometry, Windows, blend_weights, extract
from dartblur.boxes import IntArray
from dartblur.errors import ConfigError
from dartblur.faces import Faces, FloatArray, Image
from dartblur.onnx_runtime import DEFAULT_DEVICE, Inputs, Maps, Network

_FOLDER = Path(__file__).parent / "weights"
GENERATORS: Mapping[str, Path] = MappingProxyType(
    {name: _FOLDER / f"dartblur-{name}.onnx" for name in ("soft", "wide", "compact")}
)
"""The generators of this package by name; each file has its model card beside it."""
WEIGHTS = GENERATORS["soft"]
"""The one that is used where nothing else is asked for."""
# More at a time are no faster, and take memory.
_BATCH = 8
# Of a generator of windows, with noise or without, and of one of full frames.
_INPUTS = ({"windows", "log_size", "seed"}, {"windows", "log_size"}, {"blurred", "mask"})


@dataclass(frozen=True)
class Dartblur:
    """Adds the generator's change to the blur h(x, b), inside the boxes only.

    weights: an ONNX file made by `dartblur export`: a generator of face windows or of full frames.
    threads: of the network, 0 for as many as there are cores. blur: h(x, b); None for the one that
    the generator learned on, which its file names. device: that it runs on, see `onnx_runtime`.

    Raises:
        ConfigError: the weights cannot be loaded, or are no generator's that this version can use.
    """

    weights: Path = WEIGHTS
    threads: int = 1
    blur: Blur | None = None
    device: str = DEFAULT_DEVICE

    def __post_init__(self) -> None:
        _load(self.weights, self.threads, self.device)

    @property
    def metadata(self) -> GeneratorMetadata:
        """What the file says of itself."""
        return _load(self.weights, self.threads, self.device)[1]

    def __call__(self, image: Image, faces: Faces) -> Image:
        """See `Anonymizer`."""
        return self.paint((self.blur or self.metadata.blur)(image, faces), faces)

    def paint(self, blurred: Image, faces: Faces) -> Image:
        """The generator's part alone, on a picture (H, W, 3) uint8 in which faces are blurred."""
        boxes = boxlib.to_pixels(faces.boxes, *blurred.shape[:2])
        network, metadata = _load(self.weights, self.threads, self.device)
        if isinstance(metadata.geometry, WindowGeometry):
            windows = extract(blurred, boxes, metadata.geometry, faces.tracks)
            painted = _paint_windows(network, blurred, windows)
        else:
            painted = _paint_frames(network, metadata.geometry, blurred, boxes)
        if not any(has_colour(cut) for cut in _cuts(blurred, boxes)):
            # A black-and-white picture that is kept in three channels stays one.
            for cut in _cuts(painted, boxes):
                cut[:] = np.rint(cut.mean(axis=2, keepdims=True)).astype(np.uint8)
        return painted


def add_changes(blurred: Image, windows: Windows, changes: FloatArray) -> Image:
    """A copy of `blurred` with each window's change, (N, 1 or 3, S, S), stretched over its box.

    Where boxes overlap, each one's change fades towards its own border: one passes into the other.
    """
    out = blurred.copy()
    for i, (box, region, change) in enumerate(
        zip(windows.boxes, windows.regions, changes, strict=True)
    ):
        x1, y1, x2, y2 = (int(v) for v in box)
        left, top = x1 - int(region[0]), y1 - int(region[1])
        size = (int(region[2] - region[0]), int(region[3] - region[1]))
        spread = cv2.resize(change.transpose(1, 2, 0), size, interpolation=cv2.INTER_LINEAR)
        # OpenCV drops the last axis where it has length 1.
        spread = np.asarray(spread, np.float32).reshape(size[1], size[0], -1)
        here = spread[top : top + y2 - y1, left : left + x2 - x1]
        painted = np.clip(blurred[y1:y2, x1:x2] + here, 0, 255)
        share = blend_weights(box, windows.boxes[:i])
        if share is not None:
            before = out[y1:y2, x1:x2]
            painted = before + share[..., None] * (painted - before)
        out[y1:y2, x1:x2] = np.rint(painted).astype(np.uint8)
    return out


def _cuts(image: Image, boxes: IntArray) -> Iterator[Image]:
    return (image[y1:y2, x1:x2] for x1, y1, x2, y2 in boxes)


def _paint_windows(network: Network, blurred: Image, windows: Windows) -> Image:
    if len(windows.boxes) == 0:
        return blurred
    return add_changes(blurred, windows, _changes(network, windows))


def _paint_frames(
    network: Network, geometry: FrameGeometry, blurred: Image, boxes: IntArray
) -> Image:
    out = blurred.copy()
    for frame in frames.extract(blurred, boxes, geometry):
        seen = frame.pixels.astype(np.float32)
        inputs = {
            "blurred": np.ascontiguousarray(seen.transpose(2, 0, 1)[None]),
            "mask": frame.mask[None, None].astype(np.float32),
        }
        painted = _only(network(inputs))[0]
        frames.add_change(out, blurred, frame, painted.transpose(1, 2, 0) - seen)
    return out


def _changes(network: Network, windows: Windows) -> FloatArray:
    # By size: a batch of small faces alone costs less.
    order = np.argsort(windows.log_size, kind="stable")
    parts = []
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        inputs: Inputs = {
            "windows": windows.pixels[batch].astype(np.float32),
            "log_size": windows.log_size[batch],
            "seed": windows.seed[batch],
        }
        parts.append(_only(network({name: inputs[name] for name in network.inputs})))
    return np.concatenate(parts)[np.argsort(order)]


def _only(maps: Maps) -> FloatArray:
    [output] = maps.values()
    return output


@functools.lru_cache(maxsize=4)
def _load(weights: Path, threads: int, device: str) -> tuple[Network, GeneratorMetadata]:
    """The network of a generator's file, and what the file says of itself."""
    network = Network(weights, threads, device)
    inputs = network.inputs
    if set(inputs) not in _INPUTS:
        raise ConfigError(
            f"{weights}: not a generator of this package (its inputs are "
            f"{', '.join(sorted(inputs))}); give a file made by dartblur export"
        )
    metadata = read_metadata(weights, network.metadata)
    geometry = metadata.geometry
    if isinstance(geometry, WindowGeometry):
        fits = "windows" in inputs and inputs["windows"][2:] == (geometry.size, geometry.size)
    else:
        fits = "blurred" in inputs
    if not fits:
        raise ConfigError(
            f"{weights}: its metadata ({geometry}) and its inputs contradict each other; "
            "export it again with dartblur export"
        )
    return network, metadata
