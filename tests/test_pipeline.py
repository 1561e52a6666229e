import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.pictures import MiddleDetector, assert_is_hidden, textured

import dartblur
from dartblur import api
from dartblur.anonymizers import Block, Gaussian, MethodSettings, Pixelate
from dartblur.anonymizers.blending import Blended
from dartblur.coco import PictureBoxes
from dartblur.detectors import Evidence
from dartblur.errors import BoxesError, UsageError
from dartblur.faces import Faces
from dartblur.images.arrays import picture_of
from dartblur.pipeline import Pipeline, cores, grown, hide_picture, make_pipeline


def test_the_simple_door_hides_faces(stub_detector: None) -> None:
    api._pipeline.cache_clear()
    image = textured(48, 60)
    before = image.copy()
    safe = dartblur.anonymize(image, "block")
    api._pipeline.cache_clear()  # the stub must not outlive this test
    np.testing.assert_array_equal(image, before)
    grown_face = np.zeros((48, 60), bool)
    grown_face[13:35, 17:43] = True  # 20..40 × 16..32, grown by 15 % on every side
    # Soft at the border: black in the middle, another colour than before all over.
    assert (safe[18:30, 23:37] == 0).all()
    assert (safe != image).any(axis=2)[grown_face].mean() > 0.9
    np.testing.assert_array_equal(safe[~grown_face], image[~grown_face])


def test_a_pipeline_finds_grows_and_hides() -> None:
    image = textured(48, 60)
    assert_is_hidden(image, Pipeline(MiddleDetector(), Blended(Block()), margin=0)(image))
    [box] = Pipeline(MiddleDetector(), Block(), margin=0.5).faces(image).boxes.tolist()
    assert box == [10, 8, 50, 40]
    [box] = Pipeline(MiddleDetector(), Block(), margin=9).faces(image).boxes.tolist()
    assert box == [0, 0, 60, 48]


def test_faces_outside_the_picture_go_and_scores_stay_with_theirs() -> None:
    faces = Faces(
        np.array([[-9, -9, -5, -5], [10, 10, 20, 20], [5, 5, 5, 9]]), np.array([0.1, 0.2, 0.3])
    )
    kept = grown(faces, 0, 48, 60)
    assert kept.boxes.tolist() == [[10, 10, 20, 20]]
    assert kept.scores.tolist() == pytest.approx([0.2])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros(4, np.uint8),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 3), np.int32),
        [[[0, 0, 0]]],
        None,
    ],
    ids=["a row", "5 channels", "empty", "float", "32 bit", "list", "none"],
)
def test_another_kind_of_image_is_refused(image: object) -> None:
    with pytest.raises(ValueError, match="image must"):
        Pipeline(MiddleDetector(), Block())(image)  # type: ignore[arg-type]


def test_names_become_parts() -> None:
    settings = MethodSettings(strength=2, cells=5)
    assert make_pipeline("gaussian", settings=settings).anonymizer == Blended(Gaussian(2))
    pixelate = make_pipeline("pixelate", settings=settings, margin=0.3)
    assert (pixelate.anonymizer, pixelate.shape) == (Blended(Pixelate(5)), "box")
    assert make_pipeline(settings=MethodSettings(shape="ellipse")).shape == "ellipse"
    assert make_pipeline("block", margin=0.3).margin == 0.3


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"method": "melt"}, "melt"),
        ({"detector": "eagle"}, "eagle"),
        ({"threshold": 1.5}, "1.5"),
        ({"threshold": -0.1}, "-0.1"),
        ({"margin": -0.1}, "-0.1"),
        ({"margin": float("nan")}, "nan"),
        ({"margin": 11}, "11"),
        ({"threads": -1}, "-1"),
    ],
)
def test_wrong_names_and_values_are_named(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        make_pipeline(**wrong)  # type: ignore[arg-type]


def test_there_is_a_core() -> None:
    assert cores() >= 1


def test_a_picture_as_a_job_of_its_own(tmp_path: Path, save: Callable[..., Path]) -> None:
    """Bytes and record come back; nothing is written."""
    source = save(tmp_path / "a.png")
    data, record, _ = hide_picture(source, Pipeline(MiddleDetector(), Blended(Block()), margin=0))
    assert_is_hidden(textured(48, 60), np.array(Pillow.open(io.BytesIO(data))))
    assert (record.file, record.source, record.status) == ("a.png", str(source), "done")
    assert (record.width, record.height, record.faces) == (60, 48, 1)
    assert record.boxes == ((20, 16, 40, 32, 1),)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(("besides", "count"), [(False, 1), (True, 2)])
def test_a_picture_with_given_boxes(
    tmp_path: Path, save: Callable[..., Path], besides: bool, count: int
) -> None:
    source = save(tmp_path / "a.png")
    pipeline = Pipeline(MiddleDetector(), Block(), margin=0)
    faces = Faces(np.array([[1, 1, 9, 9], [60, 0, 70, 9]], np.float32))
    given = PictureBoxes("a.png", (48, 60), faces)
    data, record, _ = hide_picture(source, pipeline, given=given, besides=besides)
    safe = np.array(Pillow.open(io.BytesIO(data)))
    assert not safe[1:9, 1:9].any()
    assert (safe[16:32, 20:40] == 0).all() == besides
    assert record.faces == count
    [note] = record.notes
    assert "1 of 2 given boxes cover no pixel of it: (60, 0) to (70, 9)" in note
    outside = PictureBoxes("a.png", None, faces[1:])
    with pytest.raises(BoxesError, match="cover no pixel"):
        hide_picture(source, pipeline, given=outside, besides=besides)


def test_evidence_is_of_what_is_not_hidden() -> None:
    """Faint boxes grow as the others do; those that hidden ones cover, or nearly are, go."""

    class Evident(MiddleDetector):
        def search(self, image: np.ndarray) -> tuple[Faces, Evidence]:
            faint = [[2, 2, 12, 12], [22, 18, 40, 31], [25, 20, 29, 24]]
            return self([image])[0], Evidence(
                0.3, 4, np.array([2]), Faces(np.array(faint), np.full(3, 0.2)), np.arange(1, 4)
            )

    picture = picture_of(textured(48, 60))
    faces, evidence = Pipeline(Evident(), Block(), margin=0.1).search(picture)
    assert evidence is not None
    assert evidence.seen.tolist() == [2]
    np.testing.assert_allclose(evidence.faint.boxes, [[1, 1, 13, 13]])
    assert evidence.faint_seen.tolist() == [1]
    assert faces == Pipeline(MiddleDetector(), Block(), margin=0.1).detect(picture)


def test_views_of_a_picture_are_evidence_together() -> None:
    """A face that is in several is one, and so is a faint box."""

    class Evident:
        def __init__(self) -> None:
            self.views = 0

        def __call__(self, images: list[np.ndarray]) -> list[Faces]:
            return [self.search(image)[0] for image in images]

        def search(self, image: np.ndarray) -> tuple[Faces, Evidence]:
            self.views += 1
            faces = Faces(np.array([[5, 5, 25, 25]]) + self.views)
            faint = Faces(np.array([[40, 30, 50, 40]]), np.array([0.1]))
            return faces, Evidence(0.2, 3, np.array([self.views]), faint, np.array([1]))

    image = np.dstack([textured(48, 60), np.full((48, 60), 128, np.uint8)])
    faces, evidence = Pipeline(Evident(), Block(), margin=0).search(picture_of(image))
    assert evidence is not None
    assert len(faces) == 1
    assert len(evidence.seen) == 1
    assert evidence.seen[0] > 0
    assert len(evidence.faint) == 1
