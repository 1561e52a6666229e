"""A sheet of pictures: clear, blurred and generated, with the boxes that f finds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor

from dartblur.errors import TrainingError
from dartblur.faces import Image
from dartblur.training.compositing import Batch, Composite
from dartblur.training.reference import Reference

_COLOUR = (255, 220, 0)


def write_sheet(
    path: Path, batch: Batch, composite: Composite, reference: Reference, most: int = 8
) -> None:
    """Writes a PNG with a row for each of the first `most` crops: clear | blur | g(x, b).

    Raises:
        TrainingError: it cannot be written.
    """
    columns = []
    for images in (batch.clear, batch.blurred, composite.image.detach()):
        shown = images[:most]
        found = reference.detect(shown, threshold=0.5)
        columns.append([_drawn(i, f.boxes) for i, f in zip(shown, found, strict=True)])
    rows = [np.concatenate(row, axis=1) for row in zip(*columns, strict=True)]
    sheet = np.concatenate(rows)
    done, content = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.tobytes() if done else b"")
    except OSError as error:
        raise TrainingError(f"{path}: cannot be written ({error.strerror}); make room") from error


def _drawn(image: Tensor, boxes: npt.NDArray[np.float32]) -> Image:
    pixels = image.round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
    canvas = np.ascontiguousarray(pixels)
    for x1, y1, x2, y2 in boxes.round().astype(int).tolist():
        cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), _COLOUR, 1)
    return canvas
