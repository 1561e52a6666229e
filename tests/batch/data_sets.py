"""Small data sets in their official layouts, with real pixels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from tests.pictures import textured

HEIGHT, WIDTH = 60, 80
BOX = (5, 6, 14, 18)
"""x y w h of the one labelled face, in the first picture; no detector of the tests finds it."""


def save(path: Path, seed: int = 0, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(textured(HEIGHT, WIDTH, seed)).save(path, **options)
    return path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def widerface(root: Path) -> None:
    for seed, name in enumerate(("a", "b", "c")):
        save(root / f"WIDER_val/images/0--Event/{name}.jpg", seed, quality=95)
    row = " ".join(map(str, BOX)) + " 0 0 0 0 0 0"
    write(
        root / "wider_face_split/wider_face_val_bbx_gt.txt",
        f"0--Event/a.jpg\n1\n{row}\n0--Event/b.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n0--Event/c.jpg\n0\n"
        "0 0 0 0 0 0 0 0 0 0\n",
    )
    # As WIDER FACE's own are: no text, and nobody in them.
    (root / "wider_face_split/wider_face_val.mat").write_bytes(b"MATLAB 5.0 MAT-file\0\1\2")


def fddb(root: Path) -> None:
    x, y, width, height = BOX
    ellipse = f"{height / 2} {width / 2} {np.pi / 2} {x + width / 2} {y + height / 2} 1"
    for fold in range(1, 11):
        save(root / f"originalPics/2002/{fold}.jpg", fold)
        rows = f"1\n{ellipse}\n" if fold == 1 else "0\n"
        write(root / f"FDDB-folds/FDDB-fold-{fold:02}-ellipseList.txt", f"2002/{fold}\n{rows}")


def crowdhuman(root: Path) -> None:
    for seed, name in enumerate("ab"):
        save(root / f"Images/{name}.jpg", seed)
    entry = {"tag": "person", "hbox": list(BOX), "extra": {"ignore": 0}}
    mask = {"tag": "mask", "hbox": [40, 40, 20, 10], "extra": {"ignore": 1}}
    records = [{"ID": "a", "gtboxes": [entry, mask]}, {"ID": "b", "gtboxes": []}]
    write(root / "annotation_val.odgt", "\n".join(map(json.dumps, records)) + "\n")


def coco(root: Path) -> None:
    for seed, name in enumerate("ab"):
        save(root / f"val2017/{name}.jpg", seed)
    content = {
        "images": [
            {"id": n, "file_name": f"{name}.jpg", "width": WIDTH, "height": HEIGHT}
            for n, name in enumerate("ab", 1)
        ],
        "categories": [{"id": 1, "name": "face"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": n, "bbox": BOX, "area": 252, "iscrowd": 0}
            for n in (1, 2)
        ],
    }
    write(root / "annotations/instances_val2017.json", json.dumps(content))


def yolo(root: Path) -> None:
    for seed, name in enumerate("ab"):
        save(root / f"images/train/{name}.jpg", seed)
    save(root / "images/val/c.png", 3)
    write(root / "data.yaml", "path: .\ntrain: images/train\nval: val.txt\nnames:\n  0: face\n")
    write(root / "val.txt", "./images/val/c.png\n")
    x, y, width, height = BOX
    shares = ((x + width / 2) / WIDTH, (y + height / 2) / HEIGHT, width / WIDTH, height / HEIGHT)
    write(root / "labels/train/a.txt", "0 " + " ".join(map(str, shares)) + "\n")


def voc(root: Path) -> None:
    x, y, width, height = BOX
    sides = {"xmin": x + 1, "ymin": y + 1, "xmax": x + width, "ymax": y + height}
    box = "".join(f"<{name}>{value}</{name}>" for name, value in sides.items())
    for seed, name in enumerate("ab"):
        save(root / f"JPEGImages/{name}.jpg", seed)
        thing = f"<object><name>head</name><difficult>0</difficult><bndbox>{box}</bndbox></object>"
        size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
        write(
            root / f"Annotations/{name}.xml",
            f"<annotation><folder>VOC</folder><filename>{name}.jpg</filename>{size}"
            f"{thing if name == 'a' else ''}</annotation>",
        )
    write(root / "ImageSets/Main/val.txt", "a\nb\n")
    write(root / "ImageSets/Main/head_val.txt", "a  1\nb -1\n")
    mask = Pillow.fromarray(np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH) % 21)
    mask = mask.convert("P")
    mask.putpalette(bytes(range(63)) + bytes(705))
    (root / "SegmentationClass").mkdir()
    mask.save(root / "SegmentationClass/a.png")


def imagefolder(root: Path) -> None:
    for seed, name in enumerate("ab"):
        save(root / f"train/{name}.jpg", seed)
    save(root / "validation/c.png", 2)
    rows = [
        {"file_name": "a.jpg", "objects": {"bbox": [BOX], "categories": ["face"]}, "text": "one"},
        {"file_name": "b.jpg", "objects": {"bbox": [], "categories": []}, "text": "none"},
    ]
    write(root / "train/metadata.jsonl", "\n".join(map(json.dumps, rows)) + "\n")
    # Loaders take all lists to be of one type: an empty one has none.
    dog = {"bbox": [BOX], "categories": ["dog"]}
    row = {"file_name": "c.png", "objects": dog, "text": "a dog"}
    write(root / "validation/metadata.jsonl", json.dumps(row) + "\n")


def folder(root: Path) -> None:
    for seed, name in enumerate(("cat/a.png", "cat/b.jpg", "dog/c.webp")):
        save(root / name, seed)
    write(root / "README.txt", "Two classes.\n")


LAYOUTS: dict[str, Callable[[Path], None]] = {
    each.__name__: each
    for each in (widerface, fddb, crowdhuman, coco, yolo, voc, imagefolder, folder)
}
FIRST = {
    "widerface": "WIDER_val/images/0--Event/a.jpg",
    "fddb": "originalPics/2002/1.jpg",
    "crowdhuman": "Images/a.jpg",
    "coco": "val2017/a.jpg",
    "yolo": "images/train/a.jpg",
    "voc": "JPEGImages/a.jpg",
    "imagefolder": "train/a.jpg",
}
"""The picture that has the labelled face."""
