"""The paper's recovery: a network of the generator's structure that paints the clear face back.

ḡ(g(x, b), b) = g(x, b) ⊙ (1 − b) + ḡ~(g(x, b)) ⊙ b, where ḡ~ is the paper's U-Net, trained with
smooth L1 in the boxes on anonymized and clear photos of other people and, where it is asked for,
with what a recognizer says of the painted face.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from dartblur.anonymizers.dartblur import add_changes
from dartblur.anonymizers.windows import WindowGeometry, Windows, extract
from dartblur.boxes import IntArray
from dartblur.faces import FloatArray, Image
from dartblur.nets.unet import FrameGenerator
from dartblur.privacy.config import Recovery
from dartblur.privacy.recognizers import Recognizer
from dartblur.privacy.rounds import rounds
from dartblur.privacy.views import Scene
from dartblur.privacy.work import placed, square_of
from dartblur.training.detector import Schedule

_FULL = 127.5
# Differences of less count squared: some 13 of 255.
_BETA = 0.1


class Pair(NamedTuple):
    """One face to learn from: (3, S, S) uint8 each, and the mask of its box, (1, S, S) bool."""

    hidden: Tensor
    clear: Tensor
    mask: Tensor


class Look(NamedTuple):
    """How a recognizer looks at a face that is painted.

    square: its own of the hidden photo, (3, s, s) uint8. place: where that lies in the window,
    (2, 3); places of both are from -1 to 1. vector: what it says of the clear face, (D,).
    """

    square: Tensor
    place: Tensor
    vector: Tensor


class Identity:
    """The recognizer's loss of painted faces: 1 − the cosine of its vectors of the painted and of
    the clear face, both taken from the mean of all faces.

    network: the recognizer's, from (B, s, s, 3), 0 to 255, to (B, D). looks: one for each pair.
    """

    def __init__(self, network: Callable[[Tensor], Tensor], looks: Sequence[Look]) -> None:
        self._network, self._looks = network, looks
        self._mean = torch.stack([look.vector for look in looks]).mean(0)

    def __call__(self, painted: Tensor, mask: Tensor, chosen: Sequence[int]) -> Tensor:
        """painted: (B, 3, S, S), 0 to 255. mask: (B, 1, S, S) of the boxes. Returns a scalar."""
        square, place, vector = (
            torch.stack(each) for each in zip(*(self._looks[i] for i in chosen), strict=True)
        )
        grid = functional.affine_grid(place, list(square.shape), align_corners=False)
        seen = functional.grid_sample(painted, grid, padding_mode="border", align_corners=False)
        inside = functional.grid_sample(mask.float(), grid, align_corners=False)
        shown = torch.lerp(square.float(), seen, inside).clamp(0, 255)
        said = self._network(shown.permute(0, 2, 3, 1)) - self._mean
        return 1 - functional.cosine_similarity(said, vector - self._mean).mean()


def look(scene: Scene, side: int, recognizer: Recognizer, vector: FloatArray) -> Look:
    """How a recognizer looks at a scene's face, aligned by the clear photo.

    side: of the window. vector: what it says of the clear face, (D,).
    """
    place = placed(scene, scene.hidden, recognizer, "clear")
    square = square_of(scene.hidden, place, recognizer)
    [region] = WindowGeometry(side).region(scene.hidden_box[None])
    # From places of -1 to 1 to pixels, whose middles are whole numbers, and back.
    pixels = np.diag([recognizer.side / 2] * 2 + [1.0])
    pixels[:2, 2] = (recognizer.side - 1) / 2
    middle, half = (region[:2] + region[2:] - 1) / 2, (region[2:] - region[:2]) / 2
    inner = place.astype(np.float64) @ pixels
    inner[:, 2] -= middle
    return Look(
        torch.from_numpy(square.transpose(2, 0, 1).copy()),
        torch.from_numpy((inner / half[:, None]).astype(np.float32)),
        torch.from_numpy(vector),
    )


def pair(scene: Scene, side: int) -> Pair:
    """A scene's box with its margin, as the network sees it and as it should paint it."""
    geometry, box = WindowGeometry(side), scene.hidden_box[None]
    hidden = extract(scene.hidden, box, geometry)
    clear = extract(scene.clear, box, geometry)
    return Pair(
        torch.from_numpy(hidden.pixels[0]), torch.from_numpy(clear.pixels[0]), _mask(hidden, side)
    )


