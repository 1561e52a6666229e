"""Folders of any size: found, hidden side by side, and never done twice."""

from dartblur.batch.commands import anonymize, detect
from dartblur.batch.options import HideOptions, RunOptions

__all__ = ["HideOptions", "RunOptions", "anonymize", "detect"]
