import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.pictures import tree

from dartblur.coco import PictureBoxes, read_coco, write_coco
from dartblur.errors import BoxesError
from dartblur.faces import Faces

NAMES = ["a.jpg", "b/c d.png", "naïve/ü.jpg", "new\nline.jpg", "[red].jpg", "byte\udcff.jpg"]


def some_faces(n: int) -> Faces:
    low = np.arange(2 * n, dtype=np.float32).reshape(n, 2) * 1.5 - 2
    return Faces(np.concatenate([low, low + 7.25], axis=1), np.linspace(0.25, 1, n))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_what_is_written_is_read_again(tmp_path: Path, count: int) -> None:
    pictures = [PictureBoxes(n, (40 + i, 60), some_faces(count)) for i, n in enumerate(NAMES)]
    pictures.append(PictureBoxes("without size.jpg", None, some_faces(count)))
    write_coco(tmp_path / "boxes.json", lambda: pictures)
    read = read_coco(tmp_path / "boxes.json")
    assert list(read) == [*NAMES, "without size.jpg"]
    for picture in pictures:
        assert read[picture.file].size == picture.size
        assert read[picture.file].faces == picture.faces


@given(arrays(np.float32, (4, 4), elements=st.floats(-5000, 50000, width=32)))
def test_no_box_moves_by_more_than_rounding(
    tmp_path_factory: pytest.TempPathFactory, corners: np.ndarray
) -> None:
    boxes = np.sort(corners.reshape(4, 2, 2), axis=1).reshape(4, 4)
    assume(boxes.max() > 2)  # else they look like shares of the sides
    path = tmp_path_factory.mktemp("coco") / "boxes.json"
    write_coco(path, lambda: [PictureBoxes("a.jpg", (1, 1), Faces(boxes))])
    np.testing.assert_allclose(read_coco(path)["a.jpg"].faces.boxes, boxes, atol=0.01)


