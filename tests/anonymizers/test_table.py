from dataclasses import replace

import numpy as np
import pytest
from tests.pictures import textured

from dartblur.anonymizers import (
    ANONYMIZERS,
    DEFAULT_METHOD,
    Block,
    Gaussian,
    MethodSettings,
    Pixelate,
    make_anonymizer,
)
from dartblur.anonymizers.base import paste_order, paste_patches
from dartblur.anonymizers.blending import Blended, Ellipses
from dartblur.errors import UsageError
from dartblur.faces import Faces


def test_names_become_what_they_say_with_their_settings() -> None:
    settings = MethodSettings(strength=2.5, cells=3, colour=(1, 2, 3))
    # Every method hides without an edge, unless it is told otherwise.
    assert make_anonymizer("gaussian", settings) == Blended(Gaussian(2.5))
    assert make_anonymizer("pixelate", settings) == Blended(Pixelate(3))
    assert make_anonymizer("block", settings) == Blended(Block((1, 2, 3)))
    assert make_anonymizer("block", replace(settings, blended=False)) == Block((1, 2, 3))
    in_ellipses = make_anonymizer("gaussian", replace(settings, shape="ellipse"))
    assert in_ellipses == Ellipses(Blended(Gaussian(2.5)))
    assert DEFAULT_METHOD in ANONYMIZERS


@pytest.mark.parametrize("name", ["", "Gaussian", "blur", "block "])
def test_an_unknown_name_is_told_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match="gaussian") as error:
        make_anonymizer(name)
    assert repr(name) in str(error.value)


def test_settings_out_of_range_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match="strength"):
        make_anonymizer("gaussian", MethodSettings(strength=0))
    with pytest.raises(UsageError, match=r"'circle'; choose one of box, ellipse"):
        MethodSettings(shape="circle")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"'narrow'; choose one of soft, wide, compact"):
        MethodSettings(generator="narrow")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="ellipse"):
        MethodSettings(shape="ellipse", blended=False)
    with pytest.raises(UsageError, match="cells"):
        make_anonymizer("pixelate", MethodSettings(cells=0))


def test_the_block_has_the_colour_asked_for() -> None:
    image = textured(20, 20)
    out = Block((10, 20, 30))(image, Faces(np.array([[2, 3, 7, 9]])))
    assert (out[3:9, 2:7] == [10, 20, 30]).all()


def test_small_boxes_are_painted_first_and_empty_ones_never() -> None:
    boxes = np.array([[0, 0, 9, 9], [0, 0, 2, 2], [5, 5, 5, 9], [0, 0, 4, 4]])
    assert paste_order(boxes).tolist() == [1, 3, 0]


def test_a_cover_gets_the_original_and_whole_pixels_inside_it() -> None:
    image, seen = textured(20, 30), []

    def make_patch(original: np.ndarray, box: tuple[int, ...]) -> np.ndarray:
        assert original is image
        seen.append(box)
        x1, y1, x2, y2 = box
        return np.zeros((y2 - y1, x2 - x1, 3), np.uint8)

    paste_patches(
        image, np.array([[-5.0, 3.5, 9.2, 50], [40, 40, 50, 50], [1, 1, 2, 2]]), make_patch
    )
    assert seen == [(1, 1, 2, 2), (0, 3, 10, 20)]
