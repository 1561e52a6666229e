"""A picture: what the detectors see, and the samples it was stored in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.boxes import Shape, mask
from dartblur.faces import Faces

Image = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


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

    rgb: (H, W, 3) uint8, in the picture's own colour space.
    samples: what it was stored in: (H, W) or (H, W, C), uint8 or uint16, upright too.
    mode: Pillow's name of what the samples are: L, LA, P, RGB, RGBA or CMYK.
    palette: (256, 3) uint8 where mode is P.
    """

    rgb: Image
    samples: Samples
    mode: str
    encoding: Encoding
    metadata: Metadata = Metadata()
    palette: Image | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.rgb.shape[0], self.rgb.shape[1]

    def hidden(self, rgb: Image, faces: Faces, shape: Shape = "box") -> Picture:
        """The picture with the boxes of `faces` taken from `rgb` and every other sample as it was.

        rgb: (H, W, 3) uint8, what an anonymizer made of `self.rgb`. shape: what it changed of the
        boxes.
        """
        inside = mask(faces.boxes, *self.size, shape)
        samples = self.samples.copy()
        # A view of the colour alone: the last channel of LA and RGBA, alpha, stays.
        colour = samples[..., :-1] if self.mode in ("LA", "RGBA") else samples
        colour[inside] = _from_rgb(rgb[inside], self)
        return replace(self, rgb=rgb, samples=samples)


def to_rgb(samples: Samples, mode: str, palette: Image | None = None) -> Image:
    """The (H, W, 3) uint8 view of samples; 16-bit ones lose their lower byte in it."""
    if samples.dtype == np.uint16:
        samples = (samples >> 8).astype(np.uint8)
    if mode in ("L", "LA"):
        grey = samples if mode == "L" else samples[..., 0]
        return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    if mode == "P":
        assert palette is not None
        return palette[samples]
    if mode == "CMYK":
        ink = 255 - samples.astype(np.uint16)
        return ((ink[..., :3] * ink[..., 3:] + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(samples[..., :3], np.uint8)


def _from_rgb(pixels: Image, picture: Picture) -> Samples:
    """(N, 3) uint8 pixels in the picture's own samples without alpha, (N,) or (N, C)."""
    mode = picture.mode
    if mode == "P":
        assert picture.palette is not None
        return _nearest(pixels, picture.palette, picture.encoding.options.get("transparency"))
    colour: npt.NDArray[Any] = pixels
    if mode in ("L", "LA"):
        colour = cv2.cvtColor(pixels[None], cv2.COLOR_RGB2GRAY)[0][:, None]
    if mode == "CMYK":
        colour = np.concatenate([255 - pixels, np.zeros_like(pixels[:, :1])], axis=1)
    if picture.samples.dtype == np.uint16:
        colour = colour.astype(np.uint16) * 257
    return np.asarray(colour[:, 0] if mode == "L" else colour)


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
