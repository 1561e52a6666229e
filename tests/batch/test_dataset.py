"""`dartblur dataset`: labels as they were, faces hidden, nothing else there."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.batch import data_sets
from tests.batch.data_sets import BOX, FIRST, LAYOUTS, save, widerface, write
from tests.conftest import Outcome
from tests.pictures import textured, tree
from tests.video.films import make_film, packets, pictures

pytest.importorskip("pyarrow", reason="the manifest needs the extra dataset")
pytest.importorskip("yaml", reason="YOLO needs the extra dataset")

from dartblur.batch import dataset_places
from dartblur.batch.data_card import FIDELITY
from dartblur.batch.manifest import Row, read_manifest, read_table, write_manifest
from dartblur.datasets import FORMATS, recognized

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def src(tmp_path: Path) -> Path:
    widerface(tmp_path / "src")
    return tmp_path / "src"


def rows(dst: Path) -> dict[str, Row]:
    state = dst.with_name(dst.name + ".dartblur")
    lines = list(read_manifest(state / "manifest.jsonl"))
    assert lines == list(read_table(state / "manifest.parquet"))
    assert len({row.file for row in lines}) == len(lines)
    return {row.file: row for row in lines}


def pixels(path: Path) -> np.ndarray:
    with Pillow.open(path) as image:
        return np.asarray(image.convert("RGB"), np.int16)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_copy_of_every_format_reads_as_its_source(
    tmp_path: Path, copy: Callable[..., Outcome], name: str
) -> None:
    src, dst = tmp_path / "src", tmp_path / "dst"
    LAYOUTS[name](src)
    outcome = copy(src, dst)
    assert outcome.status == 0, outcome.error
    assert tree(dst) == tree(src)
    found, form = recognized(src), FORMATS[name]
    assert found == form == recognized(dst)
    for split in form.splits(src):
        for before, after in zip(form.read(src, split), form.read(dst, split), strict=True):
            assert after.image.relative_to(dst) == before.image.relative_to(src)
            assert after.faces == before.faces
    made = rows(dst)
    assert list(made) == tree(dst)
    for file, row in made.items():
        same = (src / file).read_bytes() == (dst / file).read_bytes()
        assert same == (row.kind == "other"), file
    assert copy("--verify", dst, "--source", src).status == 0


@pytest.mark.parametrize("name", FIRST)
@pytest.mark.parametrize("hidden", ["both", "labelled", "detected"])
def test_labelled_and_detected_faces_are_hidden_as_asked(
    tmp_path: Path, copy: Callable[..., Outcome], name: str, hidden: str
) -> None:
    src, dst = tmp_path / "src", tmp_path / "dst"
    LAYOUTS[name](src)
    outcome = copy(src, dst, "--hidden", hidden)
    # YOLO's and VOC's pictures all have labels, be they empty.
    assert outcome.status == 0, outcome.error
    before, after = pixels(src / FIRST[name]), pixels(dst / FIRST[name])
    x, y, width, height = BOX
    changed = np.abs(before - after).mean(axis=2)
    labelled = changed[y + 3 : y + height - 3, x + 3 : x + width - 3].mean()
    detected = changed[25:35, 32:48].mean()
    assert (labelled > 50) == (hidden != "detected")
    assert (detected > 50) == (hidden != "labelled")
    boxes = rows(dst)[FIRST[name]].boxes
    assert (1.0 in [box[4] for box in boxes]) is True
    assert copy("--verify", dst, "--source", src).status == 0


def test_only_named_classes_are_faces(tmp_path: Path, copy: Callable[..., Outcome]) -> None:
    data_sets.coco(tmp_path / "src")
    words = (tmp_path / "src", tmp_path / "dst", "--hidden", "labelled")
    assert copy(*words, "--classes", "cat").status == 0
    assert rows(tmp_path / "dst")["val2017/a.jpg"].boxes == ()
    assert copy(*words, "--classes", "Dog,cat").status == 0
    assert len(rows(tmp_path / "dst")["val2017/a.jpg"].boxes) == 1


def test_a_second_run_does_nothing_and_a_changed_label_does_its_picture(
    tmp_path: Path, src: Path, copy: Callable[..., Outcome]
) -> None:
    dst = tmp_path / "dst"
    copy(src, dst)
    before = {name: (dst / name).stat().st_mtime_ns for name in tree(dst)}
    manifest = (tmp_path / "dst.dartblur/manifest.jsonl").read_bytes()
    assert "0 done, 5 already done" in copy(src, dst).error
    assert (tmp_path / "dst.dartblur/manifest.jsonl").read_bytes() == manifest
    labels = src / "wider_face_split/wider_face_val_bbx_gt.txt"
    labels.write_text(labels.read_text().replace("5 6 14 18", "7 6 14 18"))
    assert "2 done (2 faces), 3 already done" in copy(src, dst).error
    changed = {n for n in tree(dst) if (dst / n).stat().st_mtime_ns != before[n]}
    assert changed == {FIRST["widerface"], "wider_face_split/wider_face_val_bbx_gt.txt"}
    assert copy("--verify", dst, "--source", src).status == 0


def test_what_is_gone_from_the_source_goes_from_the_copy(
    tmp_path: Path, copy: Callable[..., Outcome]
) -> None:
    data_sets.folder(tmp_path / "src")
    copy(tmp_path / "src", tmp_path / "dst")
    (tmp_path / "src/cat/b.jpg").unlink()
    assert "1 files removed" in copy(tmp_path / "src", tmp_path / "dst").error
    assert tree(tmp_path / "dst") == tree(tmp_path / "src")
    assert copy("--verify", tmp_path / "dst", "--source", tmp_path / "src").status == 0


def test_several_data_sets_side_by_side(tmp_path: Path, copy: Callable[..., Outcome]) -> None:
    for name in ("widerface", "crowdhuman"):
        LAYOUTS[name](tmp_path / "src" / name.upper())
    assert copy(tmp_path / "src", tmp_path / "dst", "--hidden", "labelled").status == 0
    made = rows(tmp_path / "dst")
    for name in ("widerface", "crowdhuman"):
        assert made[f"{name.upper()}/{FIRST[name]}"].boxes


def test_a_turned_picture_stays_as_its_labels_see_it(
    tmp_path: Path, src: Path, copy: Callable[..., Outcome]
) -> None:
    """Some labels tell of stored pixels, some of upright ones: both are hidden."""
    exif = Pillow.Exif()
    exif[0x0112] = 6
    save(src / FIRST["widerface"], quality=95, exif=exif)
    assert copy(src, tmp_path / "dst", "--hidden", "labelled").status == 0
    before, after = pixels(src / FIRST["widerface"]), pixels(tmp_path / "dst" / FIRST["widerface"])
    x, y, width, height = BOX
    changed = np.abs(before - after).mean(axis=2)
    assert changed[y + 3 : y + height - 3, x + 3 : x + width - 3].mean() > 50
    upright = np.rot90(changed, -1)
    assert upright[y + 3 : y + height - 3, x + 3 : x + width - 3].mean() > 50
    assert copy("--verify", tmp_path / "dst", "--source", src).status == 0


def test_the_card_tells_what_was_done(
    tmp_path: Path, src: Path, copy: Callable[..., Outcome]
) -> None:
    copy(src, tmp_path / "dst")
    card = (tmp_path / "dst.dartblur/README.md").read_text()
    assert card.startswith("---\npretty_name:")
    assert "3 pictures, 4 boxes hidden in 3 of them; 2 other files" in card
    assert "| 16–32 | 1 | 0.000 |" in card  # the stub does not find it
    assert "$" not in card


def test_the_cards_figures_are_those_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for values in FIDELITY.values():
        assert " | ".join(f"{value:.1f}" for value in values) in readme


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("faces.npy", b"\x93NUMPY\x01\0", "is no text"),
        ("a.json", b'{"imageData": "/9j/' + b"4AAQSkZJRgABAQAAAQABAAD" * 4 + b'"}', "base64"),
        ("fer.csv", b"emotion,pixels\n0," + b"70 " * 800, "pixel by pixel"),
        ("holiday.mp4", b"\0\0\0\x18ftypmp42", "holiday.mp4"),
        ("thumbs", b"\xff\xd8\xff\xe0" + b"\0" * 90, "is no text"),
    ],
)
def test_what_might_show_somebody_is_not_copied(
    tmp_path: Path,
    src: Path,
    copy: Callable[..., Outcome],
    name: str,
    content: bytes,
    told: str,
) -> None:
    (src / name).write_bytes(content)
    outcome = copy(src, tmp_path / "dst")
    assert outcome.status == 1
    assert f"FAILED {src / name}" in outcome.error
    assert told in outcome.error
    assert not (tmp_path / "dst" / name).exists()
    assert len(tree(tmp_path / "dst")) == 5
    if told == "is no text":
        assert copy(src, tmp_path / "dst", "--keep", name).status == 0
        assert (tmp_path / "dst" / name).read_bytes() == content


def test_a_label_whose_picture_is_missing_is_named_and_the_others_are_done(
    tmp_path: Path, src: Path, copy: Callable[..., Outcome]
) -> None:
    (src / "WIDER_val/images/0--Event/b.jpg").unlink()
    outcome = copy(src, tmp_path / "dst")
    assert outcome.status == 1
    assert "b.jpg: named in" in outcome.error
    assert "wider_face_val_bbx_gt.txt:4" in outcome.error
    assert tree(tmp_path / "dst") == tree(src)


def test_a_picture_without_labels_is_searched_or_named(
    tmp_path: Path, src: Path, copy: Callable[..., Outcome]
) -> None:
    save(src / "WIDER_val/images/0--Event/new.jpg")
    assert copy(src, tmp_path / "dst").status == 0
    outcome = copy(src, tmp_path / "labelled", "--hidden", "labelled")
    assert outcome.status == 1
    assert "new.jpg: no label file lists it" in outcome.error


@pytest.mark.parametrize("line", ["5 6 fourteen 18 0 0", "5 6 1e400 18", "5 6"])
def test_a_malformed_list_is_named_before_anything_is_done(
    tmp_path: Path, src: Path, copy: Callable[..., Outcome], line: str
) -> None:
    labels = src / "wider_face_split/wider_face_val_bbx_gt.txt"
    labels.write_text(labels.read_text().replace("5 6 14 18 0 0 0 0 0 0", line))
    outcome = copy(src, tmp_path / "dst")
    assert outcome.status == 1
    assert "wider_face_val_bbx_gt.txt:3" in outcome.error
    assert not (tmp_path / "dst").exists()


@pytest.mark.parametrize("name", ["voc", "yolo"])
def test_malformed_labels_of_one_picture_fail_it_alone(
    tmp_path: Path, copy: Callable[..., Outcome], name: str
) -> None:
    LAYOUTS[name](tmp_path / "src")
    label = {"voc": "Annotations/a.xml", "yolo": "labels/train/a.txt"}[name]
    write(tmp_path / "src" / label, "0 0.5 nonsense")
    outcome = copy(tmp_path / "src", tmp_path / "dst")
    assert outcome.status == 1
    assert label in outcome.error
    assert set(tree(tmp_path / "src")) - set(tree(tmp_path / "dst")) == {FIRST[name]}
    verified = copy("--verify", tmp_path / "dst")
    assert verified.status == 1
    assert f"{FIRST[name]}: could not be made" in verified.error


def test_a_box_outside_its_picture_is_named(
    tmp_path: Path, src: Path, copy: Callable[..., Outcome]
) -> None:
    labels = src / "wider_face_split/wider_face_val_bbx_gt.txt"
    labels.write_text(labels.read_text().replace("5 6 14 18", "500 6 14 18"))
    outcome = copy(src, tmp_path / "dst")
    assert outcome.status == 1
    assert f"FAILED {src / FIRST['widerface']}" in outcome.error
    assert "cover no pixel" in outcome.error


def test_labels_that_lead_out_of_the_data_set_are_refused(
    tmp_path: Path, src: Path, copy: Callable[..., Outcome]
) -> None:
    save(tmp_path / "secret.jpg")
    labels = src / "wider_face_split/wider_face_val_bbx_gt.txt"
    labels.write_text(labels.read_text().replace("0--Event/b.jpg", "../../../secret.jpg"))
    outcome = copy(src, tmp_path / "dst")
    assert outcome.status == 1
    assert "leads out of the data set" in outcome.error
    assert not (tmp_path / "dst").exists()


def test_links_out_of_the_data_set_are_named(
    tmp_path: Path, src: Path, copy: Callable[..., Outcome]
) -> None:
    write(tmp_path / "secret.txt", "secret")
    (src / "secret.txt").symlink_to(tmp_path / "secret.txt")
    (src / "circle").symlink_to(src)
    outcome = copy(src, tmp_path / "dst")
    assert outcome.status == 1
    assert "a link out of the folder" in outcome.error
    assert "a link in a circle" in outcome.error
    assert not [name for name in tree(tmp_path / "dst") if "secret" in name or "circle" in name]


def test_files_that_were_not_ours_stay(
    tmp_path: Path, src: Path, copy: Callable[..., Outcome]
) -> None:
    write(tmp_path / "dst/mine.txt", "mine")
    outcome = copy(src, tmp_path / "dst")
    assert outcome.status == 2
    assert "holds files" in outcome.error
    assert tree(tmp_path / "dst") == ["mine.txt"]
    assert copy(src, tmp_path / "other").status == 0
    foreign = tmp_path / "other" / FIRST["widerface"]
    save(foreign, 9)
    clear = foreign.read_bytes()
    outcome = copy(src, tmp_path / "other")
    assert outcome.status == 1
    assert "is none of ours" in outcome.error
    assert foreign.read_bytes() == clear


@pytest.mark.parametrize(
    "places", [("src", "src/dst"), ("src", "."), ("src", "src"), ("no", "dst")]
)
def test_folders_in_each_other_are_refused(
    tmp_path: Path, src: Path, copy: Callable[..., Outcome], places: tuple[str, str]
) -> None:
    before = tree(tmp_path)
    outcome = copy(tmp_path / places[0], tmp_path / places[1])
    assert outcome.status == 2
    assert tree(tmp_path) == before


def test_names_that_differ_in_case_are_two_files(
    tmp_path: Path, copy: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "src/a.png")
    save(tmp_path / "src/A.png", 1)
    assert copy(tmp_path / "src", tmp_path / "dst").status == 0
    assert tree(tmp_path / "dst") == ["A.png", "a.png"]
    monkeypatch.setattr(dataset_places, "folds_case", lambda folder: True)
    outcome = copy(tmp_path / "src", tmp_path / "other")
    assert outcome.status == 1
    assert "in case alone" in outcome.error
    assert tree(tmp_path / "other") == ["A.png"]


def test_a_yaml_that_names_the_source_in_full_is_told(
    tmp_path: Path, copy: Callable[..., Outcome]
) -> None:
    data_sets.yolo(tmp_path / "src")
    path = tmp_path / "src/data.yaml"
    path.write_text(path.read_text().replace("path: .", f"path: {tmp_path / 'src'}"))
    outcome = copy(tmp_path / "src", tmp_path / "dst")
    assert outcome.status == 0
    assert f"NOTE {path}" in outcome.error
    assert "reads the source" in outcome.error


def test_a_copy_of_real_wider_photos(tmp_path: Path, command: Callable[..., Outcome]) -> None:
    photos = ROOT.parent / "shared/data/faces"
    if not photos.is_dir():
        pytest.skip("the development photos are not here")
    listed = (photos / "wider_face_split/wider_face_val_bbx_gt.txt").read_text().splitlines()
    name, count = listed[0], int(listed[1])
    src = tmp_path / "src"
    write(src / "wider_face_split/wider_face_val_bbx_gt.txt", "\n".join(listed[: count + 2]))
    (src / "WIDER_val/images" / name).parent.mkdir(parents=True)
    shutil.copy(photos / "WIDER_val/images" / name, src / "WIDER_val/images" / name)
    words = ("--detector", "fast", "--method", "gaussian")
    assert command("dataset", src, tmp_path / "dst", *words).status == 0
    assert command("dataset", "--verify", tmp_path / "dst", "--source", src).status == 0
    assert len(rows(tmp_path / "dst")[f"WIDER_val/images/{name}"].boxes) >= count


WRONGS: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "a clear picture put back": (
        lambda src, dst: shutil.copy(src / FIRST["widerface"], dst / FIRST["widerface"]),
        f"{FIRST['widerface']}: is the clear picture",
    ),
    "a label changed": (
        lambda src, dst: write(dst / "wider_face_split/wider_face_val_bbx_gt.txt", "none"),
        "wider_face_val_bbx_gt.txt: is not as it was made",
    ),
    "a file missing": (
        lambda src, dst: (dst / "WIDER_val/images/0--Event/b.jpg").unlink(),
        "b.jpg: is missing",
    ),
    "an extra file": (
        lambda src, dst: save(dst / "WIDER_val/images/0--Event/extra.jpg"),
        "extra.jpg: was not made by the run",
    ),
    "a link": (
        lambda src, dst: (dst / "link.jpg").symlink_to(src / FIRST["widerface"]),
        "link.jpg",
    ),
    "a thumbnail": (
        lambda src, dst: _add_thumbnail(src / FIRST["widerface"], dst / FIRST["widerface"]),
        f"{FIRST['widerface']}: holds EXIF with a thumbnail",
    ),
    "a line of the manifest edited": (
        lambda src, dst: _edit(dst, lambda line: line.replace('"done"', '"done "', 1)),
        "manifest.jsonl: is not as it was written",
    ),
    "a line of the manifest missing": (
        lambda src, dst: _edit(dst, lambda text: text.partition("\n")[2]),
        "manifest.jsonl: is not as it was written",
    ),
}


def _add_thumbnail(clear: Path, safe: Path) -> None:
    with Pillow.open(clear) as image:
        small = image.resize((16, 12))
    thumbnail = clear.with_name("thumbnail.jpg")
    small.save(thumbnail)
    # IFD0 without entries, then IFD1 that tells where the thumbnail lies.
    data = thumbnail.read_bytes()
    thumbnail.unlink()
    entries = b"".join(
        tag.to_bytes(2, "little") + b"\4\0\1\0\0\0" + value.to_bytes(4, "little")
        for tag, value in ((0x0201, 44), (0x0202, len(data)))
    )
    packet = b"II*\0\x08\0\0\0" + b"\0\0" + (14).to_bytes(4, "little")
    packet += b"\x02\0" + entries + b"\0\0\0\0"
    segment = b"Exif\0\0" + packet + data
    jpeg = safe.read_bytes()
    length = (len(segment) + 2).to_bytes(2, "big")
    safe.write_bytes(jpeg[:2] + b"\xff\xe1" + length + segment + jpeg[2:])


def _edit(dst: Path, change: Callable[[str], str]) -> None:
    path = dst.with_name("dst.dartblur") / "manifest.jsonl"
    path.write_text(change(path.read_text()))


@pytest.mark.parametrize("kind", WRONGS)
@pytest.mark.parametrize("with_source", [False, True])
def test_verify_catches(
    tmp_path: Path, src: Path, copy: Callable[..., Outcome], kind: str, with_source: bool
) -> None:
    dst = tmp_path / "dst"
    copy(src, dst)
    source = ("--source", src) if with_source else ()
    assert copy("--verify", dst, *source).status == 0
    spoil, told = WRONGS[kind]
    spoil(src, dst)
    outcome = copy("--verify", dst, *source)
    assert outcome.status == 1
    assert [line for line in outcome.error.splitlines() if "WRONG" in line and told in line]


def test_verify_tells_a_table_that_is_not_the_lines(
    tmp_path: Path, src: Path, copy: Callable[..., Outcome]
) -> None:
    copy(src, tmp_path / "dst")
    table = tmp_path / "dst.dartblur/manifest.parquet"
    kept = table.read_bytes()
    (src / "WIDER_val/images/0--Event/b.jpg").unlink()
    copy(src, tmp_path / "dst")
    table.write_bytes(kept)
    outcome = copy("--verify", tmp_path / "dst")
    assert outcome.status == 1
    assert "manifest.parquet" in outcome.error


def test_verify_with_another_source_says_so(
    tmp_path: Path, src: Path, copy: Callable[..., Outcome]
) -> None:
    copy(src, tmp_path / "dst")
    save(src / FIRST["widerface"], 7)
    outcome = copy("--verify", tmp_path / "dst", "--source", src)
    assert outcome.status == 1
    assert "its source is not what it was made of" in outcome.error


def test_a_box_that_was_left_clear_is_seen_in_the_pixels(
    tmp_path: Path, copy: Callable[..., Outcome]
) -> None:
    """Even where all hashes fit."""
    src, dst, state = tmp_path / "src", tmp_path / "dst", tmp_path / "dst.dartblur"
    data_sets.folder(src)
    copy(src, dst)
    made = rows(dst)
    picture = made["cat/a.png"]

    def told(*box: float) -> None:
        made["cat/a.png"] = replace(picture, boxes=(*picture.boxes, (*box, 0.9)))
        write_manifest(state, made.values())

    # So few pixels show nobody, and JPEG may leave them as they were.
    told(60, 40, 63, 43)
    assert copy("--verify", dst, "--source", src).status == 0
    told(60, 40, 64, 42)
    assert "is clear in the box 60, 40 to 64, 42" in copy("--verify", dst, "--source", src).error
    told(60, 40, 75, 55)
    assert copy("--verify", dst).status == 0
    outcome = copy("--verify", dst, "--source", src)
    assert outcome.status == 1
    assert "cat/a.png: is clear in the box 60, 40 to 75, 55" in outcome.error


def test_shards_merged_are_the_whole(
    tmp_path: Path, src: Path, copy: Callable[..., Outcome]
) -> None:
    for seed in range(4):
        save(src / f"WIDER_test/images/{seed}.png", seed)
    assert copy(src, tmp_path / "whole").status == 0
    dst = tmp_path / "dst"
    for shard in ("2/3", "1/3"):
        assert copy(src, dst, "--shard", shard).status == 0
    outcome = copy(src, dst, "--merge")
    assert outcome.status == 2
    assert "shard-3-of-3" in outcome.error
    assert copy(src, dst, "--shard", "3/3").status == 0
    assert copy(src, dst, "--merge").status == 0
    assert tree(dst) == tree(tmp_path / "whole")
    assert all((dst / n).read_bytes() == (tmp_path / "whole" / n).read_bytes() for n in tree(dst))
    manifests = [tmp_path / f"{name}.dartblur/manifest.jsonl" for name in ("dst", "whole")]
    assert manifests[0].read_bytes() == manifests[1].read_bytes()
    assert copy("--verify", dst, "--source", src).status == 0
    assert "already done" in copy(src, dst, "--shard", "1/3").error


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2"])
def test_a_shard_that_is_none(
    tmp_path: Path, src: Path, copy: Callable[..., Outcome], shard: str
) -> None:
    outcome = copy(src, tmp_path / "dst", f"--shard={shard}")
    assert outcome.status == 2
    assert "--shard must be i/n" in outcome.error


def test_tar_shards_are_hidden_and_told_picture_by_picture(
    tmp_path: Path, copy: Callable[..., Outcome]
) -> None:
    picture = save(tmp_path / "a.png")
    (tmp_path / "src").mkdir()
    with tarfile.open(tmp_path / "src/a.tar", "w") as archive:
        archive.add(picture, "0001.png")
        archive.add(write(tmp_path / "a.txt", "a caption"), "0001.txt")
        told = json.dumps({"objects": {"bbox": [BOX]}})
        archive.add(write(tmp_path / "a.json", told), "0001.json")
        archive.add(tmp_path / "a.json", "0002.json")
    dst = tmp_path / "dst"
    outcome = copy(tmp_path / "src", dst)
    assert outcome.status == 0
    assert "a.tar: 0002.json tells of a picture that is not there" in outcome.error
    made = rows(dst)
    assert {name: row.kind for name, row in made.items()} == {
        "a.tar": "shard",
        "a.tar/0001.png": "member",
    }
    assert len(made["a.tar/0001.png"].boxes) == 2
    assert sum(count for count, _ in made["a.tar/0001.png"].recall) == 1
    with tarfile.open(dst / "a.tar") as archive:
        safe = archive.extractfile("0001.png").read()
        assert archive.extractfile("0001.txt").read() == b"a caption"
        assert archive.extractfile("0001.json").read() == told.encode()
    assert hashlib.sha256(safe).hexdigest() == made["a.tar/0001.png"].sha256_out
    assert safe != picture.read_bytes()
    assert copy("--verify", dst, "--source", tmp_path / "src").status == 0
    assert copy(tmp_path / "src", dst, "--hidden", "labelled").status == 0
    assert len(rows(dst)["a.tar/0001.png"].boxes) == 1


@pytest.mark.parametrize("kind", ["parquet", "on disk"])
@pytest.mark.parametrize("hidden", ["both", "labelled", "detected"])
def test_labels_in_tables_of_hugging_face_are_hidden_and_kept(
    tmp_path: Path, copy: Callable[..., Outcome], kind: str, hidden: str
) -> None:
    datasets = pytest.importorskip("datasets")
    boxes = datasets.List(datasets.List(datasets.Value("float32"), 4))
    kinds = datasets.List(datasets.ClassLabel(names=["dog", "face"]))
    features = datasets.Features(
        {"image": datasets.Image(), "objects": {"bbox": boxes, "category": kinds}}
    )
    told = [{"bbox": [BOX, (60, 40, 9, 9)], "category": [1, 0]}, {"bbox": [], "category": []}]
    images = [Pillow.fromarray(textured(data_sets.HEIGHT, data_sets.WIDTH, n)) for n in range(2)]
    clear = datasets.Dataset.from_dict({"image": images, "objects": told}, features)
    src, dst = tmp_path / "src", tmp_path / "dst"
    if kind == "parquet":
        (src / "data").mkdir(parents=True)
        clear.to_parquet(str(src / "data/train-00000-of-00001.parquet"))
    else:
        clear.save_to_disk(str(src))
    outcome = copy(src, dst, "--hidden", hidden)
    assert outcome.status == 0, outcome.error
    if kind == "parquet":
        cache = str(tmp_path / "cache")
        safe = datasets.load_dataset(str(dst), split="train", cache_dir=cache)
    else:
        safe = datasets.load_from_disk(str(dst))
    assert safe.features == features
    assert safe["objects"] == clear["objects"]
    x, y, width, height = BOX
    for number in range(2):
        before, after = (np.asarray(d[number]["image"], np.int16) for d in (clear, safe))
        changed = np.abs(before - after).mean(axis=2)
        inside = changed[y + 3 : y + height - 3, x + 3 : x + width - 3].mean()
        assert (inside > 50) == (hidden != "detected" and number == 0)
        assert (changed[25:35, 32:48].mean() > 50) == (hidden != "labelled")
        assert changed[42:48, 62:68].mean() == 0  # a dog
    members = [row for row in rows(dst).values() if row.kind == "member"]
    if hidden != "labelled":
        assert [sum(n for n, _ in row.recall) for row in members] == [1, 0]
    assert copy("--verify", dst, "--source", src).status == 0
    assert "0 done" in copy(src, dst, "--hidden", hidden).error
    if hidden == "labelled":
        assert copy(src, dst, "--hidden", hidden, "--classes", "dog").status == 0
        boxes_of = [row.boxes for row in rows(dst).values() if row.kind == "member"]
        assert [len(found) for found in boxes_of] == [1, 0]
        assert boxes_of[0][0][:4] == (60, 40, 69, 49)


def test_malformed_boxes_in_a_table_fail_it(tmp_path: Path, copy: Callable[..., Outcome]) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    (tmp_path / "src").mkdir()
    image = {"bytes": save(tmp_path / "a.png").read_bytes(), "path": "a.png"}
    table = pa.table({"image": [image], "objects": [{"bbox": [[1.0, 2.0]]}]})
    parquet.write_table(table, tmp_path / "src/a.parquet")
    outcome = copy(tmp_path / "src", tmp_path / "dst")
    assert outcome.status == 1
    assert "a.parquet: row 0: a bbox in objects is not x y w h" in outcome.error
    assert tree(tmp_path / "dst") == []


def test_films_are_hidden_and_told(tmp_path: Path, src: Path, copy: Callable[..., Outcome]) -> None:
    (src / "films").mkdir()
    clear = make_film(src / "films/walk.mp4", sound=True, tags={"title": "Anna at home"})
    dst = tmp_path / "dst"
    words = (src, dst, "--audio", "drop")
    outcome = copy(*words)
    assert outcome.status == 0, outcome.error
    assert "1 films, whose faces" in (tmp_path / "dst.dartblur/README.md").read_text()
    row = rows(dst)["films/walk.mp4"]
    assert (row.kind, row.status, row.width, row.height) == ("film", "done", 96, 64)
    assert row.sha256_in == hashlib.sha256(clear.read_bytes()).hexdigest()
    safe = dst / "films/walk.mp4"
    assert row.sha256_out == hashlib.sha256(safe.read_bytes()).hexdigest()
    for before, after in zip(pictures(clear), pictures(safe), strict=True):
        assert np.abs(before.astype(int) - after)[26:38, 40:56].mean() > 50
    assert not packets(safe, "audio")
    assert b"Anna" not in safe.read_bytes()
    assert copy("--verify", dst, "--source", src).status == 0
    assert "0 done, 6 already done" in copy(*words).error
    assert "1 done" in copy(src, dst).error  # with its sound
    shutil.copy(clear, safe)
    outcome = copy("--verify", dst)
    assert outcome.status == 1
    assert "walk.mp4: is the clear film" in outcome.error


def test_a_film_has_no_labels(tmp_path: Path, src: Path, copy: Callable[..., Outcome]) -> None:
    make_film(src / "walk.mp4")
    outcome = copy(src, tmp_path / "dst", "--hidden", "labelled")
    assert outcome.status == 1
    assert "walk.mp4: no label tells of films" in outcome.error
    assert not (tmp_path / "dst/walk.mp4").exists()


def test_a_broken_tar_fails_alone(tmp_path: Path, copy: Callable[..., Outcome]) -> None:
    data_sets.folder(tmp_path / "src")
    (tmp_path / "src/cut.tar").write_bytes(b"x" * 1000)
    outcome = copy(tmp_path / "src", tmp_path / "dst")
    assert outcome.status == 1
    assert "FAILED" in outcome.error
    assert "cut.tar: cut off" in outcome.error
    assert set(tree(tmp_path / "src")) - set(tree(tmp_path / "dst")) == {"cut.tar"}


# The command, which kills itself at its third file: before it has its name, or right after.
DYING = """
import os, signal, sys
from dartblur import cli
from dartblur.batch import remote
moment, begun, real = sys.argv.pop(1), [], remote.write_atomically

