"""Pictures in memory, in and out: arrays and Pillow's pictures."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageOps

from dartblur.faces import Image
from dartblur.images.picture import Encoding, Picture, Samples, shown

InMemory = TypeVar("InMemory", npt.NDArray[Any], Pillow.Image)
"""A picture in memory: what goes in is the kind that comes out."""

_CHANNELS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_PILLOW_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK")


def picture_of(image: npt.NDArray[Any] | Pillow.Image) -> Picture:
    """A picture in memory as one that can be searched and hidden.

    image: (H, W) or (H, W, C) uint8 or uint16 with C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and
    alpha, upright; or a picture of Pillow's, which is turned as its EXIF orientation asks.

    Raises:
        ValueError: it is of another kind.
    """
    if isinstance(image, Pillow.Image):
        return _of_pillow(image)
    if not isinstance(image, np.ndarray):
        raise ValueError(f"image must be an array or a Pillow image, not {type(image).__name__}")  # noqa: TRY004 - as for every other kind
    channels = 1 if image.ndim == 2 else image.shape[-1]
    if image.ndim not in (2, 3) or channels not in _CHANNELS or 0 in image.shape:
        raise ValueError(
            f"image must have shape (H, W) or (H, W, C) with 1 to 4 channels, not {image.shape}"
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"image must be uint8 or uint16, not {image.dtype}")
    mode = _CHANNELS[channels]
    return _picture(image.reshape(image.shape[:2]) if mode == "L" else image, mode)


def as_given(safe: Picture, image: InMemory) -> InMemory:
    """What became of a picture, as the same kind of thing that `image` was."""
    if isinstance(image, Pillow.Image):
        return _to_pillow(safe, image)
    return safe.samples.reshape(image.shape)


def _of_pillow(image: Pillow.Image) -> Picture:
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return _picture(np.array(image).astype(np.uint16), "L")
    if image.mode not in _PILLOW_MODES:
        raise ValueError(f"image of Pillow's mode {image.mode!r}: convert it to RGB first")
    # A transparent colour is seen through, so that the cover would be too.
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        image = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    if image.mode == "1":
        image = image.convert("L")
    palette = _palette(image) if image.mode == "P" else None
    return _picture(np.array(image), image.mode, palette)


def _picture(samples: Samples, mode: str, palette: Image | None = None) -> Picture:
    encoding = Encoding("PNG")
    rgb, dynamic_range = shown(samples, mode, palette, encoding)
    return Picture(rgb, samples, mode, encoding, palette=palette, dynamic_range=dynamic_range)


def _to_pillow(safe: Picture, image: Pillow.Image) -> Pillow.Image:
    """Without `info`: it may hold a thumbnail, a place and a name."""
    if safe.palette is not None:
        out = Pillow.fromarray(safe.samples, "P")
        out.putpalette(safe.palette.tobytes())
        return out
    out = Pillow.fromarray(safe.samples)
    if safe.mode == "CMYK":
        out = Pillow.frombytes("CMYK", (safe.size[1], safe.size[0]), safe.samples.tobytes())
    # Dithering would carry the change beyond the boxes.
    return out.convert("1", dither=Pillow.Dither.NONE) if image.mode == "1" else out


def _palette(image: Pillow.Image) -> Image:
    """(256, 3); unused entries repeat the first colour, so that none is chosen that it lacks."""
    colours = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    return np.concatenate([colours, np.repeat(colours[:1], 256 - len(colours), axis=0)])
