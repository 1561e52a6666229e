"""Roughly what the stages of a benchmark take, as measured on one core."""

from dartblur.evaluation.config import Recipe

VERSION = 3
"""Raised when the code of a stage changes what it writes."""
PROCESS_MIB = 400.0
"""A process that has torch and does nothing yet."""
# Bytes of a training for each pixel of its batch, and seconds against RetinaFace's; without a
# number, the largest family's.
_TRAINING_BYTES = {"retinaface": 450, "yolov5n": 500, "yolov5s": 1200, "pyramidbox-small": 1050}
_LARGEST_TRAINING_BYTES = 13_000
_TRAINING_WEIGHT = {"retinaface": 1.0, "yolov5n": 1.0, "yolov5s": 4.0, "pyramidbox-small": 2.0}
_LARGEST_TRAINING_WEIGHT = 20.0
_DETECTION_BYTES = 240
_DETECTED_TOGETHER = 8


def training_seconds(detector: str, recipe: Recipe, steps: int) -> float:
    """Of one core, for `steps` batches."""
    pixels = recipe.batch * recipe.crop**2 / (16 * 224**2)
    return 0.45 * steps * pixels * _TRAINING_WEIGHT.get(detector, _LARGEST_TRAINING_WEIGHT)


def training_mib(detector: str, recipe: Recipe, count: int, image_size: int) -> float:
    """Of a process that holds `count` pictures, `image_size` pixels on their longer side."""
    each = _TRAINING_BYTES.get(detector, _LARGEST_TRAINING_BYTES)
    # Pictures of four to three, as they lie in memory.
    pictures = count * image_size**2 * 0.75 * 3
    return PROCESS_MIB + (recipe.batch * recipe.crop**2 * each + pictures) / 2**20


def detection_seconds(count: int, image_size: int) -> float:
    """Of one core, for `count` pictures on a square canvas of that side."""
    return 0.03 * count * (image_size / 320) ** 2


def detection_mib(image_size: int) -> float:
    """Of a process that detects."""
    return PROCESS_MIB + _DETECTED_TOGETHER * image_size**2 * _DETECTION_BYTES / 2**20
