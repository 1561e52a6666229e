"""Strong augmentation for a detector: what one labelled image may also have looked like."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, exp, log, radians, sin

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.datasets.crops import Place, cut_faces
from dartblur.datasets.labelled import LabelledImage
from dartblur.faces import Faces, FloatArray, Image

GREY = (114, 114, 114)
# Beyond this nothing is gained but blur; below, whole photos become a few cells.
_SCALES = (0.05, 3.0)


@dataclass(frozen=True)
class Augmentation:
    """How strong.

    heights: range of the height in pixels that a random face of the image is brought to, log
    uniform (data-anchor sampling). rotation: largest angle in degrees. mosaic, occluder, blur,
    jpeg, dark, colour: how often each happens. smallest: faces under this height are ignored.
    """

    heights: tuple[float, float] = (7.0, 160.0)
    rotation: float = 30.0
    mosaic: float = 0.4
    occluder: float = 0.15
    blur: float = 0.2
    jpeg: float = 0.4
    dark: float = 0.2
    colour: float = 0.5
    smallest: float = 6.0

    def crop(
        self, image: LabelledImage, side: int, rng: np.random.Generator
    ) -> tuple[Image, Faces]:
        """A (side, side, 3) uint8 crop, rotated, scaled, mirrored and cut where it may cut faces.

        Faces of which less than 0.4 is left, and those under `smallest`, are ignored.
        """
        middle, scale = self._around(image, side, rng)
        angle = radians(self.rotation * float(rng.triangular(-1, 0, 1)))
        pixels, middle, scale, shrunk = _shrunk(image.image, middle, scale)
        mirror = -1.0 if rng.random() < 0.5 else 1.0
        turn = scale * np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])
        turn[:, 0] *= mirror
        shift = rng.uniform(0.1, 0.9, 2) * side - turn @ middle
        matrix = np.concatenate([turn, shift[:, None]], axis=1)
        cut = cv2.warpAffine(pixels, matrix, (side, side), borderValue=GREY)
        faces = image.faces.with_boxes(_moved(image.faces.boxes * np.float32(shrunk), matrix))
        return np.asarray(cut, np.uint8), self._judged(cut_faces(faces, Place(0, 0, side)))

    def photometric(self, pixels: Image, rng: np.random.Generator) -> Image:
        """The same place in other light, through another lens and another encoder."""
        values: npt.NDArray[np.floating] = pixels.astype(np.float32)
        if rng.random() < self.colour:
            values = values * rng.uniform(0.75, 1.3, 3) + rng.uniform(-15, 15)
            if rng.random() < 0.15:
                values = np.repeat(values.mean(2, keepdims=True), 3, axis=2)
        if rng.random() < self.dark:
            values = values.clip(0, 255) * rng.uniform(0.2, 0.8) + rng.normal(0, 6, values.shape)
        out = values.clip(0, 255).astype(np.uint8)
        if rng.random() < self.blur:
            out = np.asarray(cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.5, 2.0))), np.uint8)
        if rng.random() < self.jpeg:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))]
            out = np.asarray(cv2.imdecode(cv2.imencode(".jpg", out, quality)[1], 1), np.uint8)
        return out

    def occluded(self, pixels: Image, faces: Faces, rng: np.random.Generator) -> Image:
        """Some faces with a bar over less than half of them: a mask, a cap, a hand."""
        out = pixels.copy()
        for box in faces.boxes[rng.random(len(faces)) < self.occluder]:
            x1, y1, x2, y2 = box
            low = float(rng.choice([rng.uniform(-0.1, 0.1), rng.uniform(0.5, 0.7)]))
            top, bottom = y1 + low * (y2 - y1), y1 + (low + rng.uniform(0.2, 0.4)) * (y2 - y1)
            corners = [round(float(v)) for v in (x1, top, x2, bottom)]
            colour = tuple(int(c) for c in rng.integers(0, 256, 3))
            cv2.rectangle(out, tuple(corners[:2]), tuple(corners[2:]), colour, -1)
        return out

    def _around(
        self, image: LabelledImage, side: int, rng: np.random.Generator
    ) -> tuple[FloatArray, float]:
        """The point that comes into the crop, and the scale."""
        low, high = (log(min(h, 0.8 * side)) for h in self.heights)
        wanted = exp(rng.uniform(low, high))
        real = image.faces.boxes[~image.faces.ignore]
        if not len(real):
            height, width = image.image.shape[:2]
            point = np.array([rng.uniform(0, width), rng.uniform(0, height)], np.float32)
            return point, float(rng.uniform(0.3, 1.5))
        box = real[rng.integers(len(real))]
        scale = float(np.clip(wanted / max(box[3] - box[1], 1), *_SCALES))
        return np.asarray((box[:2] + box[2:]) / 2, np.float32), scale

    def _judged(self, faces: Faces) -> Faces:
        small = faces.boxes[:, 3] - faces.boxes[:, 1] < self.smallest
        return Faces(faces.boxes, faces.scores, faces.ignore | small)


def example(
    draw: Augmentation, images: list[LabelledImage], side: int, rng: np.random.Generator
) -> tuple[Image, Faces]:
    """One training crop: of the first image, or a mosaic of four."""
    if len(images) < 4:
        pixels, faces = draw.crop(images[0], side, rng)
    else:
        half = side // 2
        parts = [draw.crop(image, half, rng) for image in images[:4]]
        pixels = np.concatenate(
            [np.concatenate([p for p, _ in parts[row : row + 2]], 1) for row in (0, 2)], 0
        )
        corners = [(0, 0), (half, 0), (0, half), (half, half)]
        faces = Faces.concatenate(
            f.with_boxes(f.boxes + np.array(corner * 2, np.float32))
            for (_, f), corner in zip(parts, corners, strict=True)
        )
    return draw.photometric(draw.occluded(pixels, faces, rng), rng), faces


def _shrunk(
    pixels: Image, middle: FloatArray, scale: float
) -> tuple[Image, FloatArray, float, float]:
    """Far down, averages of areas first: a warp would sample single pixels."""
    if scale >= 0.7:
        return pixels, middle, scale, 1.0
    size = tuple(max(1, round(side * scale)) for side in pixels.shape[1::-1])
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small, middle * np.float32(scale), 1.0, scale


def _moved(boxes: FloatArray, matrix: npt.NDArray[np.float64]) -> FloatArray:
    """The boxes around the turned ellipses in them: corners of a face's box show no face."""
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    halves = np.sqrt(((boxes[:, 2:] - boxes[:, :2]) / 2) ** 2 @ matrix[:, :2].T ** 2)
    return np.asarray(np.concatenate([middles - halves, middles + halves], 1), np.float32)
