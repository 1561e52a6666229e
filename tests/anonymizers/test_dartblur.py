"""Which generators DartBlur takes, and what it says of files that are none."""

import hashlib
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.pictures import FRAME_WEIGHTS, textured

from dartblur import anonymizers
from dartblur.anonymizers import Blur, Dartblur, Gaussian, MethodSettings, make_anonymizer
from dartblur.anonymizers.dartblur import GENERATORS, WEIGHTS, add_changes
from dartblur.anonymizers.windows import WindowGeometry, Windows, extract
from dartblur.boxes import IntArray
from dartblur.errors import ConfigError, UsageError
from dartblur.faces import Faces, Image

DETECTOR = next((Path(anonymizers.__file__).parents[1] / "detectors").rglob("*.onnx"))


def test_a_strength_that_is_given_takes_the_place_of_the_file_s() -> None:
    assert make_anonymizer("dartblur", MethodSettings(weights=FRAME_WEIGHTS)) == Dartblur(
        FRAME_WEIGHTS
    )
    assert make_anonymizer("dartblur") == Dartblur(GENERATORS["soft"])
    made = make_anonymizer("dartblur", MethodSettings(strength=3.0))
    assert made == Dartblur(blur=Blur(strength=3.0, blended=True))
    with pytest.raises(UsageError, match="cells says nothing to a blur of kind 'gaussian'"):
        make_anonymizer("dartblur", MethodSettings(cells=4))


def test_the_shipped_generators_are_those_that_their_sums_and_cards_name() -> None:
    digests = {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in GENERATORS.values()}
    lines = "".join(f"{digest}  {file.name}\n" for file, digest in digests.items())
    assert (WEIGHTS.parent / "SHA256SUMS").read_text() == lines
    for file, digest in digests.items():
        assert f"`{digest}`" in file.with_suffix(".md").read_text("utf-8")


@pytest.mark.parametrize("side", [16, 32, 64, 128])
@pytest.mark.parametrize("name", GENERATORS)
def test_a_shipped_generator_paints(name: str, side: int) -> None:
    """A generator of zeros would leave the blur; these change faces of every size."""
    image = cv2.resize(textured(20, 20), (200, 200), interpolation=cv2.INTER_CUBIC)
    face = Faces(np.array([[30, 30, 30 + side, 30 + side]], np.float32))
    generator = make_anonymizer("dartblur", MethodSettings(generator=name))
    assert isinstance(generator, Dartblur)
    change = generator(image, face).astype(float) - generator.metadata.blur(image, face)
    assert np.abs(change[30 : 30 + side, 30 : 30 + side]).mean() > 2


def test_the_default_sees_a_blur_twice_as_wide_as_the_paper_s() -> None:
    blurs = {name: Dartblur(file).metadata.blur for name, file in GENERATORS.items()}
    strengths = {name: blur.strength for name, blur in blurs.items()}
    assert strengths == {"soft": 2, "wide": 2, "compact": 1}


@pytest.mark.parametrize(
    ("side", "share"), [(40, 1), (90, 1), (128, 0.675), (181, 0.35), (300, 0.35)]
)
def test_soft_paints_as_wide_does_and_large_faces_faintly(side: int, share: float) -> None:
    image = cv2.resize(textured(40, 40), (340, 340), interpolation=cv2.INTER_CUBIC)
    face = Faces(np.array([[20, 20, 20 + side, 20 + side]], np.float32))
    blurred = Dartblur().metadata.blur(image, face).astype(int)
    soft, wide = (Dartblur(GENERATORS[name])(image, face) - blurred for name in ("soft", "wide"))
    assert np.abs(wide).sum() > 0
    assert np.abs(soft).sum() / np.abs(wide).sum() == pytest.approx(share, abs=0.03)


def test_black_and_white_pictures_stay_so() -> None:
    colour = textured(120, 160)
    grey = colour.mean(axis=2, keepdims=True).astype(np.uint8).repeat(3, axis=2)
    faces = Faces(np.array([[20, 30, 70, 90], [60, 20, 110, 80]], np.float32))
    hide = Dartblur()
    assert np.ptp(hide(grey, faces), axis=2).max() == 0
    assert np.ptp(hide(colour, faces) - Gaussian()(colour, faces), axis=2).max() > 0


def windows_of(boxes: IntArray) -> Windows:
    """Windows that end where the boxes do."""
    n = len(boxes)
    pixels = np.zeros((n, 3, 8, 8), np.uint8)
    return Windows(boxes, boxes, pixels, np.zeros(n, np.float32), np.zeros(n, np.int64))


