"""Boxes of faces in and out, as COCO JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from dartblur.errors import BoxesError
from dartblur.faces import Faces
from dartblur.files import atomic_path

Rows = npt.NDArray[np.float64]
# What rounding may add to a share of a side.
_UNIT = 0.01


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
    rows = _rows(path, annotations)
    owners = _owners(path, annotations, list(images))
    # All boxes of a picture side by side, in the order of the file.
    order = np.argsort(owners, kind="stable")
    rows = rows[order]
    ends = np.cumsum(np.bincount(owners, minlength=len(images))).tolist()
    return {
        str(image["file_name"]): _picture(path, image, rows[start:end])
        for (_, image), start, end in zip(_named(path, images), [0, *ends], ends, strict=False)
    }


def _rows(path: Path, annotations: list[Any]) -> Rows:
    """x1, y1, x2, y2 and score of every annotation, (N, 5) float64."""
    try:
        boxes = np.array([annotation["bbox"] for annotation in annotations], np.float64)
        scores = np.array([annotation.get("score", 1.0) for annotation in annotations], np.float64)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        boxes, scores = np.zeros(0), np.zeros(0)
    if not annotations:
        return np.zeros((0, 5))
    if boxes.shape != (len(annotations), 4) or scores.shape != (len(annotations),):
        # One by one, to say which it is.
        rows = np.array([_row(path, i, a) for i, a in enumerate(annotations)], np.float64)
        boxes, scores = rows[:, :4], rows[:, 4]
    # Too large a number becomes infinite, which Faces refuses by name.
    with np.errstate(over="ignore", invalid="ignore"):
        _check_unit(path, boxes)
        return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:], scores[:, None]], axis=1)


def _row(path: Path, number: int, annotation: Any) -> tuple[float, ...]:
    """x, y, width, height and score of one annotation."""
    try:
        x, y, width, height = (float(v) for v in annotation["bbox"])
        return x, y, width, height, float(annotation.get("score", 1.0))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _malformed(path, number, error) from error


def _owners(path: Path, annotations: list[Any], keys: list[Any]) -> npt.NDArray[np.intp]:
    """The number of the picture that each annotation belongs to."""
    numbers = {key: number for number, key in enumerate(keys)}
    owners = np.zeros(len(annotations), np.intp)
    number = 0
    try:
        for number, annotation in enumerate(annotations):
            owners[number] = numbers[annotation["image_id"]]
    except (KeyError, TypeError) as error:
        raise _malformed(path, number, error) from error
    return owners


def _malformed(path: Path, number: int, error: Exception) -> BoxesError:
    # A number of 400 digits would fill the screen.
    return BoxesError(
        f"{path}: annotation {number} is malformed ({repr(error)[:200]}): it needs an image_id "
        "that is listed and a bbox of four numbers"
    )


def _check_unit(path: Path, boxes: npt.NDArray[np.float64]) -> None:
    """Refuses shares of the picture's sides: taken for pixels they would hide one, or none."""
    corner = boxes[:, :2] + boxes[:, 2:]
    if (
        (boxes[:, 2:] > 0).all(1).any()
        and (boxes[:, :2] >= -_UNIT).all()
        and (corner <= 1 + _UNIT).all()
    ):
        raise BoxesError(
            f"{path}: all boxes lie within 0..1: they look like shares of the picture's width and "
            "height; give x, y, width, height in pixels"
        )


def _named(path: Path, images: dict[Any, Any]) -> Iterator[tuple[Any, Any]]:
    seen: set[str] = set()
    for key, image in images.items():
        name = image.get("file_name")
        if not isinstance(name, str) or name in seen:
            raise BoxesError(f"{path}: image {key!r} has no file_name, or one that another has too")
        seen.add(name)
        yield key, image


def _picture(path: Path, image: dict[str, Any], rows: Rows) -> PictureBoxes:
    name = image["file_name"]
    size = None
    try:
        if "height" in image and "width" in image:
            size = (int(image["height"]), int(image["width"]))
            if not all(0 <= side < 2**31 for side in size):
                raise ValueError("a side is out of range")  # noqa: TRY301 - told with the rest
        # Too large a number becomes infinite, which Faces refuses by name.
        with np.errstate(over="ignore"):
            faces = Faces(rows[:, :4].astype(np.float32), rows[:, 4].astype(np.float32))
    except (TypeError, ValueError, OverflowError) as error:
        raise BoxesError(f"{path}: size or boxes of {name}: {str(error)[:200]}") from error
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
