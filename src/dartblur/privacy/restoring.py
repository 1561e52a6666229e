"""The stages of the recovery: it is trained on other people, and judged on those who are judged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from dartblur.faces import Image
from dartblur.privacy.config import Recovery
from dartblur.privacy.people import Photo
from dartblur.privacy.recognizers import Recognizer
from dartblur.privacy.views import Hiding, Photographer, Scene
from dartblur.privacy.work import PROCESS_MIB, VERSION, loaded_recognizer
from dartblur.stages.stage import fields_of

if TYPE_CHECKING:
    from torch import nn

EVERY = 200
"""Rounds of one stage of a training: a run that is stopped goes on from the last of these."""
_ROWS = 8
# Pixels around a box that its SSIM looks at.
_REACH = 8


@dataclass(frozen=True)
class Train:
    """Trains up to a round. Inputs: boxes of the photos, null where none is, with a recognizer its
    vectors of the clear photos, and what was trained.

    photos: of other people. recognizer: whose loss is a part of that of the training, "" for none.
    """

    root: Path
    photos: tuple[Photo, ...]
    hiding: Hiding
    size: int
    settings: Recovery
    seed: int
    until: int
    recognizer: str = ""

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        from dartblur.privacy.recovery import Identity, look, pair, train  # needs PyTorch

        boxes = json.loads(inputs[0].read_text())
        take, side = Photographer(self.root, self.hiding, self.size), self.settings.side
        # Made anew by each of these stages: clear faces are kept in no file.
        scenes = {
            i: take(photo, np.array(box, np.float32))
            for i, (photo, box) in enumerate(zip(self.photos, boxes, strict=True))
            if box is not None
        }
        pairs = [pair(scene, side) for scene in scenes.values()]
        identity = None
        if self.recognizer:
            teacher, vectors = loaded_recognizer(self.recognizer), np.load(inputs[1])
            looks = [look(scene, side, teacher, vectors[i]) for i, scene in scenes.items()]
            identity = Identity(_network(teacher), looks)
        before = inputs[1 + bool(self.recognizer) :]
        train(
            pairs, self.settings, self.seed, self.until, before[0] if before else None, target,
            identity,
        )  # fmt: skip

    def dependencies(self) -> dict[str, Any]:
        """See `Work`."""
        fields = fields_of(self, without=("root", "photos", "hiding"))
        del fields["settings"]["methods"]
        return fields | self.hiding.dependencies() | {"version": VERSION}

    def cost(self) -> float:
        """See `Work`."""
        own = self.settings
        seconds = 1.7e-5 * own.side**2 * max(own.width, 0.25) + 0.05 * bool(self.recognizer)
        return 0.05 * len(self.photos) + seconds * own.batch * min(self.until, EVERY)

    def memory(self) -> float:
        """See `Work`."""
        return 3 * PROCESS_MIB


@dataclass(frozen=True)
class _OfProbes:
    """What is made of the judged people's probes. Inputs: boxes of the photos, and the network."""

    root: Path
    photos: tuple[Photo, ...]
    hiding: Hiding
    size: int

    def restored(
        self, inputs: Sequence[Path], people: int = 0
    ) -> Iterator[tuple[int, Scene, Image]]:
        """Index, scene and painted-back picture of each.

        people: of so many people, one probe of each; 0 for all of all.
        """
        from dartblur.privacy.recovery import Restorer  # needs PyTorch

        restore = Restorer(inputs[1])
        first: dict[str, int] = {}
        found = json.loads(inputs[0].read_text())
        take = Photographer(self.root, self.hiding, self.size)
        for i, photo in enumerate(self.photos):
            if photo.gallery or photo.group != "judged":
                continue
            if people and (photo.person in first or len(first) == people):
                continue
            first[photo.person] = i
            scene = take(photo, np.array(found[i], np.float32))
            yield i, scene, restore(scene.hidden, scene.hidden_box)

    def dependencies(self) -> dict[str, Any]:
        """See `Work`."""
        fields = fields_of(self, without=("root", "hiding"))
        return fields | self.hiding.dependencies() | {"version": VERSION}

    def memory(self) -> float:
        """See `Work`."""
        return 2 * PROCESS_MIB


