"""The command line: what it takes, what it says, and how it ends."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.conftest import Outcome
from tests.pictures import textured, tree

import dartblur
from dartblur import cli

Run = Callable[..., Outcome]
Save = Callable[..., Path]


@pytest.fixture
def source(tmp_path: Path, save: Save) -> Path:
    return save(tmp_path / "in" / "a.png")


def test_all_done_is_0_some_failed_is_1(tmp_path: Path, source: Path, hide: Run) -> None:
    assert hide(source, "-o", tmp_path / "one").status == 0
    (source.parent / "b.png").write_bytes(b"bad")
    outcome = hide(source.parent, "-o", tmp_path / "two")
    assert outcome.status == 1
    assert outcome.error.count("FAILED") == 2  # by name, and in the summary
    assert "1 done (1 faces), 1 FAILED" in outcome.error


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--method", "melt"], "melt"),
        (["--detector", "eagle"], "eagle"),
        (["--threshold", 2], "2"),
        (["--threshold", "high"], "high"),
        (["--margin", -1], "-1"),
        (["--strength", 0], "strength"),
        (["--method", "pixelate", "--cells", 0], "cells"),
        (["--method", "gaussian", "--strength", "1e-9"], "can still be recognised"),
        (["--method", "pixelate", "--cells", 100_000], "can still be recognised"),
        (["--workers", 100_000], "workers must lie in 0.."),
        (["--colour", 0, 0, 256], "256"),
        (["--protect", "well"], "well"),
        (["--protect", "strict", "--method", "dartblur"], "leave out protect"),
        (["--protect", "data", "--generator", "compact"], "leave out protect"),
        (["--protect", "photos", "--strength", 2], "leave out protect"),
        (["--method", "dartblur", "--weights", "none.onnx"], "none.onnx"),
        (["--method", "dartblur", "--weights", __file__], "test_cli.py"),
        (["--colour", 1], "colour"),
        (["--workers", -2], "-2"),
        (["--max-megapixels", 0], "max-megapixels"),
        (["--max-megapixels", "nan"], "nan"),
        (["--boxes-mode", "both"], "both"),
        (["--no-such-option"], "no-such-option"),
        (["--overwrite", "perhaps"], "perhaps"),
    ],
    ids=str,
)
def test_a_wrong_call_is_2_and_touches_nothing(
    tmp_path: Path, source: Path, command: Run, words: list[object], told: str
) -> None:
    outcome = command("anonymize", source.parent, "-o", tmp_path / "out", *words)
    assert outcome.status == 2
    assert told in outcome.error
    assert "Traceback" not in outcome.error
    assert not (tmp_path / "out").exists()
    assert tree(source.parent) == ["a.png"]


def test_no_output_no_input_and_no_such_command(source: Path, command: Run) -> None:
    for words in (["anonymize", source], ["anonymise", source, "-o", "x"], ["anonymize"]):
        outcome = command(*words)
        assert outcome.status == 2
        assert "Traceback" not in outcome.error
    outcome = command("anonymize", "-o", source.parent / "out")
    assert outcome.status == 2
    assert not (source.parent / "out").exists()


def test_help_and_version(command: Run) -> None:
    assert command("--version").error.strip() == dartblur.__version__
    overview = command("--help")
    assert overview.status == 0
    for name in ("anonymize", "detect"):
        assert name in overview.error
        assert command(name, "--help").status == 0
    help_text = command("anonymize", "--help").error
    for option in (
        "--method",
        "--detector",
        "--boxes",
        "--threshold",
        "--margin",
        "--boxes-out",
        "--workers",
        "--overwrite",
        "--keep-metadata",
    ):
        assert option in help_text


def test_options_come_from_a_file(tmp_path: Path, source: Path, command: Run) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[anonymize]\nmethod = "block"\ncolour = [9, 8, 7]\nworkers = 1\n')
    boxes = tmp_path / "b.json"
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"image_id": 1, "bbox": [10, 10, 5, 5]}],
    }
    boxes.write_text(json.dumps(content))
    words = ("anonymize", source, "--boxes", boxes)
    assert command("--config", config, *words, "-o", tmp_path / "one").status == 0
    safe = np.array(Pillow.open(tmp_path / "one" / "a.png"))
    assert (safe[12, 12] == [9, 8, 7]).all()
    said = ("--colour", 1, 2, 3)
    assert command("--config", config, *words, "-o", tmp_path / "two", *said).status == 0
    safe = np.array(Pillow.open(tmp_path / "two" / "a.png"))
    assert (safe[12, 12] == [1, 2, 3]).all()  # the command line has the last word


@pytest.mark.parametrize(
    "content",
    [
        "[anonymize]\nmethodd = 1",
        "[anonymize]\nmethod = 3",
        "[anonymize",
        "workers = 1",
        "[anonymise]\nworkers = 1",
        "anonymize = 1",
        "\udcff",
    ],
)
def test_a_wrong_configuration_is_2(
    tmp_path: Path, source: Path, command: Run, content: str
) -> None:
    config = tmp_path / "wrong.toml"
    config.write_bytes(content.encode("utf-8", "surrogateescape"))
    words = ("anonymize", source, "-o", tmp_path / "out")
    outcome = command("--config", config, *words)
    assert outcome.status == 2
    assert "Traceback" not in outcome.error
    assert not (tmp_path / "out").exists()
    assert outcome.error.strip()


def test_a_missing_configuration_is_2(tmp_path: Path, source: Path, command: Run) -> None:
    outcome = command("--config", tmp_path / "none.toml", "anonymize", source, "-o", tmp_path / "o")
    assert outcome.status == 2
    assert "none.toml" in outcome.error


def test_a_configuration_without_a_name_is_2(source: Path, command: Run) -> None:
    outcome = command("anonymize", source, "--config")
    assert (outcome.status, outcome.error.count("\n")) == (2, 1)
    assert "--config" in outcome.error


def test_detect_writes_boxes_that_anonymize_takes(
    tmp_path: Path, source: Path, command: Run, hide: Run
) -> None:
    (source.parent / "bad.png").write_bytes(b"bad")
    file = tmp_path / "boxes.json"
    outcome = command("detect", source.parent, "-o", file, "--workers", 1)
    assert outcome.status == 1
    assert "FAILED" in outcome.error
    content = json.loads(file.read_text())
    [image] = content["images"]
    assert (image["file_name"], image["width"], image["height"]) == ("a.png", 60, 48)
    # 20 × 16 as it is found, grown by the default margin.
    assert [row["bbox"] for row in content["annotations"]] == [[17, 13.6, 26, 20.8]]
    assert tree(source.parent) == ["a.png", "bad.png"]
    assert hide(source, "-o", tmp_path / "out", "--boxes", file).status == 0
    # Black in the middle; it passes into its surroundings at the border.
    hidden = np.array(Pillow.open(tmp_path / "out" / "a.png"))
    assert (hidden[20:28, 25:35] == 0).all()
    # What detect found hides as much as what anonymize finds.
    words = ("--method", "block", "--workers", 1)
    assert command("anonymize", source, "-o", tmp_path / "found", *words).status == 0
    assert (np.array(Pillow.open(tmp_path / "found" / "a.png")) == hidden).all()


def test_detect_tells_boxes_as_found_where_asked(
    tmp_path: Path, source: Path, command: Run, stub_detector: None
) -> None:
    file = tmp_path / "boxes.json"
    assert command("detect", source, "-o", file, "--workers", 1, "--margin", 0).status == 0
    rows = json.loads(file.read_text())["annotations"]
    assert [row["bbox"] for row in rows] == [[20, 16, 20, 16]]


@pytest.mark.parametrize("words", [["--margin", -1], ["--detector", "x"], ["--workers", -1]])
def test_a_wrong_detect_is_2(
    tmp_path: Path, source: Path, command: Run, words: list[object]
) -> None:
    assert command("detect", source, "-o", tmp_path / "b.json", *words).status == 2
    assert not (tmp_path / "b.json").exists()


def test_detect_needs_a_file_to_write_and_something_to_read(
    tmp_path: Path, source: Path, command: Run, stub_detector: None
) -> None:
    assert command("detect", source, "-o", tmp_path).status == 2
    assert command("detect", "-o", tmp_path / "b.json").status == 2
    before = source.read_bytes()
    assert command("detect", source, "-o", source).status == 2
    assert source.read_bytes() == before
    assert command("detect", source, "-o", tmp_path / "new" / "b.json").status == 0


def _run_script(script: str, *words: object) -> subprocess.CompletedProcess[str]:
    """A Python of its own that prepares something, and then is the `dartblur` command."""
    code = script + "\nfrom dartblur.__main__ import main\nmain()\n"
    call = [sys.executable, "-c", code, *(str(word) for word in words)]
    return subprocess.run(call, capture_output=True, text=True, timeout=100, check=False)


# As where only the base is installed: what the extras bring cannot be found.
_BASE_ALONE = """
import sys
class Absent:
    extras = {"torch", "lightning_fabric", "onnx", "onnxscript", "retinaface", "scipy",
              "matplotlib", "faster_coco_eval", "mtcnn", "yuface", "pillow_heif"}
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.extras:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["train", "--config", "c.toml", "--data", "d", "-o", "r"], "train"),
        (["--config", "c.toml", "train", "d", "-o", "r"], "train"),
        (["train", "--help"], "train"),
        (["export", "r", "-o", "g.onnx"], "train"),
        (["evaluate", "--data", "d", "-o", "r"], "train,evaluate"),
        (["evaluate-photo", "p.jpg", "-o", "f.png"], "evaluate"),
        (["evaluate-widerface", "p", "g"], "evaluate"),
    ],
    ids=str,
)
def test_a_command_that_lacks_its_extra_names_it(words: list[str], extra: str) -> None:
    run = _run_script(_BASE_ALONE, *words)
    assert run.returncode == 2
    [line] = run.stderr.splitlines()
    assert line.endswith(f"pip install 'dartblur[{extra}]'")


