"""h(x, b): one part for the runtime and for training."""

import numpy as np
import pytest
from tests.pictures import textured

from dartblur.anonymizers import Blur, Gaussian, Pixelate
from dartblur.anonymizers.blending import Blended
from dartblur.errors import UsageError
from dartblur.faces import Faces

FACES = Faces(np.array([[20, 30, 61, 77], [50, 40, 80, 66]], np.float32))


@pytest.mark.parametrize(
    ("blur", "parts"),
    [
        (Blur(), Gaussian()),
        (Blur(strength=2.0, blended=True), Blended(Gaussian(2.0))),
        (Blur("pixelate", cells=6), Pixelate(6)),
        (Blur("pixelate", cells=4, noise=9.0, blended=True), Blended(Pixelate(4, 9.0))),
    ],
)
def test_it_is_its_parts(blur: Blur, parts: Gaussian | Pixelate | Blended) -> None:
    assert blur.anonymizer() == parts
    image = textured(96, 96)
    np.testing.assert_array_equal(blur(image, FACES), parts(image, FACES))


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        *(("gaussian", "strength", 0.5), ("gaussian", "cells", 4), ("gaussian", "noise", 1.0)),
        *(("pixelate", "cells", 13), ("pixelate", "noise", -1.0), ("pixelate", "strength", 2.0)),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(kind: str, field: str, value: float) -> None:
    with pytest.raises(UsageError, match=field):
        Blur(kind, **{field: value})  # type: ignore[arg-type]
