"""The command line: names of commands → functions, and what their ends mean to a shell."""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cyclopts import App, ArgumentCollection, CycloptsError, Parameter
from cyclopts.config import Dict

from dartblur import __version__
from dartblur.config_file import build_config, read_toml
from dartblur.errors import ConfigError, DartblurError, InputError, UsageError
from dartblur.formatting import printable
from dartblur.video.places import STANDARD_INPUT


@dataclass(frozen=True)
class _Command:
    """A command, loaded only when it is called.

    target: module and function. extras: of the package, which bring what it needs. help: what the
    overview says, which must not load it. config: module and dataclass of a configuration of its
    own: --config is then a file of that alone.
    """

    target: str
    extras: str | None
    help: str
    config: str | None = None

    @property
    def module(self) -> str:
        return self.target.partition(":")[0]


_COMMANDS = {
    "anonymize": _Command(
        "dartblur.batch.anonymize_command:anonymize",
        None,
        "Hides every face in pictures and films, and in folders with all that is below them.",
    ),
    "detect": _Command(
        "dartblur.batch.detect_command:detect",
        None,
        "Finds faces and writes their boxes as COCO JSON; anonymize --boxes takes the file.",
    ),
    "dataset": _Command(
        "dartblur.batch.dataset_command:dataset",
        None,
        "Makes a copy of a data set in which every face is hidden, and its labels are as they "
        "were.",
    ),
    "review": _Command(
        "dartblur.review.command:review",
        "review",
        "Opens a finished run in the browser, to add what was missed and undo what was wrong.",
    ),
    "compare": _Command(
        "dartblur.batch.compare_command:compare",
        None,
        "Puts pictures side by side, each under its name.",
    ),
    "train": _Command(
        "dartblur.training.run:train",
        "train",
        "Trains a generator by Algorithm 1 on a data set, of any format of dartblur dataset.",
        "dartblur.training.config:TrainingConfig",
    ),
    "train-detector": _Command(
        "dartblur.training.detector_command:train_detector",
        "train",
        "Trains a face detector on a data set, and writes it as ONNX.",
        "dartblur.training.detector_config:DetectorTraining",
    ),
    "train-classifier": _Command(
        "dartblur.training.box_classifier:train_classifier",
        "train",
        "Trains the second stage of a detector on a data set, and writes it as ONNX.",
        "dartblur.training.box_classifier_config:BoxClassifierTraining",
    ),
    "export": _Command(
        "dartblur.training.export:export",
        "train",
        "Writes the generator of a training as ONNX, for dartblur anonymize --weights.",
    ),
    "evaluate": _Command(
        "dartblur.evaluation.command:evaluate",
        "train,evaluate",
        "Measures what an anonymization does to detectors: operational, post-hoc, cycle fidelity.",
        "dartblur.evaluation.config:EvaluationConfig",
    ),
    "attack": _Command(
        "dartblur.privacy.command:attack",
        "privacy",
        "Measures how often a hidden face is recognized all the same, by attackers of rising "
        "strength.",
        "dartblur.privacy.config:AttackConfig",
    ),
    "evaluate-photo": _Command(
        "dartblur.evaluation.photo_command:evaluate_photo",
        "evaluate",
        "Draws a photo hidden in several ways, with what several detectors find in each.",
    ),
    "evaluate-widerface": _Command(
        "dartblur.evaluation.wider_command:evaluate_widerface",
        "evaluate",
        "Scores detections by WIDER FACE's official protocol: easy, medium and hard.",
    ),
}

app = App(
    name="dartblur",
    help="Hide every face in photos, videos and data sets.",
    help_epilogue=(
        "Every command takes --verbose, which tells on the error stream what is done; and all but "
        "train, evaluate and attack take --config FILE: the options that the command line leaves "
        "out, from a TOML file with a table a command."
    ),
    version=__version__,
    default_parameter=Parameter(negative=(), consume_multiple=True),
)
for _name, _command in _COMMANDS.items():
    app.command(_command.target, name=_name, help=_command.help)
app.register_install_completion_command(help="Lets the shell complete commands and options.")
# main tells how to go on.
app.suppress_keyboard_interrupt = False


@dataclass(frozen=True)
class _Call:
    """A command line, read.

    words: for the parser of commands. config: a file with a table a command, or None.
    """

    words: list[str]
    config: Path | None
    verbose: bool