def test_the_file_is_what_coco_readers_expect(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    write_coco(path, lambda: [PictureBoxes("a.jpg", (40, 60), some_faces(2))])
    content = json.loads(path.read_text(encoding="ascii"))
    [image] = content["images"]
    assert image == {"id": image["id"], "file_name": "a.jpg", "width": 60, "height": 40}
    [category] = content["categories"]
    assert category["name"] == "face"
    ids = [annotation["id"] for annotation in content["annotations"]]
    assert len(set(ids)) == 2
    for annotation in content["annotations"]:
        assert annotation["image_id"] == image["id"]
        assert annotation["category_id"] == category["id"]
        assert annotation["iscrowd"] == 0
        _, _, width, height = annotation["bbox"]
        assert annotation["area"] == pytest.approx(width * height, abs=1e-3)
    assert content["annotations"][0]["bbox"] == [-2, -0.5, 7.25, 7.25]


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text("old")

    def fail() -> list[PictureBoxes]:
        raise RuntimeError("no pictures")

    with pytest.raises(RuntimeError, match="no pictures"):
        write_coco(path, fail)
    assert path.read_text() == "old"
    assert tree(tmp_path) == ["boxes.json"]


def test_a_picture_without_a_size_and_boxes_of_any_category(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    images = [{"id": "x", "file_name": "a.jpg"}, {"id": 7, "file_name": "b.jpg"}]
    boxes = [
        {"image_id": "x", "bbox": [1, 2, 3, 4], "category_id": 5},
        {"image_id": "x", "bbox": ["1", 2.5, 3, 0], "category_id": 9, "score": 0.5},
    ]
    path.write_text(json.dumps({"images": images, "annotations": boxes}))
    read = read_coco(path)
    assert read["a.jpg"].size is None
    assert read["a.jpg"].faces.boxes.tolist() == [[1, 2, 4, 6], [1, 2.5, 4, 2.5]]
    assert read["a.jpg"].faces.scores.tolist() == [1, 0.5]
    assert len(read["b.jpg"].faces) == 0


IMAGE = {"id": 1, "file_name": "a.jpg", "width": 60, "height": 40}


def _with_box(**changes: object) -> object:
    box: dict[str, object] = {"image_id": 1, "bbox": [1, 2, 3, 4], **changes}
    return {"images": [IMAGE], "annotations": [{k: v for k, v in box.items() if v is not None}]}


def _with_image(**changes: object) -> object:
    image = {k: v for k, v in {**IMAGE, **changes}.items() if v is not None}
    return {"images": [image], "annotations": []}


BROKEN = {
    "empty list": [],
    "a number": 3,
    "null": None,
    "no images": {"annotations": []},
    "no annotations": {"images": []},
    "images of text": {"images": ["a.jpg"], "annotations": []},
    "images a number": {"images": 3, "annotations": []},
    "annotations a number": {"images": [], "annotations": 3},
    "annotations null": {"images": [], "annotations": None},
    "annotation of text": {"images": [IMAGE], "annotations": ["a"]},
    "annotation null": {"images": [IMAGE], "annotations": [None]},
    "image without an id": {"images": [{"file_name": "a.jpg"}], "annotations": []},
    "image id a list": _with_image(id=[1]),
    "image twice by name": {"images": [IMAGE, {**IMAGE, "id": 2}], "annotations": []},
    "image twice by id": {"images": [IMAGE, {**IMAGE, "file_name": "b.jpg"}], "annotations": []},
    "image without a name": _with_image(file_name=None),
    "image name a number": _with_image(file_name=3),
    "height a word": _with_image(height="tall"),
    "height a list": _with_image(height=[3]),
    "height null": {"images": [{**IMAGE, "height": None}], "annotations": []},
    "box of no picture": _with_box(image_id=2),
    "box without a picture": _with_box(image_id=None),
    "no bbox": _with_box(bbox=None),
    "bbox of three": _with_box(bbox=[1, 2, 3]),
    "bbox of five": _with_box(bbox=[1, 2, 3, 4, 5]),
    "bbox of words": _with_box(bbox=["a", 2, 3, 4]),
    "bbox a number": _with_box(bbox=3),
    "negative width": _with_box(bbox=[1, 2, -3, 4]),
    "box of NaN": _with_box(bbox=[float("nan"), 2, 3, 4]),
    "box of infinity": _with_box(bbox=[1, 2, float("inf"), 4]),
    "box beyond float32": _with_box(bbox=[1, 2, 1e300, 4]),
    "box of a number of 400 digits": _with_box(bbox=[1, 2, 10**400, 4]),
    "height infinite": _with_image(height=float("inf")),
    "height of 400 digits": _with_image(height=10**400),
    "score of 400 digits": _with_box(score=10**400),
    "shares of the sides": _with_box(bbox=[0.25, 0.5, 0.2, 0.5]),
    "the whole picture as shares": _with_box(bbox=[0, 0, 1, 1]),
    "score over 1": _with_box(score=1.5),
    "score NaN": _with_box(score=float("nan")),
    "score a word": _with_box(score="high"),
    "score a list": _with_box(score=[1]),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_malformed_content_names_the_file(tmp_path: Path, content: object) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BoxesError, match=r"boxes\.json"):
        read_coco(path)


def test_messages_stay_short(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(_with_box(bbox=["9" * 100_000, 2, 3, 4], image_id="8" * 10_000)))
    with pytest.raises(BoxesError) as error:
        read_coco(path)
    assert len(str(error.value)) < 400 + len(str(path))


def test_boxes_go_to_their_pictures_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    images = [{"id": key, "file_name": f"{key}.jpg"} for key in ("x", "y", "z")]
    owners = ["z", "x", "z", "x", "z"]
    boxes = [
        {"image_id": key, "bbox": [i, i, 5, 5], "score": i / 10} for i, key in enumerate(owners)
    ]
    path.write_text(json.dumps({"images": images, "annotations": boxes}))
    read = read_coco(path)
    found = {name: picture.faces.boxes[:, 0].tolist() for name, picture in read.items()}
    assert found == {"x.jpg": [1, 3], "y.jpg": [], "z.jpg": [0, 2, 4]}
    np.testing.assert_allclose(read["z.jpg"].faces.scores, [0, 0.2, 0.4])


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"not json", b"\xff\xfe\x00", b"[" * 100_000, b'{"images": [], "annot'],
    ids=["empty", "cut off", "text", "bytes", "deep", "half"],
)
def test_what_is_no_json_names_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "boxes.json"
    path.write_bytes(content)
    with pytest.raises(BoxesError, match=r"boxes\.json"):
        read_coco(path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(BoxesError, match=path.name) as error:
            read_coco(path)
        assert "cannot be read: " in str(error.value)