def test_the_overview_describes_every_command_with_the_base_alone() -> None:
    run = _run_script(_BASE_ALONE, "--help")
    assert run.returncode == 0
    for name in cli.app:
        if not name.startswith("-"):
            assert re.search(rf"│ {name}  +[A-Z]\w+ ", run.stdout), name


@pytest.mark.parametrize("name", cli._COMMANDS)
def test_the_overview_says_what_the_command_says_of_itself(name: str) -> None:
    module, _, function = cli._COMMANDS[name].target.partition(":")
    loaded = pytest.importorskip(module, reason="its extra is not installed")
    said = getattr(loaded, function).__doc__.splitlines()[0]
    assert said.replace("`", "") == cli._COMMANDS[name].help


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("anonymise", "did you mean 'anonymize'?"),
        ("evaluate_photo", "did you mean 'evaluate-photo'?"),
        ("frobnicate", "there are anonymize, detect, dataset, review, compare, train"),
        ("photo.jpg", "there are anonymize"),
    ],
)
def test_a_misspelt_command(word: str, told: str) -> None:
    run = _run_script(_BASE_ALONE, word, "x", "-o", "y")
    assert run.returncode == 2
    [line] = run.stderr.splitlines()
    assert told in line


def test_an_option_is_shown_once_in_a_command_s_help(command: Run) -> None:
    pytest.importorskip("dartblur.training.run", reason="the extra train is not installed")
    assert len(re.findall(r"(?m)^│[ *]+--config\b", command("train", "--help").error)) == 1
    assert "│    --config" not in command("anonymize", "--help").error


