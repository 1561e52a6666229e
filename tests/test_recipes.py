"""Every code block of docs/recipes.md runs, where its library is installed."""

import importlib.util
import re
from pathlib import Path

import pytest
from PIL import Image as Pillow
from tests.pictures import textured
from tests.video.films import make_film, scene

from dartblur import api

PAGE = Path(__file__).parent.parent / "docs" / "recipes.md"
BLOCKS = re.findall(
    r"^```\{code-block\} python\n:name: recipe-(\w+)\n(.*?)^```$",
    PAGE.read_text("utf-8"),
    re.MULTILINE | re.DOTALL,
)
LIBRARIES = {"opencv": "cv2", "frames": "cv2", "film": "av"}


@pytest.mark.parametrize(("name", "code"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_a_recipe_runs(
    name: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stub_detector: None
) -> None:
    library = LIBRARIES.get(name, name)
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    Pillow.fromarray(textured(48, 60)).save(tmp_path / "photo.jpg")
    make_film(tmp_path / "film.mp4", [scene(number) for number in range(4)])
    monkeypatch.chdir(tmp_path)
    api._pipeline.cache_clear()
    # One namespace, as in a script.
    exec(compile(code, f"recipes.md: {name}", "exec"), {"__name__": "recipe"})
    api._pipeline.cache_clear()


def test_there_are_recipes() -> None:
    assert {name for name, _ in BLOCKS} >= {"opencv", "supervision", "datasets", "torch", "film"}
