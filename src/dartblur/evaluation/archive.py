"""The pictures of one split in one file: lossless pixels, names and boxes, written once."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dartblur.datasets.labelled import LabelledImage
from dartblur.errors import InputError
from dartblur.faces import Faces, Image

_INDEX = "pictures.json"
_FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1)


@dataclass(frozen=True)
class Entry:
    """One picture without its pixels. path: below the root of its data set."""

    path: str
    faces: Faces
    found: Faces


def write_pictures(target: Path, pictures: Iterable[tuple[str, LabelledImage]]) -> None:
    """Writes pictures with the paths that they have below their root, and their faces."""
    entries = []
    with zipfile.ZipFile(target, "w") as archive:
        for i, (path, picture) in enumerate(pictures):
            archive.writestr(_name(i), _encoded(picture.image))
            faces, found = _listed(picture.faces), _listed(picture.found)
            entries.append({"path": path, "faces": faces, "found": found})
        archive.writestr(_INDEX, json.dumps(entries))


def write_images(target: Path, images: Iterable[Image]) -> None:
    """Writes pixels alone, in the order of the file that holds the faces."""
    with zipfile.ZipFile(target, "w") as archive:
        for i, image in enumerate(images):
            archive.writestr(_name(i), _encoded(image))


def read_entries(source: Path) -> list[Entry]:
    """What a file of `write_pictures` says of each picture."""
    with zipfile.ZipFile(source) as archive:
        content = json.loads(archive.read(_INDEX))
    return [Entry(e["path"], _faces(e["faces"]), _faces(e["found"])) for e in content]


def read_images(source: Path) -> Iterator[Image]:
    """The pixels in order, (H, W, 3) uint8 RGB."""
    with zipfile.ZipFile(source) as archive:
        for name in sorted(n for n in archive.namelist() if n != _INDEX):
            data = np.frombuffer(archive.read(name), np.uint8)
            image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
            if image is None:
                raise InputError(f"{source}: {name} is damaged; delete the file and run again")
            yield np.asarray(image, np.uint8)


def read_pictures(images: Path, entries: Path) -> Iterator[LabelledImage]:
    """Pictures with the pixels of one file and the faces of another."""
    for image, entry in zip(read_images(images), read_entries(entries), strict=True):
        yield LabelledImage(entry.path, image, entry.faces, entry.found)


def write_detections(target: Path, found: Sequence[Faces]) -> None:
    """Writes what a detector found, picture by picture."""
    counts = np.array([len(f) for f in found], np.int64)
    whole = Faces.concatenate(found)
    with target.open("wb") as file:
        np.savez_compressed(file, counts=counts, boxes=whole.boxes, scores=whole.scores)


def read_detections(source: Path) -> list[Faces]:
    """What `write_detections` wrote."""
    with np.load(source) as content:
        ends = np.cumsum(content["counts"])[:-1]
        boxes, scores = np.split(content["boxes"], ends), np.split(content["scores"], ends)
    return [Faces(b, s) for b, s in zip(boxes, scores, strict=True)]


def _name(index: int) -> str:
    return f"{index:08d}.png"


def _encoded(image: Image) -> bytes:
    done, data = cv2.imencode(".png", image[..., ::-1], _FAST)
    if not done:
        raise InputError(f"a picture of shape {image.shape} cannot be encoded as PNG")
    return data.tobytes()


def _listed(faces: Faces) -> dict[str, Any]:
    return {name: getattr(faces, name).tolist() for name in ("boxes", "scores", "ignore")}


def _faces(content: dict[str, Any]) -> Faces:
    boxes = np.array(content["boxes"], np.float32).reshape(-1, 4)
    return Faces(boxes, np.array(content["scores"]), np.array(content["ignore"], np.bool_))
