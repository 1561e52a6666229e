"""How a coded frame is turned to stand upright, by the display matrix that it carries."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType

from dartblur.boxes import IntArray
from dartblur.faces import Image


@dataclass(frozen=True)
class Orientation:
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

    def boxes_to_upright(self, boxes: IntArray, height: int, width: int) -> IntArray:
        """Boxes in the coded frame, as boxes in the upright picture of `height` by `width`."""
        x1, y1, x2, y2 = boxes.T if not self.swap else boxes[:, [1, 0, 3, 2]].T
        if self.mirror_x:
            x1, x2 = width - x2, width - x1
        if self.mirror_y:
            y1, y2 = height - y2, height - y1
        return np.stack((x1, y1, x2, y2), axis=1)


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


def orientation_of(matrix: tuple[int, ...] | None) -> Orientation:
    """The orientation, in whole quarter turns, that is nearest to a display matrix."""
    if matrix is None:
        return Orientation()
    # x' = a x + c y, y' = b x + d y
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)
