"""Frames as FFmpeg has them: planes of luma and chroma, perhaps turned, perhaps 10 bits deep.

Only what lies under a face is ever converted to RGB and back; all other samples are handed on as
they were decoded.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import Type as SideDataType
from av.video.format import VideoFormat

from dartblur import boxes as boxlib
from dartblur.anonymizers.base import Anonymizer
from dartblur.boxes import IntArray
from dartblur.faces import Faces, Image

Plane = npt.NDArray[Any]
Sketch = npt.NDArray[np.float32]

BT709, UNSPECIFIED, BT601 = 1, 2, 5
LIMITED, FULL = 1, 2
CONTEXT = 0.25
"""How much picture around a box the anonymizer is shown, as a share of the box's sides."""


@dataclass(frozen=True)
class Turn:
    """How a coded frame becomes an upright picture: rows and columns swapped, then mirrored."""

    swap: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    def upright(self, coded: Image) -> Image:
        """The picture as people see it, (H, W, 3); a view."""
        picture = coded.swapaxes(0, 1) if self.swap else coded
        return picture[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]

    def coded(self, upright: Image) -> Image:
        """The way back; a view."""
        picture = upright[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]
        return picture.swapaxes(0, 1) if self.swap else picture

    def boxes_to_coded(self, boxes: IntArray, height: int, width: int) -> IntArray:
        """Boxes in the upright picture of `height` by `width`, as boxes in the coded frame."""
        x1, y1, x2, y2 = boxes.T
        if self.mirror_x:
            x1, x2 = width - x2, width - x1
        if self.mirror_y:
            y1, y2 = height - y2, height - y1
        order = (y1, x1, y2, x2) if self.swap else (x1, y1, x2, y2)
        return np.stack(order, axis=1)


def side_data(frame: av.VideoFrame, kind: SideDataType) -> bytes | None:
    """What a frame carries of one kind beside its samples."""
    try:
        # The stub knows one kind only.
        return bytes(frame.side_data[kind])  # type: ignore[literal-required]
    except KeyError:
        return None


def display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """The nine numbers that say how a frame is to be shown, or None where it is as it is."""
    data = side_data(frame, SideDataType.DISPLAYMATRIX)
    return None if data is None else struct.unpack("=9i", data)


def turn_of(matrix: tuple[int, ...] | None) -> Turn:
    """The turn by whole quarters that is nearest to a display matrix."""
    if matrix is None:
        return Turn()
    # x' = a x + c y, y' = b x + d y
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Turn(False, a < 0, d < 0)
    return Turn(True, c < 0, b < 0)


