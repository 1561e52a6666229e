"""The command line: names of commands → functions, and what their ends mean to a shell."""

from __future__ import annotations

import sys
import tomllib
import warnings
from pathlib import Path
from typing import Annotated

import cv2
from cyclopts import App, CycloptsError, Parameter
from cyclopts.config import Toml
from PIL import Image

from dartblur import __version__, batch
from dartblur.batch.progress import printable
from dartblur.errors import ConfigError, DartblurError, InputError

app = App(
    name="dartblur",
    help="Hide every face in photos, videos and data sets.",
    version=__version__,
    default_parameter=Parameter(negative=()),
)
app.command(batch.anonymize)
app.command(batch.detect)
app.command(batch.compare)
_OWN_CONFIG = ("train", "evaluate")
# By name: these need more than the runtime does, and are loaded only when called.
app.command("dartblur.training.run:train", name="train")
app.command("dartblur.training.export:export", name="export")
app.command("dartblur.evaluation.command:evaluate", name="evaluate")
app.command("dartblur.evaluation.photo_command:evaluate_photo", name="evaluate-photo")
app.command("dartblur.evaluation.wider_command:evaluate_widerface", name="evaluate-widerface")
# These have a --config of their own, and so none of the whole command line.
_with_own_config = App(name="dartblur", default_parameter=app.default_parameter)
_with_own_config.command("dartblur.training.run:train", name="train")
_with_own_config.command("dartblur.evaluation.command:evaluate", name="evaluate")
app.meta.group_parameters = "Session parameters"
# main tells how to go on.
app.suppress_keyboard_interrupt = app.meta.suppress_keyboard_interrupt = False
_with_own_config.suppress_keyboard_interrupt = False


@app.meta.default
def _with_config(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Path | None = None,
) -> int:
    """Reads the options that a command line leaves out from a TOML file, one table a command.

    `train` and `evaluate` have a configuration of their own, and get the file as it is.

    Parameters
    ----------
    config
        The TOML file.
    """
    if config is not None and tokens and tokens[0] in _OWN_CONFIG:
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


def _check_toml(config: Path) -> None:
    """The parser of options would not say which file is broken, and passes over lone keys."""
    try:
        content = tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"{config}: cannot be read as TOML ({error}); correct the file"
        ) from error
    commands = [name for name in app if not name.startswith("-")]
    for name, table in content.items():
        if name not in commands or not isinstance(table, dict):
            raise ConfigError(
                f"{config}: {name!r} is no table of a command; there are {', '.join(commands)}"
            )


def main() -> None:
    """The `dartblur` command: exit status 0 all done, 1 inputs failed, 2 the call was wrong."""
    # Sizes are checked by --max-megapixels, which may be set higher than Pillow's own limit.
    Image.MAX_IMAGE_PIXELS = None
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    # OpenCV's own words on broken pictures name no file; ours do.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        begun = _with_own_config if sys.argv[1:2] and sys.argv[1] in _OWN_CONFIG else app.meta
        status = begun(exit_on_error=False, print_error=True, result_action="return_value")
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
