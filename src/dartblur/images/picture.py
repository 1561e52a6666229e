"""A picture: what the detectors see, and the samples it was stored in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.boxes import Shape, mask
from dartblur.faces import Faces, Image
from dartblur.images.dynamic_range import DynamicRange, composite_over, used_range

Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


# Values that lie no further apart than this draw nothing.
_ONE_COLOUR = 16


@dataclass(frozen=True)
class Encoding:
    """How a picture was stored, as far as it is to be stored so again.

    format: Pillow's name. lossless: of a format that knows both. options: further arguments of
    Pillow's encoder (a JPEG's quantization tables, a TIFF's compression).
    """

    format: str
    lossless: bool = True
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Metadata:
    """What travels with a picture, already without thumbnails and orientation.

    icc: the colour profile; always kept, like `colour_chunks` (a PNG's gAMA, cHRM, sRGB, cICP) and
    `dpi`. The rest only on request: exif and xmp packets, IPTC records, comment, a PNG's texts.
    """

    icc: bytes | None = None
    colour_chunks: tuple[tuple[bytes, bytes], ...] = ()
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    comment: bytes | None = None
    texts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Picture:
    """One upright picture.

    rgb: (H, W, 3) uint8, in the picture's own colour space; see `dynamic_range`.
    samples: what it was stored in: (H, W) or (H, W, C), uint8 or uint16, upright too.
    mode: Pillow's name of what the samples are: L, LA, P, RGB, RGBA or CMYK.
    palette: (256, 3) uint8 where mode is P.
    dynamic_range: which part of its samples' range `rgb` shows; None is all of it.
    warnings: how the file was damaged, where it was read all the same.
    orientation: EXIF's, 1 to 8, by which the stored samples were turned to stand upright.
    """

    rgb: Image
    samples: Samples
    mode: str
    encoding: Encoding
    metadata: Metadata = Metadata()
    palette: Image | None = None
    dynamic_range: DynamicRange | None = None
    warnings: tuple[str, ...] = ()
    orientation: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.rgb.shape[0], self.rgb.shape[1]

    @property
    def views(self) -> tuple[Image, ...]:
        """Every way in which people may see the picture, each (H, W, 3) uint8; `rgb` is the first.

        One, mostly. With the range that is not in use where there is such; over white and over
        black where it is not opaque. Where alpha alone draws, it draws in black on white and in
        white on black: in another colour it is the same picture, or its negative.
        """
        views = [self.rgb]
        if self.dynamic_range:
            views.append(_eight_bits(to_colour(self.samples, self.mode, self.palette)))
        alpha = alpha_of(self.samples, self.mode, self.encoding)
        if alpha is not None and not (alpha == _full(alpha)).all():
            flat = np.ptp(self.rgb, axis=(0, 1)).max() <= _ONE_COLOUR
            for ground in (255, 0):
                paint = np.full_like(self.rgb, 255 - ground) if flat else self.rgb
                views += _views_of(composite_over(paint, alpha, _full(alpha), ground))
        return tuple(views)

    def hidden(self, rgb: Image, faces: Faces, shape: Shape = "box") -> Picture:
        """The picture with the boxes of `faces` taken from `rgb`, opaque; all else is as it was.

        rgb: (H, W, 3) uint8, what an anonymizer made of `self.rgb`. shape: what it changed of the
        boxes.
        """
        inside = mask(faces.boxes, *self.size, shape)
        if not inside.any():
            return replace(self, rgb=rgb)
        samples = self.samples.copy()
        colour = samples
        if self.mode in ("LA", "RGBA"):
            # A face may be drawn in alpha alone.
            samples[inside, -1] = _full(samples)
            colour = samples[..., :-1]
        colour[inside] = _from_rgb(rgb[inside], self)
        return replace(self, rgb=rgb, samples=samples)


def shown(
    samples: Samples, mode: str, palette: Image | None, encoding: Encoding
) -> tuple[Image, DynamicRange | None]:
    """A picture's `rgb` and `dynamic_range`."""
    colour = to_colour(samples, mode, palette)
    alpha = alpha_of(samples, mode, encoding)
    # What lies under full transparency, mostly a plain white, says nothing of the range.
    visible = colour if alpha is None or not (alpha == 0).any() else colour[alpha > 0]
    dynamic_range = used_range(visible if visible.size else colour, _full(colour))
    return (
        dynamic_range.to_8_bits(colour) if dynamic_range else _eight_bits(colour)
    ), dynamic_range


def to_colour(samples: Samples, mode: str, palette: Image | None = None) -> Samples:
    """The (H, W, 3) RGB of samples, in their own depth."""
    values: npt.NDArray[Any] = samples
    if mode in ("L", "LA"):
        grey = values if mode == "L" else values[..., 0]
        return np.repeat(grey[..., None], 3, axis=2)
    if mode == "P":
        assert palette is not None
        return np.asarray(palette[samples], np.uint8)
    if mode == "CMYK":
        ink = 255 - samples.astype(np.uint16)
        return ((ink[..., :3] * ink[..., 3:] + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(values[..., :3])


def alpha_of(samples: Samples, mode: str, encoding: Encoding) -> Samples | None:
    """How opaque each pixel is, (H, W) in the samples' depth; None where the picture has no say."""
    if mode in ("LA", "RGBA"):
        last: npt.NDArray[Any] = samples[..., -1]
        return last
    transparent = encoding.options.get("transparency")
    if mode == "P" and transparent is not None:
        return np.where(samples == transparent, 0, 255).astype(np.uint8)
    return None


def _views_of(colour: npt.NDArray[np.uint16]) -> list[Image]:
    """(H, W, 3) 16-bit colour as it is, and where it is flat with the range in use."""
    dynamic_range = used_range(colour, _full(colour))
    return [
        each.to_8_bits(colour) for each in (DynamicRange(0, _full(colour)), dynamic_range) if each
    ]


def _eight_bits(colour: Samples) -> Image:
    return (colour >> 8).astype(np.uint8) if colour.dtype == np.uint16 else colour.astype(np.uint8)


def _full(samples: Samples) -> int:
    return int(np.iinfo(samples.dtype).max)


def _from_rgb(pixels: Image, picture: Picture) -> Samples:
    """(N, 3) uint8 pixels in the picture's own samples without alpha, (N,) or (N, C)."""
    mode = picture.mode
    if mode in ("L", "LA"):
        grey = cv2.cvtColor(pixels[None], cv2.COLOR_RGB2GRAY)[0]
        stored = _in_depth(np.asarray(grey, np.uint8), picture)
        return stored if mode == "L" else stored[:, None]
    stored = _in_depth(pixels, picture)
    if mode == "P":
        assert picture.palette is not None
        return _nearest(
            stored.astype(np.uint8), picture.palette, picture.encoding.options.get("transparency")
        )
    if mode == "CMYK":
        return np.concatenate([255 - stored, np.zeros_like(stored[:, :1])], axis=1)
    return stored


def _in_depth(colour: Image, picture: Picture) -> Samples:
    """What is seen as `colour`, in the depth and the range of the picture's samples."""
    dtype = picture.samples.dtype
    if picture.dynamic_range:
        return picture.dynamic_range.from_8_bits(colour, dtype)
    return colour.astype(np.uint16) * 257 if dtype == np.uint16 else colour


def _nearest(pixels: Image, palette: Image, transparent: int | None = None) -> Image:
    """Indices (N,) of the palette's nearest colours, but never the transparent one's."""
    colours, back = np.unique(pixels, axis=0, return_inverse=True)
    index = np.empty(len(colours), np.uint8)
    for start in range(0, len(colours), 4096):
        part = colours[start : start + 4096].astype(np.int32)
        distance = ((part[:, None] - palette[None].astype(np.int32)) ** 2).sum(2)
        if transparent is not None:
            distance[:, transparent] = np.iinfo(np.int32).max
        index[start : start + 4096] = distance.argmin(1)
    return index[back.reshape(-1)]
