"""What a generator's file says of itself: obeyed, or refused in words."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.pictures import FRAME_WEIGHTS, textured

from dartblur.anonymizers import GENERATORS, Blur, Dartblur
from dartblur.anonymizers.frames import FrameGeometry
from dartblur.anonymizers.generator_file import GeneratorMetadata
from dartblur.anonymizers.windows import WindowGeometry
from dartblur.errors import ConfigError
from dartblur.faces import Faces

WHOLE = {"format": 1, "blur": {}, "frames": {"image_size": 64}, "training": {}}


@pytest.fixture
def described(tmp_path: Path) -> Callable[..., Path]:
    """The tests' generator, in a file of other metadata."""
    onnx = pytest.importorskip("onnx", reason="edits the file: pip install dartblur[train]")

    def write(**properties: str) -> Path:
        model = onnx.load(FRAME_WEIGHTS)
        model.ClearField("metadata_props")
        for key, value in properties.items():
            model.metadata_props.add(key=key, value=value)
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.onnx"
        onnx.save(model, path)
        return path

    return write


@pytest.mark.parametrize(
    "blur", [Blur(strength=3.0, blended=True), Blur("pixelate", cells=4, noise=10.0)]
)
def test_it_paints_on_the_blur_that_it_learned_on(
    described: Callable[..., Path], blur: Blur
) -> None:
    metadata = GeneratorMetadata(blur, FrameGeometry(64), {"rounds": 3})
    generator = Dartblur(described(**metadata.properties()))
    assert generator.metadata == metadata
    image, faces = textured(90, 90), Faces(np.array([[10, 20, 70, 80]], np.float32))
    out = generator(image, faces)
    np.testing.assert_array_equal(out, Dartblur(FRAME_WEIGHTS, blur=blur)(image, faces))
    assert (out != Dartblur(FRAME_WEIGHTS)(image, faces)).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "is of format 2, and this version of dartblur can do 1"),
        ({"blur": {"kind": "block"}}, "metadata: blur: kind: 'block' is none of"),
        ({"blur": {"strength": 0.1}}, "metadata: blur: strength must be"),
        ({"blur": {"swirl": 1}}, "unknown field 'swirl'"),
        ({"training": None}, "blur, training, and one geometry are needed"),
        ({"frames": {"image_size": 0}}, r"image_size \(0\) must be positive"),
        ({"frames": {"image_size": "wide"}}, "image_size: expected int"),
        ({"grid": {}}, "one geometry"),
    ],
)
def test_what_this_version_cannot_do_is_refused_in_words(
    described: Callable[..., Path], changes: dict[str, object], message: str
) -> None:
    path = described(dartblur=json.dumps(WHOLE | changes))
    with pytest.raises(ConfigError, match=message) as caught:
        Dartblur(path)
    assert str(path) in str(caught.value)


def test_a_geometry_of_another_kind_is_refused(described: Callable[..., Path]) -> None:
    other = {k: v for k, v in WHOLE.items() if k != "frames"} | {"grid": {}}
    with pytest.raises(ConfigError, match="'grid' is nothing that this version of dartblur can do"):
        Dartblur(described(dartblur=json.dumps(other)))


def test_missing_damaged_and_contradicting_metadata_is_refused(
    described: Callable[..., Path],
) -> None:
    Dartblur(described(dartblur=json.dumps(WHOLE)))
    with pytest.raises(ConfigError, match="does not say how it is used"):
        Dartblur(described(image_size="64"))
    for damaged in ("{", "[1]", "1"):
        with pytest.raises(ConfigError, match="metadata is damaged"):
            Dartblur(described(dartblur=damaged))
    windows = GeneratorMetadata(Blur(), WindowGeometry(24), {})
    with pytest.raises(ConfigError, match=r"metadata .* and its inputs contradict each other"):
        Dartblur(described(**windows.properties()))


def test_the_shipped_generators_say_what_they_need_and_what_is_known_of_them() -> None:
    metadata = Dartblur().metadata
    assert metadata.blur == Blur(strength=2, blended=True)
    assert metadata.geometry == WindowGeometry(48, 6, (-2.0, 2.5))
    wide = GENERATORS["wide"]
    told = dict(Dartblur(wide).metadata.training)
    digest = hashlib.sha256(wide.read_bytes()).hexdigest()
    told["faded"] = {"whole": 91, "faint": 181, "least": 0.35, "sha256": digest}
    assert metadata.training == told
    metadata = Dartblur(GENERATORS["compact"]).metadata
    assert metadata.blur == Blur(blended=True)
    assert metadata.geometry == WindowGeometry(48, 6, (-2.0, 2.5))
    training = metadata.training
    assert training["notes"]
    rounds, unknown = [], set()
    while training:
        rounds.append(training["rounds"])
        unknown |= {training["version"], training["data"]["digest"]}
        training = training.get("begun_from")
    assert rounds == [450, 550, 700, 900, 750, 436]
    assert unknown == {None}
