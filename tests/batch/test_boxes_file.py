"""Boxes out as COCO JSON, and in again: instead of the detector's, or besides them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.conftest import Outcome
from tests.pictures import assert_is_hidden, blocked, middle, state, textured, tree
from tests.video.films import make_film

from dartblur.pipeline import MAX_BOXES

Hide = Callable[..., Outcome]
Save = Callable[..., Path]
IMAGE = textured(48, 60)


@pytest.fixture
def folder(tmp_path: Path, save: Save) -> Path:
    for name in ("a.png", "sub/b.png"):
        save(tmp_path / "in" / name)
    return tmp_path / "in"


def coco(path: Path, boxes: dict[str, list[list[float]]], size: tuple[int, int] = (48, 60)) -> Path:
    images, annotations = [], []
    for number, (name, rows) in enumerate(boxes.items()):
        images.append({"id": number, "file_name": name, "height": size[0], "width": size[1]})
        annotations += [{"image_id": number, "bbox": row} for row in rows]
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def test_there_and_back(tmp_path: Path, folder: Path, hide: Hide) -> None:
    file = tmp_path / "boxes.json"
    assert hide(folder, "-o", tmp_path / "one", "--boxes-out", file).status == 0
    content = json.loads(file.read_text())
    assert [image["file_name"] for image in content["images"]] == ["a.png", "sub/b.png"]
    assert [row["bbox"] for row in content["annotations"]] == [[20, 16, 20, 16]] * 2
    again = tmp_path / "again.json"
    words = ("--boxes", file, "--boxes-out", again)
    assert hide(folder, "-o", tmp_path / "two", *words).status == 0
    assert json.loads(again.read_text())["annotations"] == content["annotations"]
    for name in ("a.png", "sub/b.png"):
        one, two = (tmp_path / out / name for out in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_one_picture_to_one_file_there_and_back(tmp_path: Path, folder: Path, hide: Hide) -> None:
    """Files of boxes tell of inputs, as those of `detect` do, whatever the output is called."""
    source, file = folder / "a.png", tmp_path / "boxes.json"
    assert hide(source, "-o", tmp_path / "safe.png", "--boxes-out", file).status == 0
    assert [image["file_name"] for image in json.loads(file.read_text())["images"]] == ["a.png"]
    given = coco(tmp_path / "b.json", {"a.png": [[1, 2, 5, 6]]})
    assert hide(source, "-o", tmp_path / "other.png", "--boxes", given).status == 0
    safe = np.array(Pillow.open(tmp_path / "other.png"))
    np.testing.assert_array_equal(safe, blocked(IMAGE, [1, 2, 6, 8]))
    # Mended boxes are seen by a second run.
    given = coco(given, {"a.png": [[11, 2, 5, 6]]})
    assert hide(source, "-o", tmp_path / "other.png", "--boxes", given).status == 0
    safe = np.array(Pillow.open(tmp_path / "other.png"))
    np.testing.assert_array_equal(safe, blocked(IMAGE, [11, 2, 16, 8]))


def test_one_film_to_one_file_there_and_back(tmp_path: Path, hide: Hide) -> None:
    film, boxes = make_film(tmp_path / "a.mp4"), tmp_path / "boxes"
    assert hide(film, "-o", tmp_path / "safe.mp4", "--film-boxes-out", boxes).status == 0
    assert tree(boxes) == ["a.mp4.jsonl"]
    made = tmp_path / "b.mp4"
    assert hide(film, "-o", made, "--film-boxes", boxes).status == 0
    assert made.read_bytes() == (tmp_path / "safe.mp4").read_bytes()
    # Mended boxes are seen by a second run.
    head, *_ = (boxes / "a.mp4.jsonl").read_text().splitlines()
    (boxes / "a.mp4.jsonl").write_text(head)
    assert hide(film, "-o", made, "--film-boxes", boxes).status == 0
    assert made.read_bytes() != (tmp_path / "safe.mp4").read_bytes()


def test_more_boxes_than_anyone_could_mean(tmp_path: Path, folder: Path, hide: Hide) -> None:
    """A million of them would be blended for minutes."""
    rows = [[1 + i % 40, 2, 5, 6] for i in range(MAX_BOXES + 1)]
    file = coco(tmp_path / "b.json", {"a.png": rows, "sub/b.png": rows[1:]})
    outcome = hide(folder, "-o", tmp_path / "out", "--boxes", file)
    assert outcome.status == 1
    assert "a.png: is given 20,001 boxes, and may have 20,000" in outcome.error
    assert tree(tmp_path / "out") == ["sub/b.png"]


def test_boxes_out_of_a_second_run_are_complete(tmp_path: Path, folder: Path, hide: Hide) -> None:
    hide(folder, "-o", tmp_path / "out")
    file = tmp_path / "boxes.json"
    hide(folder, "-o", tmp_path / "out", "--boxes-out", file)
    assert len(json.loads(file.read_text())["annotations"]) == 2


def test_given_boxes_instead_of_found_ones(tmp_path: Path, folder: Path, hide: Hide) -> None:
    file = coco(tmp_path / "b.json", {"a.png": [[1, 2, 5, 6]], "sub/b.png": []})
    assert hide(folder, "-o", tmp_path / "out", "--boxes", file).status == 0
    expected = blocked(IMAGE, [1, 2, 6, 8])
    np.testing.assert_array_equal(np.array(Pillow.open(tmp_path / "out" / "a.png")), expected)
    np.testing.assert_array_equal(np.array(Pillow.open(tmp_path / "out" / "sub" / "b.png")), IMAGE)


def test_given_boxes_are_hidden_as_they_are(
    tmp_path: Path, folder: Path, command: Callable[..., Outcome], stub_detector: None
) -> None:
    """The margin is for found ones alone."""
    file = coco(tmp_path / "b.json", {"a.png": [[10, 10, 10, 10]]})
    words = ("--boxes", file, "--margin", 0.5, "--method", "block")
    assert command("anonymize", folder / "a.png", "-o", tmp_path / "out", *words).status == 0
    safe = np.array(Pillow.open(tmp_path / "out" / "a.png"))
    assert (safe != IMAGE).any(axis=2).sum() == 100


def test_given_boxes_besides_found_ones(tmp_path: Path, folder: Path, hide: Hide) -> None:
    file = coco(tmp_path / "b.json", {"a.png": [[1, 2, 5, 6]]})
    words = ("--boxes", file, "--boxes-mode", "besides")
    assert hide(folder, "-o", tmp_path / "out", *words).status == 0
    expected = blocked(IMAGE, [1, 2, 6, 8], *middle(48, 60).boxes.tolist())
    np.testing.assert_array_equal(np.array(Pillow.open(tmp_path / "out" / "a.png")), expected)
    assert_is_hidden(IMAGE, np.array(Pillow.open(tmp_path / "out" / "sub" / "b.png")))


def test_a_picture_that_the_file_does_not_list_fails(
    tmp_path: Path, folder: Path, hide: Hide
) -> None:
    file = coco(tmp_path / "b.json", {"a.png": []})
    outcome = hide(folder, "-o", tmp_path / "out", "--boxes", file)
    assert outcome.status == 1
    [told] = [line for line in outcome.error.splitlines() if line.startswith("FAILED")]
    assert "sub/b.png" in told
    assert "b.json does not list it" in told
    assert tree(tmp_path / "out") == ["a.png"]


@pytest.mark.parametrize("mode", ["instead", "besides"])
def test_boxes_for_a_picture_of_another_size_fail(
    tmp_path: Path, folder: Path, hide: Hide, mode: str
) -> None:
    file = coco(tmp_path / "b.json", {"a.png": [[1, 2, 3, 4]]}, size=(60, 48))
    words = ("--boxes", file, "--boxes-mode", mode)
    outcome = hide(folder / "a.png", "-o", tmp_path / "out", *words)
    assert outcome.status == 1
    assert "a.png: is 60 × 48" in outcome.error
    assert "48 × 60" in outcome.error
    assert not (tmp_path / "out" / "a.png").exists()


def test_boxes_are_of_the_upright_picture(tmp_path: Path, hide: Hide, save: Save) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    source = save(tmp_path / "a.png", np.ascontiguousarray(np.rot90(IMAGE)), exif=exif)
    file = coco(tmp_path / "b.json", {"a.png": [[1, 2, 5, 6]]})
    assert hide(source, "-o", tmp_path / "out", "--boxes", file).status == 0
    expected = blocked(IMAGE, [1, 2, 6, 8])
    np.testing.assert_array_equal(np.array(Pillow.open(tmp_path / "out" / "a.png")), expected)


def test_boxes_anywhere_in_the_file(tmp_path: Path, folder: Path, hide: Hide) -> None:
    """Only those that cover a pixel count; the others are named."""
    rows = [[-50, -50, 60, 60], [58, 46, 500, 500], [200, 200, 5, 5], [30, 30, 0, 0]]
    file = coco(tmp_path / "b.json", {"a.png": rows})
    outcome = hide(folder / "a.png", "-o", tmp_path / "out", "--boxes", file)
    assert outcome.status == 0
    expected = blocked(IMAGE, [0, 0, 10, 10], [58, 46, 60, 48])
    np.testing.assert_array_equal(np.array(Pillow.open(tmp_path / "out" / "a.png")), expected)
    told = "2 of 4 given boxes cover no pixel of it: (200, 200) to (205, 205), (30, 30) to (30, 30)"
    assert f"NOTE {folder / 'a.png'}: {told}" in outcome.error
    assert "1 done (2 faces)" in outcome.error
    [record] = map(json.loads, (state(tmp_path / "out") / "report.jsonl").open())
    assert (record["faces"], record["notes"]) == (2, [told])
    assert len(record["boxes"]) == 2


@pytest.mark.parametrize("mode", ["instead", "besides"])
@pytest.mark.parametrize("row", [[60, 10, 9, 9], [-20, 3, 20, 4], [7, 7, 0, 9]], ids=str)
def test_a_picture_of_which_no_box_covers_a_pixel_fails(
    tmp_path: Path, folder: Path, hide: Hide, row: list[float], mode: str
) -> None:
    file = coco(tmp_path / "b.json", {"a.png": [row], "sub/b.png": [[1, 1, 5, 5]]})
    words = ("--boxes", file, "--boxes-mode", mode)
    outcome = hide(folder, "-o", tmp_path / "out", *words)
    assert outcome.status == 1
    assert "a.png: is 60 × 48 pixels; 1 of 1 given boxes cover no pixel" in outcome.error
    assert tree(tmp_path / "out") == ["sub/b.png"]


def test_boxes_that_look_like_shares_stop_all(tmp_path: Path, folder: Path, hide: Hide) -> None:
    file = coco(tmp_path / "b.json", {"a.png": [[0.1, 0.2, 0.5, 0.5]], "sub/b.png": []})
    outcome = hide(folder, "-o", tmp_path / "out", "--boxes", file)
    assert outcome.status == 2
    assert "shares of the picture's width and height; give x, y, width, height in" in outcome.error
    assert tree(tmp_path / "out") == []


def test_numbers_beyond_all_bounds_stop_all(tmp_path: Path, folder: Path, hide: Hide) -> None:
    for number in ("Infinity", "-Infinity", "NaN", "1e999", "9" * 400, "9" * 5000):
        file = tmp_path / "b.json"
        coco(file, {"a.png": [[1, 2, 77, 4]]})
        for old in ("77", "60"):
            file.write_text(file.read_text().replace(old, number))
            outcome = hide(folder, "-o", tmp_path / "out", "--boxes", file)
            assert outcome.status == 2
            assert "b.json" in outcome.error
            assert "Traceback" not in outcome.error


def test_only_pictures_whose_boxes_changed_are_done_again(
    tmp_path: Path, folder: Path, hide: Hide
) -> None:
    out, boxes = tmp_path / "out", {"a.png": [[1, 2, 5, 6]], "sub/b.png": [[3, 3, 9, 9]]}
    hide(folder, "-o", out, "--boxes", coco(tmp_path / "one.json", boxes))
    before = {name: (out / name).stat().st_ino for name in boxes}
    boxes["a.png"].append([30, 30, 5, 5])
    hide(folder, "-o", out, "--boxes", coco(tmp_path / "two.json", boxes))
    after = {name: (out / name).stat().st_ino for name in boxes}
    assert after["a.png"] != before["a.png"]
    assert after["sub/b.png"] == before["sub/b.png"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"images": 3, "annotations": []}'])
def test_a_wrong_file_stops_all_by_its_name(
    tmp_path: Path, folder: Path, hide: Hide, content: str
) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(content)
    outcome = hide(folder, "-o", tmp_path / "out", "--boxes", file)
    assert outcome.status != 0
    assert str(file) in outcome.error
    assert "Traceback" not in outcome.error
    assert tree(tmp_path / "out") == []


def test_a_missing_file_stops_all_by_its_name(tmp_path: Path, folder: Path, hide: Hide) -> None:
    outcome = hide(folder, "-o", tmp_path / "out", "--boxes", tmp_path / "none.json")
    assert outcome.status != 0
    assert "none.json" in outcome.error
    assert tree(tmp_path / "out") == []


@pytest.mark.parametrize("where", ["boxes-out", "report"])
def test_other_outputs_get_their_folders(
    tmp_path: Path, folder: Path, hide: Hide, where: str
) -> None:
    file = tmp_path / "new" / "folder" / "file.json"
    assert hide(folder, "-o", tmp_path / "out", f"--{where}", file).status == 0
    assert file.is_file()


@pytest.mark.parametrize("where", ["boxes-out", "report"])
def test_other_outputs_that_cannot_be_are_told_before_the_work(
    tmp_path: Path, folder: Path, hide: Hide, where: str
) -> None:
    outcome = hide(folder, "-o", tmp_path / "out", f"--{where}", tmp_path)
    assert outcome.status == 2
    assert str(tmp_path) in outcome.error
    assert tree(tmp_path / "out") == []


@pytest.mark.parametrize("where", ["boxes-out", "report"])
def test_other_outputs_never_replace_an_input(
    tmp_path: Path, folder: Path, hide: Hide, where: str
) -> None:
    before = (folder / "a.png").read_bytes()
    words = (folder / "a.png", "-o", tmp_path / "out", f"--{where}", folder / "a.png")
    assert hide(*words).status == 2
    assert (folder / "a.png").read_bytes() == before