def train(
    pairs: Sequence[Pair],
    settings: Recovery,
    seed: int,
    until: int,
    before: Path | None,
    to: Path,
    identity: Identity | None = None,
) -> None:
    """Trains up to the round `until` of `settings.rounds`, and writes all that goes on from there.

    before: what an earlier call wrote. identity: of the same faces, weighed by `settings`.
    """
    torch.manual_seed(seed)
    network = FrameGenerator(settings.width)
    optimizer = torch.optim.Adam(network.parameters(), settings.learning_rate)
    schedule = Schedule(settings.learning_rate, settings.rounds, warm_up=0)
    for number in rounds(network, optimizer, schedule, until, before):
        chosen, flips = _drawn(len(pairs), settings.batch, (seed, number))
        hidden, clear, mask = _batch([pairs[i] for i in chosen], flips)
        painted = network(hidden, mask.float())
        each = functional.smooth_l1_loss(
            painted / _FULL, clear / _FULL, reduction="none", beta=_BETA
        )
        loss = (each * mask).sum() / (3 * mask.sum()).clamp(min=1)
        if identity is not None:
            upright, box = (torch.stack(_flipped(x, flips)) for x in (painted, mask))
            loss = loss + settings.identity * identity(upright, box, chosen)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    told = {"width": settings.width, "side": settings.side, "round": until}
    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(told | state, to)


class Restorer:
    """Paints faces back by what `train` wrote."""

    def __init__(self, file: Path) -> None:
        state = torch.load(file, weights_only=True)
        self._network = FrameGenerator(state["width"]).eval()
        self._network.load_state_dict(state["network"])
        self._geometry = WindowGeometry(state["side"])

    def __call__(self, hidden: Image, box: IntArray) -> Image:
        """The picture with the face in a box, (4,) whole pixels, painted back."""
        windows = extract(hidden, box[None], self._geometry)
        shown = torch.from_numpy(windows.pixels).float()
        mask = _mask(windows, self._geometry.size)[None].float()
        with torch.inference_mode():
            change = self._network(shown, mask) - shown
        return add_changes(hidden, windows, change.numpy())


def _mask(windows: Windows, side: int) -> Tensor:
    """Of the only window: where its box lies, (1, side, side)."""
    [box], [region] = windows.boxes, windows.regions
    cells = side / (region[2:] - region[:2])
    x1, y1 = np.rint((box[:2] - region[:2]) * cells).astype(int)
    x2, y2 = np.rint((box[2:] - region[:2]) * cells).astype(int)
    mask = torch.zeros(1, side, side, dtype=torch.bool)
    mask[:, y1:y2, x1:x2] = True
    return mask


def _drawn(count: int, size: int, seed: tuple[int, int]) -> tuple[list[int], npt.NDArray[np.bool_]]:
    """Which faces of `count`, and which are mirrored, half of them: by the seed alone."""
    rng = np.random.default_rng(seed)
    return rng.integers(count, size=size).tolist(), rng.random(size) < 0.5


def _batch(pairs: Sequence[Pair], flips: npt.NDArray[np.bool_]) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden and clear faces, some of them mirrored, and masks."""
    hidden, clear, mask = (torch.stack(_flipped(each, flips)) for each in zip(*pairs, strict=True))
    return hidden.float(), clear.float(), mask


def _flipped(each: Iterable[Tensor], flips: npt.NDArray[np.bool_]) -> list[Tensor]:
    return [x.flip(-1) if flip else x for x, flip in zip(each, flips, strict=True)]
