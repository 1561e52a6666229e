"""What every reader of a data set promises, on a set of two pictures in its own layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from dartblur.datasets import READERS
from dartblur.errors import BoxesError, DartblurError
from dartblur.faces import Sample

BOX = (10, 20, 30, 40)
"""x y w h of the one face, in the first picture; the second has none."""


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def widerface(root: Path) -> Path:
    for name in ("a", "b"):
        picture(root / f"WIDER_val/images/0--Event/{name}.jpg")
    labels = root / "wider_face_split/wider_face_val_bbx_gt.txt"
    labels.parent.mkdir()
    row = " ".join(map(str, BOX)) + " 0 0 0 0 0 0"
    labels.write_text(f"0--Event/a.jpg\n1\n{row}\n0--Event/b.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n")
    return labels


def fddb(root: Path) -> Path:
    for name in ("a", "b"):
        picture(root / f"originalPics/{name}.jpg")
    x, y, width, height = BOX
    row = f"{height / 2} {width / 2} {np.pi / 2} {x + width / 2} {y + height / 2} 1"
    folds = root / "FDDB-folds"
    folds.mkdir()
    for fold in range(1, 11):
        (folds / f"FDDB-fold-{fold:02}-ellipseList.txt").touch()
    labels = folds / "FDDB-fold-01-ellipseList.txt"
    labels.write_text(f"a\n1\n{row}\nb\n0\n")
    return labels


def crowdhuman(root: Path) -> Path:
    for name in ("a", "b"):
        picture(root / f"Images/{name}.jpg")
    labels = root / "annotation_val.odgt"
    entry = {"tag": "person", "hbox": list(BOX)}
    records = [{"ID": "a", "gtboxes": [entry]}, {"ID": "b", "gtboxes": []}]
    labels.write_text("\n".join(map(json.dumps, records)))
    return labels


LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "widerface": widerface,
    "fddb": fddb,
    "crowdhuman": crowdhuman,
}

pytestmark = pytest.mark.parametrize("name", READERS)


def read(name: str, root: Path, split: str = "val") -> Iterator[Sample]:
    return READERS[name](root, split)


def test_pictures_come_in_the_order_of_the_list_with_their_faces(tmp_path: Path, name: str) -> None:
    LAYOUTS[name](tmp_path)
    first, second = read(name, tmp_path)
    assert [first.image.stem, second.image.stem] == ["a", "b"]
    assert first.image.is_file()
    x, y, width, height = BOX
    np.testing.assert_allclose(first.faces.boxes, [[x, y, x + width, y + height]], atol=1e-4)
    assert first.faces.scores.tolist() == [1]
    assert not first.faces.ignore.any()
    assert len(second.faces) == 0


def test_a_picture_that_is_not_there_is_named_with_the_list(tmp_path: Path, name: str) -> None:
    labels = LAYOUTS[name](tmp_path)
    (missing,) = tmp_path.rglob("b.jpg")
    missing.unlink()
    with pytest.raises(BoxesError) as told:
        list(read(name, tmp_path))
    assert missing.name in str(told.value)
    assert labels.name in str(told.value)


def test_a_missing_list_is_named(tmp_path: Path, name: str) -> None:
    labels = LAYOUTS[name](tmp_path)
    labels.unlink()
    with pytest.raises(BoxesError, match=labels.name):
        list(read(name, tmp_path))


def test_a_list_that_is_no_text_is_named(tmp_path: Path, name: str) -> None:
    labels = LAYOUTS[name](tmp_path)
    labels.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(BoxesError, match=labels.name):
        list(read(name, tmp_path))


def test_a_list_cut_off_anywhere_gives_whole_pictures_or_an_error(
    tmp_path: Path, name: str
) -> None:
    labels = LAYOUTS[name](tmp_path)
    whole, text = list(read(name, tmp_path)), labels.read_text()
    for end in range(len(text)):
        labels.write_text(text[:end])
        samples: list[Sample] = []
        with suppress(BoxesError):
            samples.extend(read(name, tmp_path))
        assert [s.image for s in samples] == [s.image for s in whole[: len(samples)]]


def test_an_unknown_split_is_an_error(tmp_path: Path, name: str) -> None:
    LAYOUTS[name](tmp_path)
    with pytest.raises(DartblurError, match="nonsense"):
        list(read(name, tmp_path, "nonsense"))
