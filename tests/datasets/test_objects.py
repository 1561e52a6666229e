"""Boxes in rows of Hugging Face's tables, in the shapes that versions of `datasets` give them."""

from __future__ import annotations

from typing import Any

import pytest

from dartblur.datasets.objects import category_names, faces_of_row
from dartblur.errors import BoxesError

CLASSES = ("face", "head")
BOX, OTHER = [1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]


@pytest.mark.parametrize(
    "told",
    [
        {"bbox": [BOX, OTHER], "category": ["Face", "dog"]},
        {"bbox": [BOX, OTHER], "categories": [1, 0], "area": [12.0, 56.0]},
        [{"bbox": BOX, "category": 1}, {"bbox": OTHER, "category": 0}],
        {"bbox": [BOX]},
    ],
)
def test_every_shape_gives_the_faces(told: Any) -> None:
    faces = faces_of_row({"text": "x", "objects": told}, CLASSES, "a", ["dog", "face"])
    assert faces is not None
    assert faces.boxes.tolist() == [[1, 2, 4, 6]]
    assert not faces.ignore.any()


def test_a_number_without_a_name_is_known_by_its_number() -> None:
    row = {"objects": {"bbox": [BOX, OTHER], "category": [0, 1]}}
    for classes, count in ((CLASSES, 0), (("1",), 1), (("0", "1"), 2)):
        faces = faces_of_row(row, classes, "a")
        assert faces is not None
        assert len(faces) == count


def test_wider_face_as_hugging_face_has_it() -> None:
    row = {"faces": {"bbox": [BOX, OTHER, [1, 1, 0, 4]], "blur": [0, 2, 0], "invalid": [0, 1, 0]}}
    faces = faces_of_row(row, CLASSES, "a")
    assert faces is not None
    assert faces.ignore.tolist() == [False, True, True]


@pytest.mark.parametrize(
    "row", [{}, {"objects": None}, {"faces": 3}, {"objects": {"bbox": None}}, {"faces": ["a"]}]
)
def test_a_row_without_boxes_tells_nothing(row: dict[str, Any]) -> None:
    assert faces_of_row(row, CLASSES, "a") is None


@pytest.mark.parametrize(
    "told",
    [
        {"bbox": [[1, 2, 3]]},
        {"bbox": [[1, 2, 3, "x"]]},
        {"bbox": [[1, 2, 3, float("nan")]]},
        {"bbox": [None]},
        {"bbox": [BOX], "category": []},
        {"bbox": 7},
        [{"bbox": None}],
    ],
)
def test_malformed_boxes_are_named(told: Any) -> None:
    with pytest.raises(BoxesError, match=r"a\.parquet: row 3"):
        faces_of_row({"objects": told}, CLASSES, "a.parquet: row 3")


LIST = '{"bbox": {}, "category": {"feature": {"names": ["face"], "_type": "ClassLabel"}}}'
STRUCTS = '{"feature": {"category": {"names": ["face"], "_type": "ClassLabel"}}, "_type": "List"}'
OLD = '[{"category": {"names": ["face"], "_type": "ClassLabel"}}]'


@pytest.mark.parametrize("told", [LIST, STRUCTS, OLD])
def test_names_come_from_the_features(told: str) -> None:
    assert category_names(f'{{"info": {{"features": {{"objects": {told}}}}}}}'.encode()) == ["face"]


@pytest.mark.parametrize("told", [None, b"", b"no JSON", b"[]", b'{"info": {"features": {}}}'])
def test_without_features_there_are_no_names(told: bytes | None) -> None:
    assert category_names(told) == []
