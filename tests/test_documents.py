"""What the documents print is true: commands parse, links lead somewhere, the citation is whole."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

import dartblur
from dartblur import cli

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FENCES = re.compile(r"^```(?:console|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINKS = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def _commands(page: Path) -> list[str]:
    """Every `dartblur ...` that a page's blocks show, without its comment."""
    lines = [
        line for block in FENCES.findall(page.read_text("utf-8")) for line in block.split("\n")
    ]
    lines = [line.removeprefix("$ ").partition("  #")[0].strip() for line in lines]
    return [line for line in lines if line.startswith("dartblur ")]


def _options() -> set[str]:
    """Every option that some command takes."""
    apps = [cli.app[name] for name in cli.app if not name.startswith("-")]
    arguments = [argument for app in apps for argument in _arguments(app)]
    names = {name for argument in arguments for name in argument.names}
    return names | {"--help", "--version", "--config", "--verbose"}


def _arguments(app: Any) -> list[Any]:
    return list(app.assemble_argument_collection())


COMMANDS = [(page.name, line) for page in PAGES for line in _commands(page)]


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[f"{p}: {c}" for p, c in COMMANDS])
def test_a_printed_command_parses(page: str, line: str) -> None:
    words = shlex.split(line)[1:]
    if words[0] in ("train", "export", "evaluate", "evaluate-photo", "evaluate-widerface"):
        pytest.importorskip("torch", reason="these commands need the extras")
    call = cli._read(words)
    cli.app.parse_args(call.words, exit_on_error=False, print_error=False)


def test_options_that_the_pages_name_exist() -> None:
    pytest.importorskip("torch", reason="some commands need the extras")
    named = set(re.findall(r"`(--[a-z][a-z-]+)", (ROOT / "README.md").read_text("utf-8")))
    for page in ("video.md", "recipes.md"):
        named |= set(re.findall(r"`(--[a-z][a-z-]+)", (ROOT / "docs" / page).read_text("utf-8")))
    assert named - _options() == set()


def test_commands_that_do_not_exist_would_be_seen() -> None:
    with pytest.raises(Exception, match=r"(?i)unknown|unused"):
        cli.app.parse_args(
            ["anonymize", "a.jpg", "-o", "b", "--metod", "block"],
            exit_on_error=False,
            print_error=False,
        )
    assert len(COMMANDS) >= 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_of_the_repository(page: Path) -> None:
    for target in LINKS.findall(page.read_text("utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_row_of_a_table_has_as_many_cells_as_its_head(page: Path) -> None:
    width = 0
    for number, line in enumerate(page.read_text("utf-8").split("\n"), 1):
        row = line.strip()
        if not row.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", row))
        width = width or cells
        assert cells == width, f"{page.name}:{number}: {row}"


def test_the_citation_names_software_and_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == dartblur.__version__
    assert citation["preferred-citation"]["year"] == 2023


def test_the_notebook_is_kept_without_outputs() -> None:
    [path] = (ROOT / "docs" / "notebooks").glob("*.ipynb")
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
