"""Boxes of faces in and out, as COCO JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from dartblur.errors import BoxesError
from dartblur.faces import Faces
from dartblur.files import atomic_path


@dataclass(frozen=True)
class PictureBoxes:
    """The boxes of one picture file.

    file: its path inside its folder, with forward slashes. size: height and width in pixels of the
    upright picture, or None where the file does not say.
    """

    file: str
    size: tuple[int, int] | None
    faces: Faces


def write_coco(target: Path, pictures: Callable[[], Iterable[PictureBoxes]]) -> None:
    """Writes boxes as COCO JSON, in constant memory.

    pictures: called twice, since COCO lists all pictures before all boxes; gives the same twice.

    Raises:
        OSError: the file cannot be written; what was there stays.
    """
    with atomic_path(target) as part, part.open("w", encoding="utf-8") as file:
        file.write('{"info": {"description": "faces, by dartblur"},\n')
        file.write('"categories": [{"id": 1, "name": "face", "supercategory": "person"}],\n')
        file.write('"images": [')
        _write_list(file, (_image(i, p) for i, p in enumerate(pictures(), 1)))
        file.write('],\n"annotations": [')
        _write_list(file, _annotations(pictures()))
        file.write("]}\n")


def read_coco(path: Path) -> dict[str, PictureBoxes]:
    """The boxes of every picture that a COCO JSON file lists, by file name; of all categories.

    Raises:
        BoxesError: the file is not COCO JSON, a box is malformed or belongs to no picture.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise BoxesError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise BoxesError(f"{path}: cannot be read as JSON: {error}") from error
    try:
        images = {image["id"]: image for image in content["images"]}
        listed, annotations = len(content["images"]), list(content["annotations"])
    except (KeyError, TypeError) as error:
        raise BoxesError(
            f"{path}: not COCO JSON: it needs 'images' (with ids) and 'annotations'"
        ) from error
    if len(images) < listed:
        raise BoxesError(f"{path}: two images have the same id; give each its own")
    boxes: dict[Any, list[list[float]]] = {key: [] for key in images}
    scores: dict[Any, list[float]] = {key: [] for key in images}
    for number, annotation in enumerate(annotations):
        try:
            key = annotation["image_id"]
            x, y, width, height = (float(v) for v in annotation["bbox"])
            score = float(annotation.get("score", 1.0))
            boxes[key].append([x, y, x + width, y + height])
            scores[key].append(score)
        except (KeyError, TypeError, ValueError) as error:
            raise BoxesError(
                f"{path}: annotation {number} is malformed ({error!r}): it needs an image_id "
                "that is listed and a bbox of four numbers"
            ) from error
    return {
        str(image["file_name"]): _picture(path, image, boxes[key], scores[key])
        for key, image in _named(path, images)
    }


def _named(path: Path, images: dict[Any, Any]) -> Iterator[tuple[Any, Any]]:
    seen: set[str] = set()
    for key, image in images.items():
        name = image.get("file_name")
        if not isinstance(name, str) or name in seen:
            raise BoxesError(f"{path}: image {key!r} has no file_name, or one that another has too")
        seen.add(name)
        yield key, image


def _picture(
    path: Path, image: dict[str, Any], boxes: list[list[float]], scores: list[float]
) -> PictureBoxes:
    name = image["file_name"]
    size = None
    try:
        if "height" in image and "width" in image:
            size = (int(image["height"]), int(image["width"]))
        # Too large a number becomes infinite, which Faces refuses by name.
        with np.errstate(over="ignore"):
            faces = Faces(np.array(boxes, np.float32), np.array(scores, np.float32))
    except (TypeError, ValueError) as error:
        raise BoxesError(f"{path}: size or boxes of {name}: {error}") from error
    return PictureBoxes(name, size, faces)


def _image(number: int, picture: PictureBoxes) -> dict[str, Any]:
    named = {"id": number, "file_name": picture.file}
    if picture.size is None:
        return named
    return {**named, "width": picture.size[1], "height": picture.size[0]}


def _annotations(pictures: Iterable[PictureBoxes]) -> Iterator[dict[str, Any]]:
    number = 0
    for image, picture in enumerate(pictures, 1):
        for (x1, y1, x2, y2), score in zip(
            picture.faces.boxes.tolist(), picture.faces.scores.tolist(), strict=True
        ):
            number += 1
            width, height = x2 - x1, y2 - y1
            yield {
                "id": number,
                "image_id": image,
                "category_id": 1,
                "bbox": [round(v, 3) for v in (x1, y1, width, height)],
                "area": round(width * height, 3),
                "iscrowd": 0,
                "score": round(score, 5),
            }


def _write_list(file: TextIO, items: Iterable[dict[str, Any]]) -> None:
    for i, item in enumerate(items):
        file.write((",\n" if i else "\n") + json.dumps(item))
