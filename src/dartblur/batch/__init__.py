"""Folders of any size: found, hidden side by side, and never done twice."""

from dartblur.batch.anonymize_command import STANDARD_INPUT, anonymize
from dartblur.batch.compare_command import compare
from dartblur.batch.dataset_command import dataset
from dartblur.batch.detect_command import detect
from dartblur.batch.options import AnonymizationOptions, DetectionOptions, FilmOptions, RunOptions

__all__ = [
    "STANDARD_INPUT",
    "AnonymizationOptions",
    "DetectionOptions",
    "FilmOptions",
    "RunOptions",
    "anonymize",
    "compare",
    "dataset",
    "detect",
]
