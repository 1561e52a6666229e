"""How the samples of a frame become RGB and back: matrix, range, pixel format."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
from av.video.format import VideoFormat

from dartblur.faces import Image

BT709, UNSPECIFIED, BT601 = 1, 2, 5
LIMITED, FULL = 1, 2


@dataclass(frozen=True)
class Colour:
    """How the samples of a film are to be read: FFmpeg's numbers of matrix and range."""

    space: int
    range: int

    def to_rgb(self, frame: av.VideoFrame) -> Image:
        """The frame as coded, (H, W, 3) RGB."""
        rgb = frame.reformat(
            format="rgb24",
            src_colorspace=self.space,
            dst_colorspace=self.space,
            src_color_range=self.range,
            dst_color_range=FULL,
            interpolation="BILINEAR",
        )
        return np.asarray(rgb.to_ndarray(), np.uint8)

    def from_rgb(self, picture: Image, pixel_format: str) -> av.VideoFrame:
        """A picture, (H, W, 3) RGB, as a frame of that pixel format."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        return frame.reformat(
            format=pixel_format,
            src_colorspace=self.space,
            dst_colorspace=self.space,
            src_color_range=FULL,
            dst_color_range=self.range,
        )


def colour_of(frame: av.VideoFrame) -> Colour:
    """A frame's colour; where it does not say, what its size and pixel format suggest."""
    # FFmpeg's scaler numbers its matrices as frames do, but for BT.601 in its younger name.
    space = {6: BT601, UNSPECIFIED: BT709 if frame.height >= 720 else BT601}.get(
        frame.colorspace, frame.colorspace
    )
    if space not in (1, 4, 5, 7, 9):
        space = 9 if space in (10, 14) else BT601
    full = frame.color_range == FULL or frame.format.name.startswith("yuvj")
    return Colour(space, FULL if full or frame.format.is_rgb else LIMITED)


def converted(frame: av.VideoFrame, pixel_format: str) -> av.VideoFrame:
    """The frame in another pixel format, in the same colours; itself where that is its own."""
    if frame.format.name == pixel_format:
        return frame
    colour = colour_of(frame)
    out = VideoFormat(pixel_format)
    becomes_yuv = frame.format.is_rgb and not out.is_rgb
    space = BT709 if becomes_yuv else colour.space
    full = out.is_rgb or pixel_format.startswith("yuvj") or not becomes_yuv
    spread = colour.range if full else LIMITED
    new = frame.reformat(
        format=pixel_format,
        src_colorspace=colour.space,
        dst_colorspace=space,
        src_color_range=colour.range,
        dst_color_range=FULL if out.is_rgb else spread,
    )
    if becomes_yuv:
        new.colorspace, new.color_range = BT709, spread
    return new


def in_samples(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame itself, or, where its pixels are numbers of a palette, in RGB."""
    return frame.reformat(format="rgb24") if frame.format.has_palette else frame