@pytest.mark.parametrize("module", ["cv2", "onnxruntime", "cyclopts", "dartblur.cli"])
def test_an_interrupt_while_the_command_loads(tmp_path: Path, module: str) -> None:
    script = f"""
import os, signal, sys
# Whoever runs the tests behind a shell has interrupts ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
"""
    run = _run_script(script, "anonymize", tmp_path, "-o", tmp_path / "out")
    assert run.returncode == 130
    assert run.stderr == "stopped; nothing was begun\n"


# Every way to another machine, of Python's and of libraries that ask the system themselves.
_NO_NETWORK = """
import socket, sys
def refuse(event, args):
    if event.startswith("socket.") and event != "socket.gethostname":
        raise RuntimeError(f"a run asked for {event}: {args}")
sys.addaudithook(refuse)
"""


def test_a_run_needs_no_network(tmp_path: Path, source: Path) -> None:
    """No telemetry, no weights from elsewhere, no look for updates."""
    run = _run_script(_NO_NETWORK, "anonymize", source, "-o", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "out" / "a.png").is_file()


def test_a_run_leaves_nothing_in_the_home(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime's telemetry keeps an identity of the machine and a file of what ran there."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    run = _run_script("", "anonymize", source, "-o", tmp_path / "out", "--detector", "fast")
    assert run.returncode == 0, run.stderr
    assert list(home.rglob("*")) == []


@pytest.mark.skipif(sys.platform != "linux", reason="by the system calls' own filter of Linux")
def test_a_run_opens_no_socket(tmp_path: Path, source: Path) -> None:
    """Of native libraries too: the system lets the whole process open none."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    trace = tmp_path / "calls"
    call = [strace, "-f", "-e", "trace=socket,connect,sendto", "-o", str(trace), sys.executable]
    words = ["-m", "dartblur", "anonymize", str(source), "-o", str(tmp_path / "out")]
    run = subprocess.run([*call, *words], capture_output=True, text=True, timeout=110, check=False)
    if "ptrace" in run.stderr:
        pytest.skip("strace may not trace here")
    assert run.returncode == 0, run.stderr
    assert not [line for line in trace.read_text().splitlines() if "AF_INET" in line]


def test_verbose_tells_what_is_done(tmp_path: Path, source: Path) -> None:
    quiet = _run_script("", "anonymize", source, "-o", tmp_path / "one")
    told = _run_script("", "anonymize", source, "-o", tmp_path / "two", "--verbose")
    assert (quiet.returncode, told.returncode) == (0, 0)
    assert re.search(rf"dartblur\.batch: {source}: \d+ faces, [\d.]+ s", told.stderr)
    assert "dartblur.batch" not in quiet.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete(command: Run, shell: str) -> None:
    script = cli.app.generate_completion(shell=shell)
    for name in ("anonymize", "evaluate-photo", "keep-metadata"):
        assert name in script
    assert command("--install-completion", "--help").status == 0


def test_the_module_and_the_command_are_the_same() -> None:
    words = [sys.executable, "-m", "dartblur", "--version"]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == dartblur.__version__


def test_the_real_detector_hides_a_real_face(tmp_path: Path, command: Run, save: Save) -> None:
    data = pytest.importorskip("skimage.data", reason="scikit-image carries the photo")
    astronaut = np.asarray(data.astronaut())[:300, 100:400]
    source = save(tmp_path / "in" / "astronaut.png", np.ascontiguousarray(astronaut))
    words = ("--detector", "fast", "--method", "block", "--workers", 1)
    assert command("anonymize", source, "-o", tmp_path / "out", *words).status == 0
    safe = np.array(Pillow.open(tmp_path / "out" / "astronaut.png"))
    hidden = (safe == 0).all(axis=2) & (astronaut != 0).any(axis=2)
    assert hidden[90:150, 100:150].mean() > 0.9  # her eyes and nose
    assert hidden.mean() < 0.25
    np.testing.assert_array_equal(safe[200:], astronaut[200:])


def test_a_textured_picture_without_faces_stays(tmp_path: Path, command: Run, save: Save) -> None:
    image = textured(64, 64)
    source = save(tmp_path / "in" / "a.png", image)
    words = ("--detector", "fast", "--workers", 1)
    outcome = command("anonymize", source, "-o", tmp_path / "out", *words)
    assert outcome.status == 0
    if "(0 faces)" in outcome.error:
        np.testing.assert_array_equal(np.array(Pillow.open(tmp_path / "out" / "a.png")), image)


def test_a_device_that_is_not_here_is_refused(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    outcome = command("anonymize", tmp_path, "-o", tmp_path / "out", "--device", "cuda")
    assert outcome.status == 2
    assert "device 'cuda' is not offered by ONNX Runtime here (cpu are)" in outcome.error
    assert not (tmp_path / "out").exists()
