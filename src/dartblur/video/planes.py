"""Frames as FFmpeg has them: planes of luma and chroma, perhaps rotated, perhaps 10 bits deep.

Only what lies under a face is ever converted to RGB and back; all other samples are handed on as
they were decoded.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from dartblur import boxes as boxlib
from dartblur.anonymizers.base import Anonymizer
from dartblur.boxes import IntArray
from dartblur.faces import Faces, Image
from dartblur.video.colour import colour_of
from dartblur.video.orientation import Orientation

Plane = npt.NDArray[Any]
CONTEXT = 0.25
"""How much picture around a box the anonymizer is shown, as a share of the box's sides."""


def upright_picture(frame: av.VideoFrame, orientation: Orientation) -> Image:
    """What people see, (H, W, 3) RGB."""
    return np.ascontiguousarray(orientation.upright(colour_of(frame).to_rgb(frame)))


def hide(
    frame: av.VideoFrame, faces: Faces, orientation: Orientation, anonymizer: Anonymizer
) -> None:
    """Hides faces in a writable frame of planar format; samples outside the boxes stay.

    faces: in pixels of the upright picture. Boxes are widened to whole samples of chroma.
    """
    height, width = frame.height, frame.width
    upright = (width, height) if orientation.swap else (height, width)
    whole = boxlib.to_pixels(faces.boxes, *upright)
    keep = boxlib.area(whole) > 0
    boxes = _snapped(orientation.boxes_to_coded(whole[keep], *upright), frame)
    colour = colour_of(frame)
    planes = plane_arrays(frame)
    # Every crop is taken before the first is painted: each cover is made from the clear picture.
    painted, faces = [], faces[keep]
    for crop, group in _groups(boxes, frame):
        its = faces[np.array(group)]
        pixels = _painted(frame, crop, boxes[group], its, orientation, anonymizer)
        painted.append((crop, group, pixels))
    for crop, group, pixels in painted:
        safe = plane_arrays(colour.from_rgb(pixels, frame.format.name))
        for box in boxes[group]:
            _paste(planes, safe, box, crop)


def _painted(
    frame: av.VideoFrame,
    crop: IntArray,
    boxes: IntArray,
    faces: Faces,
    orientation: Orientation,
    anonymizer: Anonymizer,
) -> Image:
    """The crop, (h, w, 3) RGB as coded, with its faces hidden."""
    part = _cut(frame, crop)
    rgb = colour_of(frame).to_rgb(part)
    picture = np.ascontiguousarray(orientation.upright(rgb))
    inside = boxes - np.tile(crop[:2], 2)
    there = orientation.boxes_to_upright(inside, *picture.shape[:2])
    return orientation.coded(anonymizer(picture, faces.with_boxes(there.astype(np.float32))))


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