def _read(words: Sequence[str]) -> _Call:
    """Takes the options of every command out of a command line, wherever they stand.

    A meta app of Cyclopts would assemble the options of the command once more, a third of a start.

    Raises:
        UsageError: --config names no file.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--verbose", action="store_true")
    try:
        told, rest = parser.parse_known_args(words)
    except argparse.ArgumentError as error:
        raise UsageError(str(error)) from error
    # A lone hyphen would be taken for an option.
    rest = [str(STANDARD_INPUT) if word == "-" else word for word in rest]
    if told.config is not None and rest and _own_config(rest[0]):
        return _Call([*rest, "--config", str(told.config)], None, told.verbose)
    return _Call(rest, told.config, told.verbose)


def _run(call: _Call) -> object:
    """Runs the command, with what the command line leaves out taken from a configuration."""
    options = _fields_of_own_file if call.config is None else _options_by_command(call.config)
    app.config = (options,)
    return app(call.words, exit_on_error=False, print_error=True, result_action="return_value")


def _commands() -> list[str]:
    return [name for name in app if not name.startswith("-")]


def _check_command(words: Sequence[str]) -> None:
    """Loads the command that is called, if need be: the parser would end in a traceback.

    Raises:
        UsageError: there is no such command, or it needs an extra that is not installed.
    """
    if not words or words[0].startswith("-"):
        return
    name = words[0]
    if name not in _commands():
        near = difflib.get_close_matches(name, _commands(), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_commands())}"
        raise UsageError(f"there is no command {name!r}: {hint}")
    if name not in _COMMANDS:
        return
    try:
        importlib.import_module(_COMMANDS[name].module)
    except ModuleNotFoundError as error:
        extras = _COMMANDS[name].extras
        if extras is None or (error.name or "dartblur").partition(".")[0] == "dartblur":
            raise
        raise UsageError(f"{name} needs {error.name}: pip install 'dartblur[{extras}]'") from error
    # The whole of its own help, where the overview had a line.
    app[name].help = None
    _quiet_libraries()


def _quiet_libraries() -> None:
    """Lets Pillow and OpenCV tell nothing of pictures: what they say names no file; we do."""
    import cv2
    from PIL import Image

    # Sizes are checked by --max-megapixels, which may be set higher than Pillow's own limit.
    Image.MAX_IMAGE_PIXELS = None
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def _log_to_stderr(level: int) -> None:
    """Shows what the package's loggers tell, and nobody else's."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("dartblur")
    logger.addHandler(handler)
    logger.setLevel(level)


def _options_by_command(config: Path) -> Dict:
    """The options that a file has in a table for each command; lone keys would be passed over."""
    content = read_toml(config)
    for name, table in content.items():
        if name not in _commands() or not isinstance(table, dict):
            raise ConfigError(
                f"{config}: {name!r} is no table of a command; there are {', '.join(_commands())}"
            )
    return Dict(content, source=str(config))


def _own_config(command: str) -> str | None:
    return _COMMANDS[command].config if command in _COMMANDS else None


def _fields_of_own_file(
    called: App, commands: tuple[str, ...], arguments: ArgumentCollection
) -> None:
    """Fills in what the command line leaves out of a configuration, from the command's --config."""
    kind = _own_config(commands[0]) if commands else None
    given = arguments.get("--config") if kind else None
    if kind is None or given is None or not given.tokens:
        return
    config = Path(given.tokens[0].value)
    content = read_toml(config)
    module, _, name = kind.partition(":")
    # The parser of options would take "3" for a number, and cut 2.5 to 2.
    build_config(getattr(importlib.import_module(module), name), content, str(config))
    # It knows a table of tables as JSON alone.
    for field, table in content.items():
        if isinstance(table, dict) and all(isinstance(row, dict) for row in table.values()):
            content[field] = json.dumps(table)
    Dict({commands[0]: content}, source=str(config))(called, commands, arguments)


def main(loaded: Callable[[], None] = lambda: None) -> None:
    """The `dartblur` command: exit status 0 all done, 1 inputs failed, 2 the call was wrong.

    loaded: called when the command's libraries are there, before it begins.
    """
    try:
        call = _read(sys.argv[1:])
        _check_command(call.words)
        loaded()
        _log_to_stderr(logging.DEBUG if call.verbose else logging.WARNING)
        status = _run(call)
    except CycloptsError:
        sys.exit(2)  # told already
    except ModuleNotFoundError as error:
        sys.exit(_tell(f"needs {error.name}: pip install 'dartblur[train,evaluate]'", 2))
    except InputError as error:
        sys.exit(_tell(error, 1))
    except DartblurError as error:
        sys.exit(_tell(error, 2))
    except OSError as error:
        sys.exit(_tell(error, 1))
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)


def _tell(error: Exception | str, status: int) -> int:
    print(printable(f"dartblur: {error}"), file=sys.stderr)
    return status
