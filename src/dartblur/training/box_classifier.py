"""The second stage of a detector, trained on the first one's mistakes, to an ONNX file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
from cyclopts import Parameter
from torch import Tensor, nn
from torch.nn import functional

from dartblur import boxes as boxlib
from dartblur.boxes import Boxes
from dartblur.config_file import read_config
from dartblur.datasets import format_with_faces
from dartblur.datasets.labelled import LabelledImage, read_labelled
from dartblur.detectors import make_detector
from dartblur.detectors.ensemble import Ensemble
from dartblur.detectors.second_stage import BOX, SIDE, crops
from dartblur.errors import ConfigError, TrainingError
from dartblur.faces import BoolArray, Faces, FloatArray, Image, Sample
from dartblur.nets.box_classifier import BoxClassifier
from dartblur.training import checkpoint
from dartblur.training.box_classifier_config import BoxClassifierTraining
from dartblur.training.detector import Schedule
from dartblur.training.export import traced, write
from dartblur.training.provenance import provenance
from dartblur.training.teacher import found_by

# Of the crops that are kept: a batch is cut out of them, off the middle by up to half of the rest.
KEPT = SIDE + 8
# A proposal shows a face from the one on, and none up to the other: intersection over union with a
# label.
_FACE, _NONE = 0.4, 0.05
# Labels of less height are left out, in pixels.
_SMALLEST = 6
# Squares of an image that nobody proposed.
_RANDOM = 4
_SMOOTHING = 0.05


def train_classifier(
    *,
    config: Path,
    data: Path,
    out: Annotated[Path, Parameter(alias="-o")],
    settings: Annotated[BoxClassifierTraining | None, Parameter(name="*", show=False)] = None,
) -> None:
    """Trains the second stage of a detector on a data set, and writes it as ONNX.

    Parameters
    ----------
    config
        The TOML file of a `BoxClassifierTraining`: configs/box-classifier.toml. Each of its fields
        is an option too, which goes before the file: --steps 500.
    data
        The root of a data set with a split "train"; its format is found by its layout.
    out
        Gets the proposals, which a further run takes up, and box_classifier.onnx.
    settings
        What the command line made of the file and of its own options; default: what the file says.

    Raises:
        ConfigError: the configuration is wrong.
        TrainingError: there is nothing to learn from.
        PictureError: an image of the data set cannot be read.
    """
    settings = settings or read_config(BoxClassifierTraining, config)
    torch.set_num_threads(settings.threads)
    checkpoint.prepare(out, resume=True)
    samples = list(format_with_faces(data).read(data, "train"))
    if settings.photos and settings.photos < len(samples):
        chosen = np.linspace(0, len(samples) - 1, settings.photos).round().astype(int)
        samples = [samples[i] for i in chosen]
    learned, measured = gather(samples, settings, out, data)
    if not learned.faces.any() or learned.faces.all():
        raise TrainingError(
            f"{data}: split train gives {len(learned.faces)} boxes, {learned.faces.sum()} of them "
            "faces; give labelled images with faces and without"
        )
    torch.manual_seed(settings.seed)
    net = BoxClassifier()
    for step, loss in enumerate(fit(net, learned, settings), 1):
        if step % 100 == 0 or step == settings.steps:
            print(f"{step}/{settings.steps} loss {loss:.3f}", flush=True)
    area = area_under_curve(logits(net, measured), measured.faces)
    print(f"{len(measured.faces)} boxes of other images: area under the curve {area:.4f}")
    told = {
        "settings": json.dumps(asdict(settings)),
        "origin": json.dumps(provenance(data, samples)),
    }
    export_classifier(net, out / "box_classifier.onnx", told)


class Crops(NamedTuple):
    """pixels: (N, 64, 64, 3) uint8 RGB. heights: (N,) of the boxes. faces: (N,) what they show."""

    pixels: Image
    heights: FloatArray
    faces: BoolArray


def gather(
    samples: Sequence[Sample], settings: BoxClassifierTraining, out: Path, root: Path
) -> tuple[Crops, Crops]:
    """What is learned from and what is measured on. out: keeps the proposals. root: of the data."""
    proposer = _Proposals(settings.detector, settings.least, settings.threads)
    rng = np.random.default_rng(settings.seed)
    parts: tuple[list[Crops], list[Crops]] = ([], [])
    for turn, side in enumerate(settings.image_sizes):
        mine = samples[turn :: len(settings.image_sizes)]
        proposed = found_by(proposer, mine, side, out, root)
        for k, (sample, proposals) in enumerate(zip(mine, proposed, strict=True)):
            labelled = read_labelled(sample, side)
            boxes, faces = judged(labelled, proposals, settings, rng)
            heights = boxes[:, 3] - boxes[:, 1]
            held_out = k % settings.held_out == settings.held_out - 1
            parts[held_out].append(Crops(crops(labelled.image, boxes, KEPT), heights, faces))
    learned, measured = (_joined(part) for part in parts)
    return learned, measured


class _Proposals:
    """A detector's first stage alone, as a teacher."""

    def __init__(self, name: str, least: float, threads: int) -> None:
        detector = make_detector(name, threads=threads)
        if not isinstance(detector, Ensemble):
            raise ConfigError(f"detector: {name!r} proposes no boxes; choose an ensemble")
        self._propose, self._least = detector.propose, least

    def __call__(self, images: Sequence[Image]) -> list[Faces]:
        return [self._propose(image, self._least) for image in images]