@dataclass(frozen=True)
class Colour:
    """How the samples of a film are to be read: FFmpeg's numbers of matrix and range."""

    space: int
    range: int

    def to_rgb(self, frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
        """The frame as 8-bit RGB of that size."""
        return frame.reformat(
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=self.space,
            dst_colorspace=self.space,
            src_color_range=self.range,
            dst_color_range=FULL,
            interpolation="AREA" if width < frame.width else "BILINEAR",
        )

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


def upright_picture(frame: av.VideoFrame, turn: Turn, area: int | None = None) -> Image:
    """What people see, (H, W, 3) RGB; larger frames are shrunk to `area` pixels."""
    scale = min(1.0, sqrt(area / (frame.width * frame.height))) if area else 1.0
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    rgb = np.asarray(colour_of(frame).to_rgb(frame, width, height).to_ndarray(), np.uint8)
    return np.ascontiguousarray(turn.upright(rgb))


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


def luma_sketch(frame: av.VideoFrame) -> Sketch:
    """A coarse look at a frame's first plane: enough to see a cut of scene."""
    return sketch_of(plane_arrays(frame)[0], 2 ** frame.format.components[0].bits - 1)


def sketch_of(plane: Plane, most: int) -> Sketch:
    """A coarse look at samples in 0..most, (H, W): (18, 32) in 0..1."""
    step = max(1, min(plane.shape) // 144)
    sample = np.ascontiguousarray(plane[::step, ::step]).astype(np.float32)
    sketch = cv2.resize(sample, (32, 18), interpolation=cv2.INTER_AREA)
    return np.asarray(sketch / most, np.float32)


def hide(frame: av.VideoFrame, faces: Faces, turn: Turn, anonymizer: Anonymizer) -> None:
    """Hides faces in a writable frame of planar format; samples outside the boxes stay.

    faces: in pixels of the upright picture. Boxes are widened to whole samples of chroma.
    """
    height, width = frame.height, frame.width
    upright = (width, height) if turn.swap else (height, width)
    whole = boxlib.to_pixels(faces.boxes, *upright)
    keep = boxlib.area(whole) > 0
    boxes = _snapped(turn.boxes_to_coded(whole[keep], *upright), frame)
    colour = colour_of(frame)
    planes = plane_arrays(frame)
    # Every crop is taken before the first is painted: each cover is made from the clear picture.
    painted = [
        (
            crop,
            group,
            _painted(frame, crop, boxes[group], faces[keep][np.array(group)], turn, anonymizer),
        )
        for crop, group in _groups(boxes, frame)
    ]
    for crop, group, pixels in painted:
        safe = plane_arrays(colour.from_rgb(pixels, frame.format.name))
        for box in boxes[group]:
            _paste(planes, safe, box, crop)


def _painted(
    frame: av.VideoFrame,
    crop: IntArray,
    boxes: IntArray,
    faces: Faces,
    turn: Turn,
    anonymizer: Anonymizer,
) -> Image:
    """The crop, (h, w, 3) RGB as coded, with its faces hidden."""
    part = _cut(frame, crop)
    rgb = np.asarray(colour_of(frame).to_rgb(part, part.width, part.height).to_ndarray(), np.uint8)
    picture = np.ascontiguousarray(turn.upright(rgb))
    inside = boxes - np.tile(crop[:2], 2)
    there = _boxes_to_upright(inside, turn, *picture.shape[:2])
    return turn.coded(anonymizer(picture, faces.with_boxes(there.astype(np.float32))))


def _boxes_to_upright(boxes: IntArray, turn: Turn, height: int, width: int) -> IntArray:
    x1, y1, x2, y2 = boxes.T if not turn.swap else boxes[:, [1, 0, 3, 2]].T
    if turn.mirror_x:
        x1, x2 = width - x2, width - x1
    if turn.mirror_y:
        y1, y2 = height - y2, height - y1
    return np.stack((x1, y1, x2, y2), axis=1)


def _snapped(boxes: IntArray, frame: av.VideoFrame) -> IntArray:
    """Boxes in whole samples of chroma, within the frame."""
    step = np.array(_chroma_step(frame) * 2)
    limit = np.array([frame.width, frame.height] * 2)
    low = boxes[:, :2] // step[:2] * step[:2]
    high = -(-boxes[:, 2:] // step[2:]) * step[2:]
    snapped: IntArray = np.minimum(np.concatenate([low, high], axis=1), limit)
    return snapped


def _groups(boxes: IntArray, frame: av.VideoFrame) -> list[tuple[IntArray, list[int]]]:
    """Crops of the frame, and the boxes in each: boxes that may touch go together."""
    reach = ((boxes[:, 2:] - boxes[:, :2]) * CONTEXT).astype(np.int64) + 4
    wide = np.concatenate([boxes[:, :2] - reach, boxes[:, 2:] + reach], axis=1)
    wide[:, :2] = np.maximum(wide[:, :2], 0)
    groups = [(box, [i]) for i, box in enumerate(_snapped(wide, frame))]
    while True:
        pair = next((p for p in combinations(groups, 2) if _meet(p[0][0], p[1][0])), None)
        if pair is None:
            return groups
        (one, its), (other, others) = pair
        union = np.concatenate([np.minimum(one[:2], other[:2]), np.maximum(one[2:], other[2:])])
        groups = [g for g in groups if g is not pair[0] and g is not pair[1]]
        groups.append((union, sorted(its + others)))


def _meet(one: IntArray, other: IntArray) -> bool:
    return bool((one[:2] < other[2:]).all() and (other[:2] < one[2:]).all())


def _chroma_step(frame: av.VideoFrame) -> list[int]:
    """Pixels across and down that one sample of chroma stands for."""
    pixel_format = frame.format
    if len(pixel_format.components) < 3:
        return [1, 1]
    return [
        64 // (pixel_format.chroma_width(64) or 64),
        64 // (pixel_format.chroma_height(64) or 64),
    ]


def _cut(frame: av.VideoFrame, crop: IntArray) -> av.VideoFrame:
    part = av.VideoFrame(int(crop[2] - crop[0]), int(crop[3] - crop[1]), frame.format.name)
    for target, source in zip(plane_arrays(part), plane_arrays(frame), strict=True):
        x, y = _shrink(source, frame)
        left, top = crop[0] // x, crop[1] // y
        target[:] = source[top : top + target.shape[0], left : left + target.shape[1]]
    return part


def _paste(planes: list[Plane], safe: list[Plane], box: IntArray, crop: IntArray) -> None:
    for target, source in zip(planes, safe, strict=True):
        x, y = -(-planes[0].shape[1] // target.shape[1]), -(-planes[0].shape[0] // target.shape[0])
        x1, y1, x2, y2 = box[0] // x, box[1] // y, -(-box[2] // x), -(-box[3] // y)
        left, top = crop[0] // x, crop[1] // y
        target[y1:y2, x1:x2] = source[y1 - top : y2 - top, x1 - left : x2 - left]


def _shrink(plane: Plane, frame: av.VideoFrame) -> tuple[int, int]:
    return -(-frame.width // plane.shape[1]), -(-frame.height // plane.shape[0])


def plane_arrays(frame: av.VideoFrame) -> list[Plane]:
    """Views of a planar frame's planes, (h, w) uint8 or uint16 each."""
    dtype = np.dtype("<u2" if frame.format.components[0].bits > 8 else "u1")
    return [
        np.frombuffer(memoryview(plane), dtype).reshape(
            plane.height, plane.line_size // dtype.itemsize
        )[:, : plane.width]
        for plane in frame.planes
    ]
