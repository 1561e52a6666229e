"""WIDER FACE's own files: predictions in text, the ground truth in MATLAB files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from dartblur.errors import BoxesError, UsageError

Table = npt.NDArray[np.float64]
SETTINGS = ("easy", "medium", "hard")
_VALUES = 5
_PICTURE_SUFFIXES = (".txt", ".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class WiderPicture:
    """The ground truth of one picture.

    boxes: (N, 4) x y w h in original pixels. counted: for easy, medium and hard, the indices into
    `boxes` of the faces that count; the others are passed over.
    """

    event: str
    name: str
    boxes: Table
    counted: tuple[npt.NDArray[np.intp], ...]


def read_ground_truth(folder: Path) -> list[WiderPicture]:
    """Every picture of the four files `wider_{face,easy,medium,hard}_val.mat`, event by event.

    Raises:
        BoxesError: a file is missing, is no MATLAB file, or does not fit the others.
        UsageError: scipy, which reads these files, is not installed.
    """
    faces = folder / "wider_face_val.mat"
    content = _read_mat(faces, ("event_list", "file_list", "face_bbx_list"))
    subsets = [folder / f"wider_{setting}_val.mat" for setting in SETTINGS]
    counted = [_read_mat(path, ("gt_list",))["gt_list"] for path in subsets]
    pictures = []
    try:
        for i, (event,) in enumerate(content["event_list"]):
            names, boxes = content["file_list"][i, 0], content["face_bbx_list"][i, 0]
            for j, (name,) in enumerate(names):
                table = np.asarray(boxes[j, 0], np.float64).reshape(-1, 4)
                kept = [
                    _indices(c[i, 0][j, 0], len(table), path)
                    for c, path in zip(counted, subsets, strict=True)
                ]
                pictures.append(WiderPicture(str(event[0]), str(name[0]), table, tuple(kept)))
    except (IndexError, TypeError, ValueError) as error:
        raise BoxesError(
            f"{folder}: the four .mat files do not fit each other, or not the official layout "
            f"({error}); take all four from one copy of WIDER FACE's evaluation tools"
        ) from error
    return pictures


def read_predictions(
    folder: Path, truth: list[WiderPicture], missing_as_empty: bool = False
) -> tuple[list[Table], list[str]]:
    """The detections of every picture of `truth`, each (D, 5) x y w h score in the file's order.

    Also the missing files (event/name.txt), which make empty tables where `missing_as_empty`.

    Raises:
        BoxesError: a file is missing, unknown to the ground truth, or malformed.
    """
    if not folder.is_dir():
        raise BoxesError(f"{folder}: no such folder; give the one that holds event/name.txt files")
    expected = {f"{p.event}/{p.name}.txt" for p in truth}
    _refuse_unknown(folder, expected, {p.event for p in truth})
    tables, missing = [], []
    for picture in truth:
        path = folder / picture.event / f"{picture.name}.txt"
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            if not missing_as_empty:
                raise BoxesError(
                    f"{path}: missing; write a file with count 0 where nothing was found, "
                    "or count missing files as empty"
                ) from error
            missing.append(f"{picture.event}/{picture.name}.txt")
            tables.append(np.zeros((0, _VALUES)))
        except OSError as error:
            raise BoxesError(f"{path}: cannot be read ({error.strerror})") from error
        else:
            # One face of the official list is -2 pixels wide; a perfect prediction of it is too.
            least = min(0.0, picture.boxes[:, 2:].min(initial=0))
            tables.append(parse_predictions(content, path, picture.name, least))
    return tables, missing


def parse_predictions(content: bytes, path: Path, name: str, least: float = 0) -> Table:
    """One file: the picture's name, the count, and a line `x y w h score` for each detection.

    least: w and h may not be under it.

    Raises:
        BoxesError: with file and line, where it is anything else.
    """
    lines = _lines(content, path)
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) < 2:
        _wrong(path, len(lines) + 1, "expected the picture's name, then the number of detections")
    if _stem(lines[0]) != name:
        _wrong(path, 1, f"holds the detections of {_short(lines[0])}, not of {name!r}")
    count = _count(lines[1], path)
    if len(lines) - 2 != count:
        at = min(len(lines), count + 2) + 1
        _wrong(path, at, f"{count} detections announced in line 2, {len(lines) - 2} there")
    rows = [line.split() for line in lines[2:]]
    if any(len(row) != _VALUES for row in rows):
        _find_wrong(rows, path, _is_row)
    try:
        flat = np.fromiter(map(float, chain.from_iterable(rows)), np.float64, _VALUES * count)
    except ValueError:
        _find_wrong(rows, path, _is_row)
    table = flat.reshape(-1, _VALUES)
    if not np.isfinite(table).all() or (table[:, 2:4] < least).any():
        _find_wrong(rows, path, partial(_is_detection, least=least))
    return table


def _lines(content: bytes, path: Path) -> list[str]:
    try:
        return content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        _wrong(path, line, f"byte {content[error.start]:#04x} is no text")


def _count(line: str, path: Path) -> int:
    text = line.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        _wrong(path, 2, f"expected the number of detections, not {_short(line)}")
    return int(text)


def _is_row(row: list[str]) -> bool:
    try:
        return len(row) == _VALUES and bool([float(v) for v in row])
    except ValueError:
        return False


def _is_detection(row: list[str], least: float) -> bool:
    values = [float(v) for v in row]
    return bool(np.isfinite(values).all()) and min(values[2:4]) >= least


def _find_wrong(rows: list[list[str]], path: Path, right: Callable[[list[str]], bool]) -> NoReturn:
    at = next(i for i, row in enumerate(rows) if not right(row))
    wanted = "expected x y w h score, five finite numbers with w and h not negative"
    _wrong(path, at + 3, f"{wanted}, not {_short(' '.join(rows[at]))}")


def _wrong(path: Path, line: int, problem: str) -> NoReturn:
    raise BoxesError(f"{path}:{line}: {problem}; write this file again")


def _short(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _stem(line: str) -> str:
    """The bare name of a picture, which tools write with its event, its suffix or neither."""
    name = line.strip().replace("\\", "/").rsplit("/", 1)[-1]
    for suffix in _PICTURE_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def _refuse_unknown(folder: Path, expected: set[str], events: set[str]) -> None:
    for path in sorted(folder.glob("*/*.txt")):
        event = path.parent.name
        if event not in events:
            raise BoxesError(f"{path}: the ground truth has no event {event!r}; move it away")
        if f"{event}/{path.name}" not in expected:
            raise BoxesError(f"{path}: the ground truth has no picture {path.stem!r} in {event!r}")


def _indices(values: Any, faces: int, path: Path) -> npt.NDArray[np.intp]:
    indices: npt.NDArray[np.intp] = np.asarray(values, np.intp).ravel() - 1
    if len(indices) and not (indices.min() >= 0 and indices.max() < faces):
        raise BoxesError(f"{path}: counts face {indices.max() + 1} of a picture with {faces} faces")
    return indices


def _read_mat(path: Path, names: tuple[str, ...]) -> Mapping[str, Any]:
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as error:
        raise UsageError(
            "WIDER FACE's ground truth needs scipy: pip install 'dartblur[evaluate]'"
        ) from error
    try:
        content: Mapping[str, Any] = loadmat(str(path), variable_names=names)
    except FileNotFoundError as error:
        raise BoxesError(f"{path}: missing; it belongs to WIDER FACE's evaluation tools") from error
    except (OSError, ValueError, TypeError, KeyError, NotImplementedError, MatReadError) as error:
        raise BoxesError(f"{path}: cannot be read as a MATLAB file ({error})") from error
    for name in names:
        if name not in content:
            raise BoxesError(f"{path}: holds no {name!r}; take WIDER FACE's own file")
    return content