def judged(
    image: LabelledImage,
    proposals: Faces,
    settings: BoxClassifierTraining,
    rng: np.random.Generator,
) -> tuple[FloatArray, BoolArray]:
    """Boxes (N, 4) of an image and whether each shows a face; the doubtful are left out."""
    labels = image.faces
    real = labels[~labels.ignore]
    height, width = image.image.shape[:2]
    sides = np.exp(rng.uniform(np.log(8), np.log(max(0.6 * min(height, width), 9)), _RANDOM))
    corners = rng.uniform(0, 1, (_RANDOM, 2)) * np.maximum([width, height] - sides[:, None], 0)
    squares = np.concatenate([corners, corners + sides[:, None]], 1).astype(np.float32)
    found = proposals.boxes[_best(proposals.boxes, real.boxes) > _FACE]
    large = real.boxes[real.boxes[:, 3] - real.boxes[:, 1] >= _SMALLEST]
    none = proposals.boxes[proposals.scores < settings.sure]
    none = none[_best(none, labels.boxes) < _NONE]
    none = none[np.sort(rng.permutation(len(none))[: settings.negatives])]
    squares = squares[_best(squares, labels.boxes) < _NONE]
    boxes = np.concatenate([found, large, none, squares]).astype(np.float32)
    return boxes, np.arange(len(boxes)) < len(found) + len(large)


def _best(boxes: Boxes, labels: Boxes) -> FloatArray:
    best: FloatArray = boxlib.iou(boxes, labels).max(axis=1, initial=0).astype(np.float32)
    return best


def _joined(parts: Sequence[Crops]) -> Crops:
    if not parts:
        return Crops(
            np.zeros((0, KEPT, KEPT, 3), np.uint8), np.zeros(0, np.float32), np.zeros(0, bool)
        )
    return Crops(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def fit(net: BoxClassifier, learned: Crops, settings: BoxClassifierTraining) -> Iterator[float]:
    """Trains the net in place; yields the loss of each update."""
    net.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(net.parameters(), lr=settings.rate, weight_decay=1e-2)
    schedule = Schedule(settings.rate, settings.steps, settings.warm_up)
    rng = np.random.default_rng((settings.seed, 1))
    # Half of a batch shows faces: in most images other boxes are many more.
    share = np.where(learned.faces, 1 / learned.faces.sum(), 1 / (~learned.faces).sum()) / 2
    for step in range(settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = schedule.at(step)
        chosen = rng.choice(len(share), settings.batch, p=share)
        pixels = augmented(learned.pixels[chosen], rng)
        faces = torch.from_numpy(learned.faces[chosen].astype(np.float32))
        wanted = faces * (1 - 2 * _SMOOTHING) + _SMOOTHING
        logit = net(pixels, torch.from_numpy(learned.heights[chosen]))
        loss = functional.binary_cross_entropy_with_logits(logit, wanted)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield loss.item()


def augmented(kept: Image, rng: np.random.Generator) -> Tensor:
    """(N, 3, 56, 56) of 0 to 255 and a little beyond: moved, mirrored, in other light, grey."""
    many = len(kept)
    places = rng.integers(0, KEPT - SIDE + 1, (many, 2))
    cut = [p[y : y + SIDE, x : x + SIDE] for p, (y, x) in zip(kept, places, strict=True)]
    cut = [
        p[:, ::-1] if mirror else p for p, mirror in zip(cut, rng.random(many) < 0.5, strict=True)
    ]
    values = np.stack(cut).astype(np.float32)
    grey = rng.random(many) < 0.1
    values[grey] = values[grey].mean(axis=3, keepdims=True)
    contrast = rng.normal(1, 0.3, many).clip(0.4, 1.8)
    light = rng.normal(0, 20, many)
    values = (values - 128) * contrast[:, None, None, None] + 128 + light[:, None, None, None]
    return _images(values)


def logits(net: BoxClassifier, shown: Crops) -> FloatArray:
    """(N,) of the middles of the crops."""
    net.eval()
    edge = (KEPT - SIDE) // 2
    parts = [np.zeros(0, np.float32)]
    with torch.inference_mode():
        for start in range(0, len(shown.faces), 512):
            some = slice(start, start + 512)
            pixels = _images(shown.pixels[some, edge : edge + SIDE, edge : edge + SIDE])
            parts.append(net(pixels, torch.from_numpy(shown.heights[some])).numpy())
    return np.concatenate(parts)


def _images(pixels: np.ndarray) -> Tensor:
    images = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float()
    return images.contiguous(memory_format=torch.channels_last)


def area_under_curve(values: FloatArray, positive: BoolArray) -> float:
    """How often a random positive value is above a random other one; NaN without either."""
    order = np.argsort(np.argsort(values)) + 1
    yes = int(positive.sum())
    no = len(values) - yes
    if not yes or not no:
        return float("nan")
    return float((order[positive].sum() - yes * (yes + 1) / 2) / (yes * no))


class _Uint8(nn.Module):
    """(N, 56, 56, 3) uint8 and heights → logits."""

    def __init__(self, net: BoxClassifier) -> None:
        super().__init__()
        self.net = net

    def forward(self, crops: Tensor, heights: Tensor) -> Tensor:
        logit: Tensor = self.net(crops.permute(0, 3, 1, 2).float(), heights)
        return logit


def export_classifier(net: BoxClassifier, target: Path, told: dict[str, str]) -> None:
    """Writes the net for `detectors.second_stage`. told: what goes into the file's metadata.

    Raises:
        TrainingError: the file cannot be written.
    """
    example = {
        "crops": torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8),
        "heights": torch.full((2,), float(BOX)),
    }
    many = torch.export.Dim("boxes", min=1)
    shapes = {name: {0: many} for name in example}
    write(traced(_Uint8(net), example, ["logits"], shapes), target, told)
