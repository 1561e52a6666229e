"""A WIDER FACE data set of drawn faces, and values for the nets, made by the test."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def make(root: Path, count: int = 6, side: int = 96) -> Path:
    """Pictures with one or two drawn faces each, in split "train"; the last has none."""
    rng = np.random.default_rng(0)
    images = root / "WIDER_train" / "images" / "0--Drawn"
    images.mkdir(parents=True)
    lines = []
    for i in range(count):
        picture = rng.integers(60, 200, 3).astype(np.uint8) * np.ones((side, side, 3), np.uint8)
        boxes = [] if i == count - 1 else [(10 + 2 * i, 20, 30, 36), (55, 40, 20, 24)][: 1 + i % 2]
        for x, y, w, h in boxes:
            _face(picture, x, y, w, h)
        name = f"0--Drawn/{i}.png"
        cv2.imwrite(str(images / f"{i}.png"), picture)
        rows = [f"{x} {y} {w} {h} 0 0 0 0 0 0" for x, y, w, h in boxes] or ["0 0 0 0 0 0 0 0 0 0"]
        lines += [name, str(len(boxes)), *rows]
    split = root / "wider_face_split"
    split.mkdir()
    (split / "wider_face_train_bbx_gt.txt").write_text("\n".join(lines) + "\n")
    return root


def _face(picture: np.ndarray, x: int, y: int, w: int, h: int) -> None:
    middle = (x + w // 2, y + h // 2)
    cv2.ellipse(picture, middle, (w // 2, h // 2), 0, 0, 360, (140, 170, 220), -1)
    for side in (-1, 1):
        cv2.circle(picture, (middle[0] + side * w // 5, y + 2 * h // 5), 2, (30, 30, 30), -1)
    cv2.line(picture, (x + w // 3, y + 3 * h // 4), (x + 2 * w // 3, y + 3 * h // 4), (40, 40, 160))