@dataclass(frozen=True)
class Compare(_OfProbes):
    """How near to the clear faces hidden and recovered ones are, in the boxes of the probes.

    psnr in dB, ssim up to 1, distance: 1 − cosine of a recognizer's vectors. Inputs: boxes of the
    photos, the network, embeddings of clear, hidden and recovered photos.
    """

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        near: list[tuple[tuple[float, float], tuple[float, float]]] = []
        chosen = []
        for i, scene, recovered in self.restored(inputs):
            near.append((_nearness(scene, scene.hidden), _nearness(scene, recovered)))
            chosen.append(i)
        clear, *others = (np.load(path)[chosen] for path in inputs[2:])
        told: dict[str, Any] = {"photos": len(chosen)}
        for name, values, vectors in zip(
            ("hidden", "recovered"), np.array(near).transpose(1, 2, 0), others, strict=True
        ):
            distance = 1 - (clear * vectors).sum(axis=1)
            means = (float(v.mean()) for v in (*values, distance))
            told[name] = dict(zip(("psnr", "ssim", "distance"), means, strict=True))
        target.write_text(json.dumps(told))

    def cost(self) -> float:
        """See `Work`."""
        return 0.1 * len(self.photos)


@dataclass(frozen=True)
class Sheet(_OfProbes):
    """A PNG of the first probes of some people: clear | hidden | recovered.

    Inputs: boxes of the photos, and the network.
    """

    def __call__(self, inputs: Sequence[Path], target: Path) -> None:
        """See `Work`."""
        rows: dict[str, Image] = {}
        for i, scene, recovered in self.restored(inputs, _ROWS):
            pictures = (scene.clear, scene.hidden, recovered)
            rows[self.photos[i].person] = np.concatenate(
                [_around(picture, scene, 2 * self.size) for picture in pictures], axis=1
            )
        sheet = np.concatenate(list(rows.values()))
        _, content = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
        target.write_bytes(content.tobytes())

    def cost(self) -> float:
        """See `Work`."""
        return 1.0


def _network(teacher: Recognizer) -> nn.Module:
    """The recognizer's own network, which learns nothing here; a plan refuses one without."""
    from dartblur.privacy.distillation import FineTuned  # needs PyTorch and onnx

    content = teacher.network()
    assert content is not None
    return FineTuned(content).requires_grad_(requires_grad=False)


def _nearness(scene: Scene, shown: Image) -> tuple[float, float]:
    """PSNR and SSIM inside the box."""
    from skimage.metrics import structural_similarity

    x1, y1, x2, y2 = (int(v) for v in scene.hidden_box)
    top, left = max(y1 - _REACH, 0), max(x1 - _REACH, 0)
    clear, seen = (p[top : y2 + _REACH, left : x2 + _REACH] for p in (scene.clear, shown))
    box = np.s_[y1 - top : y2 - top, x1 - left : x2 - left]
    error = np.square(clear[box].astype(np.float64) - seen[box]).mean()
    psnr = 10 * np.log10(255**2 / max(float(error), 1e-2))
    _, ssim = structural_similarity(
        clear, seen, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255,
        channel_axis=2, full=True,
    )  # fmt: skip
    return float(psnr), float(ssim[box].mean())


def _around(picture: Image, scene: Scene, side: int) -> Image:
    """The square of so many pixels around the middle of the box; what is beyond is black."""
    middle = (scene.hidden_box[:2] + scene.hidden_box[2:]) / 2
    shift = np.array([[1, 0, side / 2 - middle[0]], [0, 1, side / 2 - middle[1]]])
    return np.asarray(cv2.warpAffine(picture, shift, (side, side)), np.uint8)
