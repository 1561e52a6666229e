"""A batch for the generator, and g(x, b) made from it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from dartblur.losses.multibox import Targets


class Batch(NamedTuple):
    """B crops with N face windows; P pixels lie in a face.

    What one window gives to one pixel is a fragment; S fragments, more than P where boxes overlap.
    """

    clear: Tensor  # (B, 3, H, W) float, 0 to 255
    blurred: Tensor  # (B, 3, H, W) float, 0 to 255
    windows: Tensor  # (N, 3, S, S) float, 0 to 255
    log_size: Tensor  # (N,) float
    seed: Tensor  # (N,) int64, of their noise
    pixel: Tensor  # (P,) int64: index of a face pixel among B · H · W
    fragment: Tensor  # (S,) int64: which of the P pixels it paints, rising
    owner: Tensor  # (S,) int64: the window that paints it
    place: Tensor  # (S, 2) float: x, y in that window, in cells
    share: Tensor  # (S,) float: of the window in the pixel; a pixel's add up to 1
    labels: Targets
    found: Targets
    names: tuple[str, ...]

    def blended(self, fragments: Tensor) -> Tensor:
        """The face pixels from the values of all fragments, (S, C), by their shares: (P, C)."""
        pixels = fragments.new_zeros(len(self.pixel), fragments.shape[1])
        return pixels.index_add(0, self.fragment, self.share[:, None] * fragments)

    def fragments_of(self, image: Tensor) -> Tensor:
        """The values of an image, (B, C, H, W), in the pixels of all fragments: (S, C)."""
        flat = image.permute(0, 2, 3, 1).reshape(-1, image.shape[1])
        return flat[self.pixel[self.fragment]]

    def face_weights(self, size: tuple[int, int]) -> Tensor:
        """How far each place of an h × w level counts, (B, 1, h, w): faces alike, in all 1."""
        b, _, height, width = self.clear.shape
        area = self.share.new_zeros(len(self.windows)).index_add(0, self.owner, self.share)
        each = self.blended((1 / area.clamp(min=1))[self.owner][:, None])[:, 0]
        whole = each.new_zeros(b * height * width).index_copy(0, self.pixel, each)
        pooled = functional.adaptive_avg_pool2d(whole.view(b, 1, height, width), size)
        return pooled / pooled.sum().clamp(min=1e-12)


class Composite(NamedTuple):
    """A batch with a generator's change in the faces."""

    image: Tensor  # (B, 3, H, W) float: g(x, b)
    change: Tensor  # (P, 3) float: g(x, b) − h(x, b) in the face pixels

    def leaf(self, batch: Batch) -> Composite:
        """The same picture without the generator's graph: gradients end at its pixels."""
        image = self.image.detach().requires_grad_()
        flat, base = (x.permute(0, 2, 3, 1).reshape(-1, 3) for x in (image, batch.blurred))
        return Composite(image, flat[batch.pixel] - base[batch.pixel])


def composite_windows(generator: nn.Module, batch: Batch) -> Composite:
    """g(x, b) = h(x, b) + the window generator's change, inside the boxes alone."""
    changes = generator(batch.windows, batch.log_size, batch.seed)
    scale = changes.shape[-1] / batch.windows.shape[-1]
    place = (batch.place + 0.5) * scale - 0.5
    change = sample(changes, batch.owner, place)
    # Kept within the range before they are mixed, as at runtime.
    values = (_under(batch)[batch.fragment] + change).clamp(0, 255)
    return _composed(batch, batch.blended(values), batch.blended(change))


def mask_of(batch: Batch) -> Tensor:
    """b: 1 inside the boxes, 0 elsewhere, (B, 1, H, W)."""
    one = batch.blurred[:, :1]
    return torch.zeros_like(one).flatten().index_fill(0, batch.pixel, 1).view_as(one)


def composite_frame(generator: nn.Module, batch: Batch) -> Composite:
    """g(x, b) = x ⊙ (1 − b) + g~(h(x, b), b) ⊙ b with a full-frame generator."""
    whole = generator(batch.blurred, mask_of(batch), only_inside=True)  # (B, 3, H, W), 0 to 255
    values = whole.permute(0, 2, 3, 1).reshape(-1, 3)[batch.pixel]
    under = _under(batch)
    change = values - under
    return _composed(batch, (under + change).clamp(0, 255), change)


def _under(batch: Batch) -> Tensor:
    """h(x, b) in the face pixels, (P, 3)."""
    return batch.blurred.permute(0, 2, 3, 1).reshape(-1, 3)[batch.pixel]


def _composed(batch: Batch, values: Tensor, change: Tensor) -> Composite:
    """The blurred pictures with these values, (P, 3), in the face pixels."""
    b, _, h, w = batch.blurred.shape
    flat = batch.blurred.permute(0, 2, 3, 1).reshape(-1, 3)
    image = flat.index_copy(0, batch.pixel, values)
    return Composite(image.view(b, h, w, 3).permute(0, 3, 1, 2), change.expand(-1, 3))


def sample(changes: Tensor, owner: Tensor, place: Tensor) -> Tensor:
    """Bilinear values of windows (N, C, S, S) at P places, clamped to the edge: (P, C)."""
    _, channels, side, _ = changes.shape
    place = place.clamp(0, side - 1)
    low = place.floor().long().clamp(max=side - 2)
    part = place - low
    flat = changes.permute(0, 2, 3, 1).reshape(-1, channels)
    corner = (owner * side + low[:, 1]) * side + low[:, 0]
    x, y = part[:, :1], part[:, 1:]
    top = flat[corner] * (1 - x) + flat[corner + 1] * x
    bottom = flat[corner + side] * (1 - x) + flat[corner + side + 1] * x
    return top * (1 - y) + bottom * y