def test_in_a_film_the_noise_of_a_face_stays() -> None:
    """The same frame but for a camera's noise: with a track the painted face changes less."""
    rng = np.random.default_rng(0)
    frame = cv2.resize(textured(20, 20), (200, 200), interpolation=cv2.INTER_CUBIC)
    frames = [np.clip(frame + rng.normal(0, 2, frame.shape), 0, 255).astype(np.uint8)] * 2
    frames[1] = np.clip(frame + rng.normal(0, 2, frame.shape), 0, 255).astype(np.uint8)
    box = np.array([[30, 30, 110, 120]], np.float32)
    hide = Dartblur(GENERATORS["wide"])
    change = {}
    for number in (0, 1, 2):
        one, other = (hide(each, Faces(box, tracks=np.array([number]))) for each in frames)
        change[number] = np.abs(one.astype(int) - other)[30:120, 30:110].mean()
    assert max(change[1], change[2]) < 0.5 * change[0]


def test_faces_are_told_apart_by_their_tracks_and_without_one_by_their_pixels() -> None:
    image = textured(120, 160)
    boxes = np.array([[20, 30, 70, 90], [60, 20, 110, 80], [80, 90, 100, 110]])

    def seeds(picture: Image, *tracks: int) -> IntArray:
        return extract(picture, boxes, WindowGeometry(), np.array(tracks, np.int64)).seed

    assert len(set(seeds(image, 0, 0, 0).tolist())) == 3
    numbered, brighter = seeds(image, 7, 0, 2**60), seeds(np.minimum(image, 250) + 5, 7, 0, 2**60)
    # Small boxes come first.
    assert (numbered == brighter).tolist() == [True, True, False]
    assert (numbered >= 0).all()
    assert len(set(numbered.tolist())) == 3


@pytest.mark.parametrize("channels", [1, 3])
def test_a_change_is_stretched_over_a_large_face(channels: int) -> None:
    ramp = np.broadcast_to(np.linspace(-40, 40, 96, dtype=np.float32), (1, channels, 96, 96))
    box = np.array([[0, 0, 960, 960]])
    windows = windows_of(box)
    painted = add_changes(np.full((960, 960, 3), 128, np.uint8), windows, ramp)
    expected = 128 + np.linspace(-40, 40, 960)
    np.testing.assert_allclose(painted[480, 40:-40, 0], expected[40:-40], atol=2)


def test_changes_of_overlapping_faces_pass_into_each_other() -> None:
    """No straight line through a face where its neighbour's box ends."""
    boxes = np.array([[10, 20, 70, 80], [50, 10, 130, 90]])
    windows = windows_of(boxes)
    changes = np.stack([np.full((3, 8, 8), change, np.float32) for change in (-60, 60)])
    painted = add_changes(np.full((100, 140, 3), 128, np.uint8), windows, changes).astype(int)
    assert np.abs(np.diff(painted[22:78, 10:130], axis=1)).max() < 30
    # Alone, each is painted as it is.
    assert (painted[20:80, 10:50] == 68).all()
    assert (painted[10:90, 70:130] == 188).all()


def test_no_such_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(ConfigError, match=r"no such weights") as caught:
            Dartblur(path)
        assert str(path) in str(caught.value)


def test_a_file_that_is_no_network(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a network")
    (tmp_path / "half.onnx").write_bytes(FRAME_WEIGHTS.read_bytes()[:9000])
    for name in ("text.onnx", "half.onnx"):
        with pytest.raises(ConfigError, match=rf"{name}: not a network that can be run"):
            Dartblur(tmp_path / name)


def test_another_network() -> None:
    with pytest.raises(ConfigError, match="not a generator of this package") as caught:
        Dartblur(DETECTOR)
    assert str(DETECTOR) in str(caught.value)


def test_soft_is_what_its_script_makes_of_wide() -> None:
    onnx = pytest.importorskip("onnx", reason="comes with the extras train and privacy")
    script = Path(__file__).parents[2] / "scripts" / "fade_large_faces.py"
    faded = runpy.run_path(str(script))["faded"]
    made = faded(GENERATORS["wide"].read_bytes(), 91, 181, 0.35)
    # Other versions of onnx may write the same in other bytes.
    assert onnx.load_from_string(made) == onnx.load(GENERATORS["soft"])
