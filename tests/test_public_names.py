import inspect
from importlib import resources

import numpy as np
import pytest
from tests.pictures import textured

import dartblur


def test_the_root_offers_few_names_and_all_of_them_exist() -> None:
    assert sorted(dartblur.__all__) == [
        "DartblurError",
        "Faces",
        "MethodSettings",
        "Pipeline",
        "Sample",
        "VideoOptions",
        "VideoReport",
        "__version__",
        "anonymize",
        "anonymize_frames",
        "anonymize_video",
        "make_pipeline",
    ]
    for name in dartblur.__all__:
        assert hasattr(dartblur, name)


def test_public_names_have_docstrings_and_types() -> None:
    for name in dartblur.__all__:
        thing = getattr(dartblur, name)
        if callable(thing):
            assert inspect.getdoc(thing), name
    assert resources.files("dartblur").joinpath("py.typed").is_file()


@pytest.mark.usefixtures("stub_detector")
def test_the_root_docstring_is_true() -> None:
    image = textured(40, 50)
    hide = dartblur.make_pipeline("pixelate")
    safe = hide(image)
    assert safe.shape == image.shape
    assert not np.array_equal(safe, image)
    assert len(hide.faces(image)) == 1
