"""The house as its imports say it is: a picture for docs/architecture.md, and its figures.

    python scripts/house.py picture [--check]  writes, or compares, docs/figures/architecture.svg
    python scripts/house.py figures [PACKAGE]  sizes of modules and functions in a package's folder
    python scripts/house.py trace train ...    runs this training: calls from `fit` to a loss

The floors are those of the import contract in pyproject.toml; an arrow is an import for which no
longer way over other rooms stands.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from html import escape
from pathlib import Path
from statistics import median, quantiles
from types import FrameType
from typing import Any

HERE = Path(__file__).resolve().parent.parent
PICTURE = HERE / "docs" / "figures" / "architecture.svg"
PACKAGE = HERE / "src" / "dartblur"
Edges = dict[str, set[str]]
# Pixels of the picture.
WIDTH, FLOOR, HEIGHT, LABEL = 1000, 84, 32, 12


def contract() -> tuple[list[list[str]], set[str]]:
    """The rooms floor by floor from the top, and those that only research needs."""
    rules = tomllib.loads((HERE / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers, runtime = rules["contracts"]
    floors = [
        sorted(part.strip() for part in layer.replace(":", "|").split("|"))
        for layer in layers["layers"]
    ]
    forbidden = {m.removeprefix("dartblur.") for m in runtime["forbidden_modules"]}
    return floors, forbidden & {room for floor in floors for room in floor}


def imports(package: Path) -> Edges:
    """Room → the rooms that any of its files imports, lazily imported ones too."""
    rooms = {path.stem for path in package.iterdir()}
    edges: Edges = defaultdict(set)
    for path in sorted(package.rglob("*.py")):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            edges[room] |= {name for name in _imported(node) if name in rooms and name != room}
    edges.pop("__init__", None)  # the public names, which stand on no floor
    return edges


def _imported(node: ast.AST) -> Iterator[str]:
    names: list[str] = []
    if isinstance(node, ast.ImportFrom) and node.module == "dartblur":
        names = [f"dartblur.{alias.name}" for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = [node.module]
    elif isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    for name in names:
        if name.startswith("dartblur."):
            yield name.split(".")[1]


def reduced(edges: Edges) -> Edges:
    """The edges that no longer way stands for."""

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for room in edges.get(waiting.pop(), set()) - seen:
                seen.add(room)
                waiting.append(room)
        return seen

    below = {room: reachable(room) for room in edges}
    return {
        room: {to for to in direct if not any(to in below.get(o, ()) for o in direct - {to})}
        for room, direct in edges.items()
    }


def picture() -> str:
    """The floors from the top, rooms in each, and arrows to what they import, as SVG."""
    floors, research = contract()
    edges = reduced(imports(PACKAGE))
    places = _places(floors, edges)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {FLOOR * len(floors)}" '
        'font-family="sans-serif" font-size="14">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#888"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{FLOOR * len(floors)}" fill="#fff"/>',
    ]
    for floor in range(len(floors)):
        shade = "#f4f4f2" if floor % 2 else "#fafaf8"
        out.append(f'<rect y="{floor * FLOOR}" width="{WIDTH}" height="{FLOOR}" fill="{shade}"/>')
        number = len(floors) - 1 - floor
        out.append(f'<text x="10" y="{floor * FLOOR + 20}" fill="#999">{number}</text>')
    for room in sorted(edges):
        out += [_arrow(places[room], places[to]) for to in sorted(edges[room])]
    for room, (x, y) in sorted(places.items()):
        fill, edge = ("#fde8d7", "#c8641e") if room in research else ("#dceaf7", "#2a6aa8")
        half = _half(room)
        out.append(
            f'<rect x="{x - half}" y="{y - HEIGHT // 2}" width="{2 * half}" height="{HEIGHT}" '
            f'rx="5" fill="{fill}" stroke="{edge}"/>'
        )
        out.append(f'<text x="{x}" y="{y + 5}" text-anchor="middle">{escape(room)}</text>')
    return "\n".join([*out, "</svg>", ""])


def _half(room: str) -> int:
    return max(34, len(room) * 9 // 2 + LABEL)


def _places(floors: list[list[str]], edges: Edges) -> dict[str, tuple[int, int]]:
    """The middle of each room; on each floor in the order of the rooms above that import them."""
    places: dict[str, tuple[int, int]] = {}
    for number, floor in enumerate(floors):
        over: dict[str, list[int]] = defaultdict(list)
        for room, (x, _) in places.items():
            for to in edges.get(room, ()):
                over[to].append(x)
        middle = {r: sum(over[r]) / len(over[r]) if over[r] else WIDTH / 2 for r in floor}
        order = sorted(floor, key=lambda room: (middle[room], room))
        free = WIDTH - 60 - sum(2 * _half(room) for room in order)
        gap = free / (len(order) + 1)
        # Rooms that are alone would stand in each other's arrows.
        x = 60 + gap * (1 if len(order) > 1 else 0.75 + 0.5 * (number % 2))
        for room in order:
            places[room] = (round(x) + _half(room), number * FLOOR + FLOOR // 2)
            x += 2 * _half(room) + gap
    return places


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    (x1, y1), (x2, y2) = start, end
    if y1 == y2:  # rooms of one floor that may import each other
        return ""
    y1, y2 = y1 + HEIGHT // 2, y2 - HEIGHT // 2
    bend = (y2 - y1) // 2
    return (
        f'<path d="M{x1} {y1}C{x1} {y1 + bend} {x2} {y2 - bend} {x2} {y2}" fill="none" '
        'stroke="#888" stroke-width="1.2" marker-end="url(#tip)"/>'
    )


def figures(package: Path) -> dict[str, Any]:
    """Lines of modules, and of functions from `def` to their last line, nested ones too."""
    modules: dict[str, int] = {}
    functions: list[int] = []
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        modules[path.relative_to(package).as_posix()] = len(text.splitlines())
        functions += [
            (node.end_lineno or node.lineno) - node.lineno + 1
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
    longest = max(modules, key=lambda name: modules[name])
    tenths = quantiles(functions, n=10, method="inclusive")
    return {
        "modules": len(modules),
        "lines": sum(modules.values()),
        "median module": round(median(modules.values())),
        "longest module": f"{modules[longest]} ({longest})",
        "modules over 200 lines": sum(n > 200 for n in modules.values()),
        "functions": len(functions),
        "function p50": round(tenths[4]),
        "function p90": round(tenths[8]),
        "functions over 40 lines": sum(n > 40 for n in functions),
    }


class Trace:
    """Watches the calls below `fit`: the ways to a loss, and which functions get its `training`.

    ways: the functions of each way from `fit` to a loss. whole, part: functions that get
    `training`, or one of its networks, its optimizer or its pool, as an argument.
    """

    def __init__(self) -> None:
        self.ways: set[tuple[str, ...]] = set()
        self.whole: set[str] = set()
        self.part: set[str] = set()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """See `sys.setprofile`."""
        code = frame.f_code
        if event != "call" or not _is_ours(frame) or (stack := _below_fit(frame)) is None:
            return
        training = stack[0].f_locals["training"]
        parts = {id(v) for v in vars(training).values() if not isinstance(v, int)}
        taken = [n for n in code.co_varnames[: code.co_argcount] if n != "self"]
        given = {id(frame.f_locals[name]) for name in taken if name in frame.f_locals}
        if id(training) in given:
            self.whole.add(_name(frame))
        elif given & parts:
            self.part.add(_name(frame))
        if code.co_name in ("__call__", "review_loss") and "/losses/" in code.co_filename:
            self.ways.add(tuple(map(_name, stack)))


def _is_ours(frame: FrameType) -> bool:
    return "/dartblur/" in frame.f_code.co_filename


def _below_fit(frame: FrameType) -> list[FrameType] | None:
    """The functions of ours from `fit` to this one; what has no name of its own is passed over."""
    stack: list[FrameType] = []
    at: FrameType | None = frame
    while at is not None:
        if _is_ours(at) and not at.f_code.co_name.startswith("<"):
            stack.append(at)
            if at.f_code.co_name == "fit" and "training" in at.f_locals:
                return stack[::-1]
        at = at.f_back
    return None


def _name(frame: FrameType) -> str:
    where = frame.f_code.co_filename.rsplit("/dartblur/", 1)[1]
    return f"{where}:{frame.f_code.co_qualname}"


def trace(words: list[str]) -> Trace:
    """Runs a command of dartblur in this process under watch."""
    sys.argv = ["dartblur", *words]
    from dartblur.cli import main

    watch = Trace()
    sys.setprofile(watch)
    try:
        main()
    except SystemExit as stop:
        if stop.code:
            raise
    finally:
        sys.setprofile(None)
    return watch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("picture").add_argument("--check", action="store_true")
    commands.add_parser("figures").add_argument("package", type=Path, nargs="?", default=PACKAGE)
    commands.add_parser("trace").add_argument("words", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if arguments.command == "figures":
        for name, value in figures(arguments.package).items():
            print(f"{name:24}{value}")
    elif arguments.command == "trace":
        watch = trace(arguments.words)
        for way in sorted(watch.ways):
            print(len(way) - 1, "calls:", " → ".join(name.split(":")[1] for name in way))
        print(len(watch.whole), "functions get training:", *sorted(watch.whole))
        print(len(watch.part), "get a part of it:", *sorted(watch.part))
    elif arguments.check:
        if PICTURE.read_text() != picture():
            raise SystemExit(f"{PICTURE}: not of these imports; run {sys.argv[0]} picture")
    else:
        PICTURE.write_text(picture())
        print(f"wrote {PICTURE}")


if __name__ == "__main__":
    main()
