"""Folders of any size: found, hidden side by side, and never done twice."""

from dartblur.batch.commands import STANDARD_INPUT, anonymize, detect
from dartblur.batch.comparing import compare
from dartblur.batch.options import FilmOptions, FindOptions, HideOptions, RunOptions

__all__ = [
    "STANDARD_INPUT",
    "FilmOptions",
    "FindOptions",
    "HideOptions",
    "RunOptions",
    "anonymize",
    "compare",
    "detect",
]
