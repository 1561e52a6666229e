"""The paper's recovery: a network of the generator's structure that paints the clear face back.

ḡ(g(x, b), b) = g(x, b) ⊙ (1 − b) + ḡ~(g(x, b)) ⊙ b, where ḡ~ is the paper's U-Net, trained with
smooth L1 in the boxes on anonymized and clear photos of other people.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dartblur.anonymizers.dartblur import add_changes
from dartblur.anonymizers.windows import WindowGeometry, Windows, extract
from dartblur.boxes import IntArray
from dartblur.faces import Image
from dartblur.nets.unet import FrameGenerator
from dartblur.privacy.config import Recovery
from dartblur.privacy.rounds import rounds
from dartblur.privacy.views import Scene
from dartblur.training.detector import Schedule

_FULL = 127.5
# Differences of less count squared: some 13 of 255.
_BETA = 0.1


class Pair(NamedTuple):
    """One face to learn from: (3, S, S) uint8 each, and the mask of its box, (1, S, S) bool."""

    hidden: Tensor
    clear: Tensor
    mask: Tensor


def pair(scene: Scene, side: int) -> Pair:
    """A scene's box with its margin, as the network sees it and as it should paint it."""
    geometry, box = WindowGeometry(side), scene.hidden_box[None]
    hidden = extract(scene.hidden, box, geometry)
    clear = extract(scene.clear, box, geometry)
    return Pair(
        torch.from_numpy(hidden.pixels[0]), torch.from_numpy(clear.pixels[0]), _mask(hidden, side)
    )


def train(
    pairs: Sequence[Pair], settings: Recovery, seed: int, until: int, before: Path | None, to: Path
) -> None:
    """Trains up to the round `until` of `settings.rounds`, and writes all that goes on from there.

    before: what an earlier call wrote.
    """
    torch.manual_seed(seed)
    network = FrameGenerator(settings.width)
    optimizer = torch.optim.Adam(network.parameters(), settings.learning_rate)
    schedule = Schedule(settings.learning_rate, settings.rounds, warm_up=0)
    for number in rounds(network, optimizer, schedule, until, before):
        hidden, clear, mask = _batch(pairs, settings.batch, (seed, number))
        painted = network(hidden, mask.float())
        each = functional.smooth_l1_loss(
            painted / _FULL, clear / _FULL, reduction="none", beta=_BETA
        )
        loss = (each * mask).sum() / (3 * mask.sum()).clamp(min=1)
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


def _batch(
    pairs: Sequence[Pair], size: int, seed: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden and clear faces, half of them mirrored, and masks: by the seed alone."""
    rng = np.random.default_rng(seed)
    chosen = [pairs[i] for i in rng.integers(len(pairs), size=size)]
    flips = rng.random(size) < 0.5
    hidden, clear, mask = (
        torch.stack([p[k].flip(-1) if f else p[k] for p, f in zip(chosen, flips, strict=True)])
        for k in range(3)
    )
    return hidden.float(), clear.float(), mask