def write(target, data, parts=None):
    begun.append(target)
    if len(begun) < 3:
        return real(target, data, parts)
    if moment == "after":
        real(target, data, parts)
    else:
        (parts / ".dartblur-dying.part").write_bytes(data[:100])
    os.kill(os.getpid(), signal.SIGKILL)

remote.write_atomically = write
cli.main()
"""


def test_killed_and_run_again_gives_the_bytes_of_a_whole_run(
    tmp_path: Path, src: Path, command: Callable[..., Outcome]
) -> None:
    words = ("--hidden", "labelled", "--method", "block", "--workers", "2")
    for seed in range(4):
        save(src / f"WIDER_val/images/0--Event/{seed}.png", seed)
    labels = src / "wider_face_split/wider_face_val_bbx_gt.txt"
    more = "".join(f"0--Event/{seed}.png\n1\n5 6 14 18 0 0 0 0 0 0\n" for seed in range(4))
    labels.write_text(labels.read_text() + more)
    assert command("dataset", src, tmp_path / "whole", *words).status == 0
    for moment in ("before", "after"):
        dying = [sys.executable, "-c", DYING, moment, "dataset", src, tmp_path / "dst", *words]
        done = subprocess.run([str(word) for word in dying], capture_output=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(tree(tmp_path / "dst")) < len(tree(src))
    assert command("dataset", src, tmp_path / "dst", *words).status == 0
    assert tree(tmp_path / "dst") == tree(src)
    for name in tree(src):
        safe = (tmp_path / "dst" / name).read_bytes()
        assert safe == (tmp_path / "whole" / name).read_bytes()
    manifests = [tmp_path / f"{name}.dartblur/manifest.jsonl" for name in ("dst", "whole")]
    assert manifests[0].read_bytes() == manifests[1].read_bytes()
    assert not list(tmp_path.rglob("*.part"))
