"""The command line: names of commands → functions, and what their ends mean to a shell."""

from __future__ import annotations

import difflib
import importlib
import logging
import sys
import tomllib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
from cyclopts import App, CycloptsError, Parameter
from cyclopts.config import Toml
from PIL import Image as Pillow

from dartblur import __version__, batch
from dartblur.errors import ConfigError, DartblurError, InputError, UsageError
from dartblur.formatting import printable


@dataclass(frozen=True)
class _Lazy:
    """A command that needs more than the runtime does; loaded only when it is called.

    target: module and function. extras: of the package, which bring what it needs. help: what the
    overview says, which must not load it.
    """

    target: str
    extras: str
    help: str

    @property
    def module(self) -> str:
        return self.target.partition(":")[0]


_LAZY = {
    "train": _Lazy(
        "dartblur.training.run:train",
        "train",
        "Trains a generator by Algorithm 1 on a data set in the WIDER FACE layout.",
    ),
    "export": _Lazy(
        "dartblur.training.export:export",
        "train",
        "Writes the generator of a training as ONNX, for dartblur anonymize --weights.",
    ),
    "evaluate": _Lazy(
        "dartblur.evaluation.command:evaluate",
        "train,evaluate",
        "Measures what an anonymization does to detectors: operational, post-hoc, cycle fidelity.",
    ),
    "evaluate-photo": _Lazy(
        "dartblur.evaluation.photo_command:evaluate_photo",
        "evaluate",
        "Draws a photo hidden in several ways, with what several detectors find in each.",
    ),
    "evaluate-widerface": _Lazy(
        "dartblur.evaluation.wider_command:evaluate_widerface",
        "evaluate",
        "Scores detections by WIDER FACE's official protocol: easy, medium and hard.",
    ),
}
# These have a configuration of their own, and get the file as it is.
_OWN_CONFIG = ("train", "evaluate")

app = App(
    name="dartblur",
    help="Hide every face in photos, videos and data sets.",
    help_epilogue=(
        "Every command takes --verbose, which tells on the error stream what is done; and all but "
        "train and evaluate take --config FILE: the options that the command line leaves out, from "
        "a TOML file with a table a command."
    ),
    version=__version__,
    default_parameter=Parameter(negative=()),
)
app.command(batch.anonymize)
app.command(batch.detect)
app.command(batch.dataset)
app.command(batch.compare)
for _name, _lazy in _LAZY.items():
    app.command(_lazy.target, name=_name, help=_lazy.help)
app.register_install_completion_command(help="Lets the shell complete commands and options.")
# main tells how to go on.
app.suppress_keyboard_interrupt = app.meta.suppress_keyboard_interrupt = False


@app.meta.default
def _with_session(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[Path | None, Parameter(show=False)] = None,
    verbose: Annotated[bool, Parameter(show=False)] = False,
) -> int:
    """Reads the options that a command line leaves out from a TOML file, one table a command."""
    _log_to_stderr(logging.DEBUG if verbose else logging.WARNING)
    if config is not None and tokens[:1] and tokens[0] in _OWN_CONFIG:
        tokens, config = (*tokens, "--config", str(config)), None
    if config is not None and not config.is_file():
        raise ConfigError(f"{config}: there is no such configuration file")
    if config is not None:
        _check_toml(config)
    # A lone hyphen would be taken for an option.
    tokens = tuple(str(batch.STANDARD_INPUT) if token == "-" else token for token in tokens)
    app.config = () if config is None else (Toml(config, must_exist=True),)
    status: int = app(tokens, exit_on_error=False, print_error=True, result_action="return_value")
    return status


def _commands() -> list[str]:
    return [name for name in app if not name.startswith("-")]


def _called(words: Sequence[str]) -> str | None:
    """The command that a command line calls, behind the options of the session; None if none."""
    rest = iter(words)
    for word in rest:
        if word == "--config":
            next(rest, None)
        elif word != "--verbose" and not word.startswith("--config="):
            return None if word.startswith("-") else word
    return None


def _check_command(name: str | None) -> None:
    """Loads a command that is called, if need be: the parser would end in a traceback.

    Raises:
        UsageError: there is no such command, or it needs an extra that is not installed.
    """
    if name is None:
        return
    if name not in _commands():
        near = difflib.get_close_matches(name, _commands(), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_commands())}"
        raise UsageError(f"there is no command {name!r}: {hint}")
    if name not in _LAZY:
        return
    try:
        importlib.import_module(_LAZY[name].module)
    except ModuleNotFoundError as error:
        if (error.name or "dartblur").partition(".")[0] == "dartblur":
            raise
        raise UsageError(
            f"{name} needs {error.name}: pip install 'dartblur[{_LAZY[name].extras}]'"
        ) from error
    # The whole of its own help, where the overview had a line.
    app[name].help = None


def _log_to_stderr(level: int) -> None:
    """Shows what the package's loggers tell, and nobody else's."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("dartblur")
    logger.addHandler(handler)
    logger.setLevel(level)


def _check_toml(config: Path) -> None:
    """The parser of options would not say which file is broken, and passes over lone keys."""
    try:
        content = tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"{config}: cannot be read as TOML ({error}); correct the file"
        ) from error
    for name, table in content.items():
        if name not in _commands() or not isinstance(table, dict):
            raise ConfigError(
                f"{config}: {name!r} is no table of a command; there are {', '.join(_commands())}"
            )


def main() -> None:
    """The `dartblur` command: exit status 0 all done, 1 inputs failed, 2 the call was wrong."""
    # Sizes are checked by --max-megapixels, which may be set higher than Pillow's own limit.
    Pillow.MAX_IMAGE_PIXELS = None
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    # OpenCV's own words on broken pictures name no file; ours do.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        _check_command(_called(sys.argv[1:]))
        status = app.meta(exit_on_error=False, print_error=True, result_action="return_value")
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
